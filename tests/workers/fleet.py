"""Several engines joined by control memory in one process, stepped by hand: every interleaving of their
event loops can be played."""

import os
import secrets
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import posix_ipc

from shmredis._core import ffi, lib
from tests.harness.resp import encode, parse

__all__ = ["Client", "Fleet", "new_fleet"]

ARENA_MAX = 256 << 20
OUTCOME_OUTPUT, OUTCOME_WAITING = 1, 16


def _shm(name: str) -> int:
    shm = posix_ipc.SharedMemory(name, posix_ipc.O_CREX, mode=0o600)
    return int(shm.fd)


class Client:
    """A session of one worker; what it is sent gathers in `received`."""

    def __init__(self, fleet: "Fleet", worker: int, resp: int = 2) -> None:
        self.fleet = fleet
        self.worker = worker
        self.id = next(fleet.ids)
        self.session = lib.session_new(fleet.engines[worker], -1, self.id)
        lib.session_set_resp(self.session, resp)
        self.received = b""
        self.waiting = False
        fleet.clients[self.id] = self

    def send(self, *words: Any) -> None:
        """Feeds one command, which may be answered later."""
        self.feed(encode(*words))

    def feed(self, data: bytes) -> None:
        while data:
            size = ffi.new("size_t *")
            place = lib.session_input(self.session, size)
            piece, data = data[: size[0]], data[size[0] :]
            ffi.memmove(place, piece, len(piece))
            self.handle(lib.session_feed(self.session, len(piece)))

    def handle(self, outcome: int) -> None:
        self.waiting = self.waiting or bool(outcome & OUTCOME_WAITING)
        if outcome & lib.FEED_TURN:
            self.fleet.due.add(self.worker)
        if outcome & OUTCOME_OUTPUT:
            n = ffi.new("size_t *")
            text = lib.session_output(self.session, n)
            self.received += bytes(ffi.buffer(text, n[0]))
            lib.session_output_done(self.session, True)

    def go_on(self) -> None:
        if self.waiting:
            self.waiting = False
            self.handle(lib.session_feed(self.session, 0))

    def take(self) -> bytes:
        """What was received since the last time."""
        data, self.received = self.received, b""
        return data

    def call(self, *words: Any) -> bytes:
        """One command and its reply, all workers running until nothing moves any more."""
        self.send(*words)
        self.fleet.settle()
        return self.take()

    def close(self) -> None:
        del self.fleet.clients[self.id]
        lib.session_delete(self.session)


class Fleet:
    """`n` workers; `engines[i]` is a struct engine *."""

    def __init__(self, n: int) -> None:
        self.base = f"shmredis-test-{secrets.token_hex(6)}"
        self.n = n
        self.ids: Iterator[int] = iter(range(1, 1 << 62))
        self.clients: dict[int, Client] = {}
        self.due: set[int] = set()  # workers that are to drain at the end of their turn
        self.wake = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(n)]
        self.control = _shm(f"/{self.base}.control")
        assert lib.control_format(self.control, n) == 0
        self.front = lib.control_open(self.control)
        lib.wb_control_set_stuck(self.front, 1 << 40)  # time is the test's: none is too slow
        self.engines: list[Any] = [self._start(i) for i in range(n)]
        self.due |= set(range(n))

    def _start(self, worker: int) -> Any:
        name = f"/{self.base}.{worker}"
        with suppress(posix_ipc.ExistentialError):
            posix_ipc.unlink_shared_memory(name)
        fd = _shm(name)
        status = ffi.new("int *")
        engine = lib.engine_new(fd, name.encode(), ARENA_MAX, os.urandom(16), 16, status)
        assert engine, status[0]
        lib.control_new_epoch(self.front, worker)
        fds = ffi.new("int[]", self.wake)
        assert lib.engine_join(engine, self.control, worker, fds, self.base.encode()) == 0
        return engine

    def kill(self, worker: int) -> None:
        """The worker dies where it is, its sessions with it; nothing that it had in mind is sent."""
        for client in [c for c in self.clients.values() if c.worker == worker]:
            client.close()
        lib.engine_delete(self.engines[worker])
        self.engines[worker] = None

    def revive(self, worker: int) -> None:
        self.engines[worker] = self._start(worker)
        self.due.add(worker)

    def owner(self, key: str) -> int:
        router = lib.router_new(self.n)
        data = encode("GET", key)
        owner = lib.router_peek(router, data, len(data))
        lib.router_delete(router)
        return int(owner)

    def keys(self, worker: int, count: int, prefix: str = "key") -> list[str]:
        """So many keys that belong to the worker."""
        found: list[str] = []
        i = 0
        while len(found) < count:
            if self.owner(f"{prefix}{i}") == worker:
                found.append(f"{prefix}{i}")
            i += 1
        return found

    def own_keys(self, worker: int) -> list[bytes]:
        """What the worker's own database 0 has."""
        argv, n = ffi.new("char *[2]"), ffi.new("size_t *")
        words = [ffi.from_buffer(b"KEYS"), ffi.from_buffer(b"*")]
        argv[0], argv[1] = words
        text = lib.engine_execute(self.engines[worker], 0, 2, 2, argv, [4, 1], n)
        found: list[bytes] = parse(bytes(ffi.buffer(text, n[0])))
        return found

    def owned_by_each(self, prefix: str = "key") -> list[str]:
        """One key of every worker."""
        return [self.keys(worker, 1, prefix)[0] for worker in range(self.n)]

    def drain(self, worker: int) -> bool:
        """One turn of the worker's event loop, if its eventfd is readable or a turn is due."""
        engine = self.engines[worker]
        if engine is None:
            return False
        rung = _readable(self.wake[worker])
        if not rung and worker not in self.due:
            return False
        self.due.discard(worker)
        outcome = lib.engine_drain(engine, rung)
        number, bits = ffi.new("uint64_t *"), ffi.new("int *")
        while lib.engine_next_ready(engine, number, bits):
            if client := self.clients.get(number[0]):
                client.handle(bits[0])
        if outcome & lib.DRAIN_RESUME:
            for client in list(self.clients.values()):
                if client.worker == worker:
                    client.go_on()
        if outcome & lib.DRAIN_LATER:
            time.sleep(0.001)
        if outcome & (lib.DRAIN_MORE | lib.DRAIN_LATER):
            self.due.add(worker)
        return True

    def settle(self, limit: int = 10_000) -> None:
        """Lets all workers run until nobody has anything to do."""
        for _ in range(limit):
            busy = [self.drain(worker) for worker in range(self.n)]
            if not any(busy):
                return
        raise AssertionError("the workers never come to rest")

    def check(self) -> None:
        for engine in self.engines:
            if engine is not None:
                lib.engine_check(engine)

    def close(self) -> None:
        for client in list(self.clients.values()):
            client.close()
        for worker, engine in enumerate(self.engines):
            if engine is not None:
                lib.engine_delete(engine)
            with suppress(posix_ipc.ExistentialError):
                posix_ipc.unlink_shared_memory(f"/{self.base}.{worker}")
        posix_ipc.unlink_shared_memory(f"/{self.base}.control")
        lib.control_close(self.front)
        for fd in [*self.wake, self.control]:
            os.close(fd)


def _readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


@contextmanager
def new_fleet(n: int = 3) -> Iterator[Fleet]:
    fleet = Fleet(n)
    try:
        yield fleet
        fleet.settle()
        fleet.check()
    finally:
        fleet.close()
