"""How a server is told what to be: file, arguments, standard input; and what it says when it starts."""

import contextlib
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shmredis.config import Config
from shmredis.config.options import own
from shmredis.config.table import OPTIONS
from tests.harness.ports import free_port
from tests.harness.resp import Client
from tests.harness.server import ROOT, Server, wait_until

StartServer = Callable[..., Server]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
FATAL = "*** FATAL CONFIG FILE ERROR (shmredis"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "shmredis.front.main", *words]


def refused(*words: str, stdin: str = "") -> str:
    """What a server says that does not start."""
    done = subprocess.run(
        command(*words),
        input=stdin,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=20,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 1
    return done.stdout + done.stderr


@contextlib.contextmanager
def launched(*words: str, stdin: str = "") -> Iterator[subprocess.Popen[str]]:
    """A server with exactly these arguments; ended in order."""
    process = subprocess.Popen(
        command(*words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
    )
    try:
        assert process.stdin
        process.stdin.write(stdin)
        process.stdin.close()
        process.stdin = None
        yield process
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


def connect(port: int) -> Client:
    """A connection, as soon as the server takes one."""

    def attempt() -> bool:
        try:
            Client(port).close()
        except OSError:
            return False
        return True

    wait_until(attempt, 20)
    return Client(port)


def value(client: Client, name: str) -> bytes:
    found: list[bytes] = client.value("CONFIG", "GET", name)
    return found[1]


def text_of(port: int, *more: str) -> str:
    name = f"shmredis-test-{os.getpid()}-{port}"
    fixed = [f"port {port}", "bind 127.0.0.1", f"shm-name {name}", 'save ""']
    return "\n".join([*fixed, *more]) + "\n"


# --- where directives come from ---


def test_a_file_then_arguments(start_server: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "a.conf"
    file.write_text("# ours\nmaxclients 77\ntimeout 5\n\n  slowlog-max-len 9\n")
    server = start_server("--timeout", "6", config=file)
    with server.client() as client:
        assert value(client, "maxclients") == b"77"
        assert value(client, "timeout") == b"6"
        assert value(client, "slowlog-max-len") == b"9"


@pytest.mark.parametrize("place", ["first", "last"])
def test_standard_input(place: str) -> None:
    port = free_port()
    options = ["--timeout", "6"]
    words = ["-", *options] if place == "first" else [*options, "-"]
    with (
        launched(*words, stdin=text_of(port, "maxclients 78", "timeout 5")),
        connect(port) as client,
    ):
        assert value(client, "maxclients") == b"78"
        assert value(client, "timeout") == b"6"


def test_included_files(start_server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "b.conf").write_text("timeout 8\nmaxclients 90\n")
    (tmp_path / "a.conf").write_text(f"timeout 7\ninclude {tmp_path}/b.conf\nmaxclients 91\n")
    server = start_server(config=tmp_path / "a.conf")
    with server.client() as client:
        assert value(client, "timeout") == b"8"
        assert value(client, "maxclients") == b"91"


def test_a_file_that_includes_itself_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.conf"
    file.write_text(f"include {file}\n")
    assert "Includes are nested too deeply" in refused(str(file))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense 1", "Bad directive or wrong number of arguments"),
        ("port", "wrong number of arguments"),
        ("port 1 2", "wrong number of arguments"),
        ("port x", "argument couldn't be parsed into an integer"),
        ("databases 0", "argument must be between 1 and 2147483647 inclusive"),
        ("appendonly maybe", "argument must be 'yes' or 'no'"),
        ("maxmemory abc", "argument must be a memory value"),
        (
            "maxmemory-policy x",
            "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, "
            "volatile-ttl, volatile-lrm, allkeys-lru, allkeys-lfu, allkeys-random, allkeys-lrm, "
            "noeviction",
        ),
        ('databases "16', "Unbalanced quotes in configuration line"),
        ("include /nonexistent.conf", "Can't open included file: No such file or directory"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(tmp_path: Path, line: str, why: str) -> None:
    file = tmp_path / "a.conf"
    file.write_text(f"# first\n\n{line}\ntimeout 1\n")
    said = refused(str(file))
    assert FATAL in said
    assert f"Reading the configuration file, at line 3\n>>> '{line}'\n{why}\n" in said


def test_a_wrong_argument(tmp_path: Path) -> None:
    assert "Bad directive or wrong number of arguments" in refused("--nonsense", "1")
    assert "wrong number of arguments" in refused("--port")
    assert "Fatal error, can't open config file" in refused(str(tmp_path / "missing.conf"))
    assert "No such file or directory" in refused("--dir", str(tmp_path / "missing"))


# --- CONFIG REWRITE ---


def test_rewritten_file_starts_the_same_server(start_server: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "a.conf"
    file.write_text("# keep me\ntimeout 5\n\nmaxclients 50\n# and me\n")
    changes = {
        "timeout": b"9",
        "requirepass": b'pass word "quoted" \\ \xc3\xa9',
        "maxmemory": b"104857600",
        "maxmemory-policy": b"allkeys-lfu",
        "client-output-buffer-limit": b"normal 10 20 30",
        "save": b"900 1 300 10",
        "proc-title-template": b"{title}",
    }
    with start_server(config=file).client() as client:
        for name, wanted in changes.items():
            assert client.call("CONFIG", "SET", name, wanted) == b"+OK\r\n", name
        assert client.call("CONFIG", "REWRITE") == b"+OK\r\n"
        before = {name: value(client, name) for name in OPTIONS}
    text = file.read_text()
    assert text.startswith("# keep me\ntimeout 9\n\nmaxclients 50\n# and me\n")
    with start_server(config=file).client() as client:
        assert client.call("AUTH", changes["requirepass"]) == b"+OK\r\n"
        after = {name: value(client, name) for name in OPTIONS}
        for name, wanted in changes.items():
            assert after[name] == before[name], name
            assert wanted in after[name], name
        own = {"port", "dir", "shm-name"}  # what the harness says by arguments
        assert {n: v for n, v in after.items() if n not in own} == {
            n: v for n, v in before.items() if n not in own
        }


def test_rewriting_without_a_file(start_server: StartServer) -> None:
    with start_server().client() as client:
        assert client.call("CONFIG", "REWRITE") == (
            b"-ERR The server is running without a config file\r\n"
        )


# --- the file that comes with the server ---


SHIPPED = ROOT / "conf" / "shmredis.conf"


def test_the_shipped_file_says_the_defaults() -> None:
    config = Config()
    config.load_file(SHIPPED)
    for name, option in OPTIONS.items():
        if name != "dir":
            default = Config().text(name)
            assert config.text(name) == default, f"{name} {option.default}"


def test_a_file_with_all_directives_written_out_can_be_read(
    start_server: StartServer, tmp_path: Path
) -> None:
    file = tmp_path / "all.conf"
    file.write_text("save 10 1\nmaxmemory 100mb\n")
    server = start_server(config=file)
    with server.client() as client:
        assert client.call("DEBUG", "CONFIG-REWRITE-FORCE-ALL") == b"+OK\r\n"
        shown = {name: client.value("CONFIG", "GET", name)[1].decode() for name in OPTIONS}
    config = Config()
    config.load_file(file)
    assert {name: config.text(name) for name in OPTIONS} == shown
    assert file.read_text().startswith("save 10 1\nmaxmemory 100mb\n")


def test_commands_can_be_renamed_and_taken_away(start_server: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "renamed.conf"
    file.write_text('rename-command SET myset\nrename-command config ""\nappendonly yes\n')
    server = start_server(config=file, workers=2)
    with server.client() as client:
        assert client.call("MYSET", "k", "v") == b"+OK\r\n"
        assert client.call("SET", "k", "w").startswith(b"-ERR unknown command 'SET'")
        assert client.call("CONFIG", "GET", "port").startswith(b"-ERR unknown command 'CONFIG'")
        assert client.value("COMMAND", "INFO", "set", "myset", "config")[1][0] == b"set"
        assert client.value("COMMAND", "INFO", "set") == [None]
        names = client.value("COMMAND", "LIST")
        assert b"set" in names
        assert b"config" not in names
        assert b"config|get" not in names
        assert client.call("DEBUG", "LOADAOF") == b"+OK\r\n"
        assert client.value("GET", "k") == b"v"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("SETX y", "No such command in rename-command"),
        ("SET GET", "Target command name already exists"),
        ("SET", "wrong number of arguments"),
    ],
)
def test_wrong_renaming(words: str, why: str) -> None:
    assert why in refused("-", stdin=f"rename-command {words}\n")


def test_the_shipped_file_knows_only_directives_and_all_of_our_own() -> None:
    said = set()
    for line in SHIPPED.read_text().splitlines():
        if found := re.fullmatch(r"(?:# )?([a-z][a-z0-9-]+) (\S+|\".*\")", line):
            said.add(found[1])
    commented = {"unixsocket", "unixsocketperm", "tls-port", "pidfile", "requirepass"}
    assert commented <= said
    assert said <= OPTIONS.keys()
    assert {option.name for option in own.OPTIONS} <= said


def test_what_the_shipped_file_calls_without_effect_are_directives() -> None:
    section = SHIPPED.read_text().partition(" without effect ")[2]
    lines = [line.split() for line in re.findall(r"^#   (.+)$", section, re.M)]
    names = [name for words in lines for name in words]
    assert len(names) == len(set(names)) > 60
    for name in names:
        known = [one for one in OPTIONS if one == name or one.startswith(name)]
        assert known, name


# --- the life of the process ---


def test_lines_of_the_start(start_server: StartServer) -> None:
    server = start_server()
    log = server.log()
    stamp = r"\d+:M \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} "
    assert re.search(rf"^{stamp}\* shmredis \S+ is starting, PID: {server.process.pid}$", log, re.M)
    assert re.search(rf"^{stamp}\* Server initialized$", log, re.M)
    assert re.search(rf"^{stamp}\* Ready to accept connections tcp$", log, re.M)


def test_a_port_in_use(start_server: StartServer) -> None:
    server = start_server()
    said = refused(
        "--port", str(server.port), "--bind", "127.0.0.1", "--shm-name", "shmredis-test-x"
    )
    assert (
        f"# Warning: Could not create server TCP listening socket 127.0.0.1:{server.port}: bind: "
        "Address already in use" in said
    )
    assert f"# Failed listening on port {server.port} (tcp), aborting." in said
    assert not list(Path("/dev/shm").glob("shmredis-test-x*"))


def test_an_address_that_is_not_there_may_be_optional(start_server: StartServer) -> None:
    start_server("--bind", "127.0.0.1", "-192.0.2.1")
    said = refused("--port", str(free_port()), "--bind", "127.0.0.1", "192.0.2.1")
    assert "Failed listening on port" in said


def test_logfile_and_pidfile(start_server: StartServer, tmp_path: Path) -> None:
    log, pid = tmp_path / "server.log", tmp_path / "server.pid"
    server = start_server("--logfile", str(log), "--pidfile", str(pid))
    assert pid.read_text() == f"{server.process.pid}\n"
    assert "Ready to accept connections tcp" in log.read_text()
    assert server.log() == ""
    assert server.stop() == 0
    assert not pid.exists()
    assert "bye bye" in log.read_text()


def test_loglevel_can_be_changed(start_server: StartServer) -> None:
    server = start_server("--loglevel", "warning")
    assert "Ready to accept" not in server.log()
    with server.client() as client:
        assert client.call("CONFIG", "SET", "loglevel", "debug") == b"+OK\r\n"
        assert client.call("DEBUG", "LOG", "told now") == b"+OK\r\n"
    assert "told now" in server.log()


def test_a_daemon(tmp_path: Path) -> None:
    port, pid, log = free_port(), tmp_path / "pid", tmp_path / "log"
    file = tmp_path / "a.conf"
    file.write_text(
        text_of(port, "daemonize yes", f"pidfile {pid}", f"logfile {log}", f"dir {tmp_path}")
    )
    subprocess.run(command(str(file)), env=ENVIRONMENT, timeout=20, check=True)
    with connect(port) as client:
        number = int(pid.read_text())
        assert f"PID: {number}" in log.read_text()
        assert os.getsid(number) == number
        client.send(b"SHUTDOWN\r\n")
        assert client.closed()
    wait_until(lambda: not pid.exists())
    wait_until(lambda: "bye bye" in log.read_text())
    wait_until(lambda: not Path(f"/proc/{number}/exe").exists(), 20)


def said_by(*words: str) -> tuple[int, str]:
    """The exit status, and what is printed."""
    done = subprocess.run(
        command(*words), capture_output=True, text=True, timeout=20, env=ENVIRONMENT, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_version_and_help() -> None:
    """Who parses the version finds that of the Redis which the server is like."""
    for word in ("-v", "--version"):
        status, text = said_by(word)
        assert status == 0
        assert re.match(r"Redis server v=8\.\d+\.\d+ sha=\w+:0 malloc=\S+ bits=64 build=\w+ ", text)
    for word in ("-h", "--help"):
        status, text = said_by(word)
        assert status == 1
        assert text.startswith("Usage: shmredis-server")


def test_checks_of_the_machine() -> None:
    status, text = said_by("--check-system")
    assert status in (0, 1)
    assert re.search(r"^\[overcommit\]\.\.\.(OK|WARNING: .+)$", text, re.MULTILINE)
    assert said_by("--test-memory", "1", "2")[1].startswith("pass 1: OK\npass 2: OK\n")
    assert said_by("--test-memory")[0] == 1
    status, text = said_by("--sentinel")
    assert status == 1
    assert "Sentinel" in text


@pytest.mark.parametrize(
    ("words", "line", "why"),
    [
        (("--port", "1", "2"), """2\n>>> 'port "1" "2"'""", "wrong number of arguments"),
        (("--timeout", "1", "--port", "x"), """3\n>>> 'port "x"'""", "couldn't be parsed"),
        (("--maxmemory", "--port"), """2\n>>> 'maxmemory "--port"'""", "must be a memory value"),
        (("--save", "", "900", "1"), """2\n>>> 'save "" "900" "1"'""", "Invalid save parameters"),
        (("--dbfilename", "a/b"), "2", "dbfilename can't be a path, just a filename"),
        (("--appendfilename", "a/b"), "2", "appendfilename can't be a path, just a filename"),
        (("--replicaof", "x"), "2", "wrong number of arguments"),
        (("--dir", "/nonexistent"), "2", "No such file or directory"),
    ],
)
def test_arguments_are_lines_behind_an_empty_one(
    words: tuple[str, ...], line: str, why: str
) -> None:
    text = refused(*words)
    assert f"Reading the configuration file, at line {line}" in text
    assert why in text


def test_nowhere_to_listen() -> None:
    assert "Configured to not listen anywhere, exiting." in refused("--port", "0")
    assert "Configured to not listen anywhere, exiting." in refused("--bind", "")


def test_a_rewritten_file_says_what_is_not_the_default(
    start_server: StartServer, tmp_path: Path
) -> None:
    """Memory in units, classes of clients that were changed, one line for one that stood there twice."""
    file = tmp_path / "a.conf"
    file.write_text("hz 20\nhz 30\nmaxclients 10000\nslave-priority 5\ntimeout 3\n")
    with start_server(config=file).client() as client:
        for name, text in (
            ("maxmemory", "2048mb"),
            ("hz", "40"),
            ("timeout", "0"),
            ("tcp-keepalive", "300"),
            ("client-output-buffer-limit", "pubsub 1kb 2 3"),
        ):
            assert client.call("CONFIG", "SET", name, text) == b"+OK\r\n", name
        assert client.call("CONFIG", "REWRITE") == b"+OK\r\n"
    lines = file.read_text().splitlines()
    assert lines[:4] == ["hz 40", "maxclients 10000", "replica-priority 5", "timeout 0"]
    assert "maxmemory 2gb" in lines
    assert [line for line in lines if line.startswith("client-output")] == [
        "client-output-buffer-limit pubsub 1024 2 3"
    ]
    assert not any(line.startswith("tcp-keepalive") for line in lines)


def test_a_limit_of_open_files_is_one_of_clients(start_server: StartServer) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        pytest.skip("as many files may be open as one likes")
    server = start_server("--maxclients", str(hard * 2))
    with server.client() as client:
        assert int(value(client, "maxclients")) < hard
    assert "maxclients has been reduced to" in server.log()


def test_a_manifest_that_is_no_text_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    (folder / "appendonly.aof.manifest").write_bytes(b"file \xff\n")
    name = f"shmredis-test-{os.getpid()}-{tmp_path.name}"
    place = ("--port", "0", "--unixsocket", f"{tmp_path}/s", "--dir", str(tmp_path))
    said = refused(*place, "--appendonly", "yes", "--shm-name", name)
    assert ">>> 'file \udcff'" in said
    assert "Traceback" not in said
