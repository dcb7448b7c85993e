"""What the front arranges with the system for itself and the workers that it forks: CPUs, out-of-memory
scores, and telling a supervisor that it is ready.
"""

import contextlib
import logging
import os
import signal
import socket
from pathlib import Path

from shmredis.config import Config, ConfigError

__all__ = ["OomScore", "bind_to_cpus", "cpus_of", "tell_supervisor"]

log = logging.getLogger(__name__)

SCORE_FILE = Path("/proc/self/oom_score_adj")
NO_SCORE = "Failed to set current oom_score_adj. Check server logs."


def cpus_of(text: str) -> set[int]:
    """A list as of taskset: 0-3, 0-7:2, 1,3,5-6. Raises: ValueError."""
    cpus: set[int] = set()
    for part in text.split(","):
        ends, stepped, step = part.partition(":")
        first, several, last = ends.partition("-")
        end = int(last) if several else int(first)
        cpus |= set(range(int(first), end + 1, int(step) if stepped else 1))
    return cpus


def bind_to_cpus(text: str) -> None:
    """server-cpulist; a list that cannot be used is one line in the log."""
    if not text:
        return
    try:
        os.sched_setaffinity(0, cpus_of(text))
    except (OSError, ValueError) as error:
        log.warning("server-cpulist %s has no effect: %s", text, error)


class OomScore:
    """oom-score-adj and oom-score-adj-values: whom the kernel ends first when memory is short.

    The score of a master holds for front and workers; those of replicas and of children that save are not
    used: children are as easily ended as their parents.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._before = 0
        with contextlib.suppress(OSError, ValueError):
            self._before = int(SCORE_FILE.read_text())
        self._changed = False
        for name in ("oom-score-adj", "oom-score-adj-values"):
            config.watch(name, self.apply)

    def apply(self, _value: object = None) -> None:
        """Raises: ConfigError."""
        mode = self._config["oom-score-adj"]
        if mode == "no" and not self._changed:
            return
        value = 0 if mode == "no" else self._config["oom-score-adj-values"][0]
        base = 0 if mode == "absolute" else self._before
        score = max(-1000, min(1000, base + value))
        try:
            SCORE_FILE.write_text(str(score))
        except OSError as error:
            log.warning("Unable to write oom_score_adj: %s", error.strerror)
            raise ConfigError(NO_SCORE) from error
        self._changed = True


def tell_supervisor(kind: str) -> None:
    """`supervised`: upstart expects that the process stops itself, systemd a message."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if kind in ("upstart", "auto") and "UPSTART_JOB" in os.environ:
        os.kill(os.getpid(), signal.SIGSTOP)
    elif kind == "upstart":
        log.warning("upstart supervision requested, but UPSTART_JOB not found!")
    elif kind in ("systemd", "auto") and address:
        _notify(address.replace("@", "\0", 1) if address.startswith("@") else address)


def _notify(address: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(address)
            sock.send(b"STATUS=Ready to accept connections\nREADY=1\n")
        except OSError as error:
            log.warning("systemd cannot be told that the server is ready: %s", error)
