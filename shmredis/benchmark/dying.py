"""One worker of three dies under load: how long the others' clients wait, when it is back, and with what."""

import contextlib
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from shmredis.benchmark.connection import Connection, ReplyError, encode
from shmredis.benchmark.measurement import OURS, Measurement, Section
from shmredis.benchmark.scaling import key_of, targets_of
from shmredis.benchmark.servers import Server, running

__all__ = ["measure_deaths"]

WORKERS = 3
VICTIM = 2
LOGGED = ("--appendonly", "yes", "--appendfsync", "everysec")
BEFORE_S, AFTER_S = 0.5, 1.5
BACK_S = 60.0
PAUSE_S = 0.001


class LostWrite(ValueError):
    """An acknowledged write is not there any more."""


def measure_deaths(rounds: int) -> Iterator[Measurement]:
    """Of shmredis alone: no other server has workers."""
    wait = Measurement(Section.DEATH, "worst wait of a client of another worker", "ms")
    back = Measurement(Section.DEATH, "until a client of the dead worker is served again", "ms")
    (target,) = targets_of([WORKERS])
    for _ in range(rounds):
        with running(target, *LOGGED) as server:
            worst_s, back_s = death_in(server)
            wait.add(OURS, worst_s * 1000)
            back.add(OURS, back_s * 1000)
    yield from (wait, back)


def death_in(server: Server) -> tuple[float, float]:
    """Seconds of both. Raises: LostWrite."""
    watcher, writer = Watcher(server), Writer(server)
    with watcher, writer:
        time.sleep(BEFORE_S)
        os.kill(pid_of(server, VICTIM), signal.SIGKILL)
        killed = time.perf_counter()
        back = wait_back(server) - killed
        time.sleep(AFTER_S)
    with server.connect() as connection:
        left = int(connection.call(b"GET", key_of(VICTIM, WORKERS)).split(b"\r\n")[1])
    if left < writer.acknowledged:
        raise LostWrite(f"{writer.acknowledged} writes were acknowledged, {left} are there")
    return watcher.worst_s, back


def pid_of(server: Server, worker: int) -> int:
    """Workers are forked in order."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return int(children[worker])


def wait_back(server: Server) -> float:
    """When the key of the dead worker is there again. Raises: TimeoutError."""
    deadline = time.perf_counter() + BACK_S
    while time.perf_counter() < deadline:
        with contextlib.suppress(OSError, ReplyError), Connection(server.port, BACK_S) as client:
            client.call(b"INCRBY", key_of(VICTIM, WORKERS), b"0")
            return time.perf_counter()
        time.sleep(PAUSE_S)
    raise TimeoutError("the worker did not come back")


class Client(ABC):
    """A thread with a connection, until it is stopped."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(OSError, ReplyError), self._server.connect() as connection:
                while not self._over.is_set():
                    self._step(connection)
                    time.sleep(PAUSE_S)

    @abstractmethod
    def _step(self, connection: Connection) -> None:
        """What it does again and again."""

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


class Watcher(Client):
    """A client of a worker that lives on."""

    worst_s = 0.0

    def _step(self, connection: Connection) -> None:
        began = time.perf_counter()
        connection.send(encode(b"INCR", key_of(0, WORKERS)))
        connection.read()
        self.worst_s = max(self.worst_s, time.perf_counter() - began)


class Writer(Client):
    """A client of the worker that dies; counts what was acknowledged."""

    acknowledged = 0

    def _step(self, connection: Connection) -> None:
        connection.call(b"INCR", key_of(VICTIM, WORKERS))
        self.acknowledged += 1
