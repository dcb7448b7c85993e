"""shmredis-server: reads the configuration, starts the processes, serves, ends them in order."""

import contextlib
import logging
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from shmredis import __version__, log as server_log
from shmredis.commands.version import REDIS_VERSION
from shmredis.config import Config, ConfigError
from shmredis.config.parser import LineError, command_line
from shmredis.faults import PLAN_VARIABLE, arm_faults
from shmredis.filelimit import allow_clients
from shmredis.front.checks import check_system, test_memory
from shmredis.front.host import OomScore, bind_to_cpus
from shmredis.front.listeners import Listener, ListenError, open_listeners
from shmredis.front.presence import Presence
from shmredis.front.server import Front
from shmredis.front.shm import ShmInUse
from shmredis.front.supervisor import StartFailed, Supervisor
from shmredis.front.worker_process import ServerIdentity
from shmredis.persistence.aof_layout import prepare_layout
from shmredis.persistence.aof_lock import FolderLocks
from shmredis.title import show_title

__all__ = ["main"]

log = logging.getLogger(__name__)

MAX_BACKLOG = Path("/proc/sys/net/core/somaxconn")

# Who asks for the version wants to know what the server can do: it is that of Redis which it is like.
VERSION = (
    f"Redis server v={REDIS_VERSION} sha=00000000:0 malloc=shmredis-arena bits=64 "
    f"build=0000000000000000 shmredis={__version__}"
)

USAGE = """Usage: shmredis-server [/path/to/shmredis.conf] [--directive value ...] [-]
       shmredis-server -v or --version
       shmredis-server -h or --help
       shmredis-server --test-memory <megabytes>
       shmredis-server --check-system

Directives are those of redis.conf, and shmredis's own (conf/shmredis.conf describes them):

       shmredis-server                          defaults, port 6379
       shmredis-server /etc/shmredis.conf       a configuration file
       shmredis-server --port 7777              a directive
       echo 'maxmemory 1gb' | shmredis-server - directives from standard input
"""


def main() -> None:
    """Entry point; the exit status is 0 after an orderly end."""
    argv = sys.argv[1:]
    if argv in (["-v"], ["--version"]):
        print(VERSION)
    elif argv in (["-h"], ["--help"]):
        print(USAGE, end="")
        sys.exit(1)
    elif argv == ["--check-system"]:
        sys.exit(check_system())
    elif argv[:1] == ["--test-memory"]:
        sys.exit(test_memory(argv[1:]))
    elif "--sentinel" in argv:
        print("This server cannot be a Sentinel. Exiting...", file=sys.stderr)
        sys.exit(1)
    else:
        sys.exit(serve(read_config(argv)))


def read_config(argv: list[str]) -> Config:
    """The configuration of file and command line; ends the process if it is not usable."""
    config = Config()
    try:
        path, extra = command_line(argv)
        lines = config.load_file(path) if path else 0
        config.load_text(extra, first_line=lines + 2)  # an empty line is between the two
    except LineError as error:
        print(f"\n*** FATAL CONFIG FILE ERROR (shmredis {__version__}) ***", file=sys.stderr)
        print(f"Reading the configuration file, at line {error.number}", file=sys.stderr)
        print(f">>> '{error.text}'\n{error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        server_log.start("", "notice")
        log.warning("Fatal error, can't open config file '%s': %s", error.filename, error.strerror)
        sys.exit(1)
    return config


def serve(config: Config) -> int:
    """The whole life of the server. The exit status."""
    try:
        arm_faults(os.environb.get(PLAN_VARIABLE.encode(), b""))
        os.chdir(config["dir"])
        if config["daemonize"]:
            daemonize()
        server_log.start(config["logfile"], config["loglevel"], syslog_of(config))
    except (OSError, ValueError) as error:
        print(f"Can't start: {error}", file=sys.stderr)
        return 1
    log.info("shmredis %s is starting, PID: %d", __version__, os.getpid())
    log.info("Redis version=%s, bits=64, pid=%d, just started", REDIS_VERSION, os.getpid())
    if config.given:
        log.info("Configuration loaded")
    else:
        log.warning("Warning: no config file specified, using the default config.")
    adjust_clients(config)
    config.watch("maxclients", allow_clients)
    config.watch("dir", os.chdir)  # in workers as well, which are forked from here
    show_title(config)
    bind_to_cpus(config["server-cpulist"])
    log.info("monotonic clock: POSIX clock_gettime")
    log.info("Running mode=standalone, port=%d.", config["port"])
    warn_about_backlog(config["tcp-backlog"])
    try:
        OomScore(config).apply()
    except ConfigError as error:
        log.warning("%s", error)
    try:
        listeners = open_listeners(config)
    except ListenError as error:
        log.warning("%s", error)
        return 1
    with pid_file(config), unix_socket_file(config):
        status = run_front(config, listeners)
    if status == 0:
        log.warning("shmredis is now ready to exit, bye bye...")
    return status


def adjust_clients(config: Config) -> None:
    """No more clients than files can be opened for."""
    wanted = config["maxclients"]
    if (clients := allow_clients(wanted)) < wanted:
        log.warning(
            "Too few files may be open for %d clients: maxclients has been reduced to %d. "
            "`ulimit -n` sets how many may be.",
            wanted,
            clients,
        )
        config.set([("maxclients", str(clients))])


def warn_about_backlog(backlog: int) -> None:
    """The kernel has a limit of its own."""
    with contextlib.suppress(OSError, ValueError):
        most = int(MAX_BACKLOG.read_text())
        if most < backlog:
            log.warning(
                "WARNING: The TCP backlog setting of %d cannot be enforced because %s is set to "
                "the lower value of %d.",
                backlog,
                MAX_BACKLOG,
                most,
            )


def syslog_of(config: Config) -> server_log.Syslog | None:
    """Where syslog gets the lines, too; None: not."""
    if not config["syslog-enabled"]:
        return None
    return server_log.Syslog(config["syslog-ident"], config["syslog-facility"])


def run_front(config: Config, listeners: list[Listener]) -> int:
    """From open sockets to the end of all processes."""
    base = config["shm-name"] or f"shmredis-{config['port'] or config['tls-port'] or os.getpid()}"
    identity = ServerIdentity(secrets.token_hex(20), secrets.token_hex(20), time.time())
    presence = Presence(base)
    try:
        locks = FolderLocks(config)
        prepare_layout(config, config["workers"])
        locks.renew()
        front = Front(config, listeners, Supervisor(config, base, identity, presence), locks)
    except (ShmInUse, OSError) as error:
        return refuse(error)
    try:
        front.start()
        log.info("Server initialized")
        front.run()
    except (ShmInUse, StartFailed, OSError) as error:
        return refuse(error)
    finally:
        front.close()
    if front.failed:
        return 1
    if front.restart_ms >= 0:
        start_again(front.restart_ms)
    return 0


def start_again(delay_ms: int) -> None:
    """Becomes a new server with the same arguments."""
    log.info("Restarting in %d ms", delay_ms)
    time.sleep(delay_ms / 1000)
    os.execv(sys.executable, sys.orig_argv)


def refuse(error: Exception) -> int:
    """Says why the server does not start. The exit status."""
    if isinstance(error, ShmInUse):
        log.warning(
            "Shared memory %s belongs to a running server; choose another --shm-name", error
        )
    else:
        for line in server_log.lines_of(str(error)):
            log.warning("%s", line)
    return 1


def daemonize() -> None:
    """Goes on in the background, away from the terminal."""
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


@contextlib.contextmanager
def pid_file(config: Config) -> Iterator[None]:
    """The file with the front's pid, there while the server runs."""
    path = config["pidfile"] or ("/var/run/shmredis.pid" if config["daemonize"] else "")
    if path:
        try:
            Path(path).write_text(f"{os.getpid()}\n")
        except OSError as error:
            log.warning("Failed to write PID file: %s", error.strerror)
            path = ""
    try:
        yield
    finally:
        if path:
            log.info("Removing the pid file.")
            Path(path).unlink(missing_ok=True)


@contextlib.contextmanager
def unix_socket_file(config: Config) -> Iterator[None]:
    """Removes the unix socket's file at the end."""
    try:
        yield
    finally:
        if config["unixsocket"]:
            log.info("Removing the unix socket file.")
            Path(config["unixsocket"]).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
