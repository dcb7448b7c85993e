"""Load by Python itself, for machines without redis-benchmark: several connections in one event loop.

Each connection sends prebuilt pipelines, the next when all replies of the last are there. Replies are
not parsed: every reply of a load must have the same number of lines, which the first one tells.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop

from shmredis.benchmark.connection import Connection, ReplyError, encode
from shmredis.benchmark.redis_benchmark import LoadError
from shmredis.benchmark.workloads import END, RANDOM

__all__ = ["run"]

PREBUILT = 64
"""Different pipelines, used in turn by all connections."""


@dataclass(slots=True)
class Load:
    """What the connections share: pipelines to take from, and how many are left to send."""

    pipelines: list[bytes]
    lines: int
    left: int
    taken: int = field(default=0)

    def take(self) -> bytes | None:
        """The next pipeline; None when all are sent."""
        if self.left == 0:
            return None
        self.left -= 1
        self.taken += 1
        return self.pipelines[self.taken % len(self.pipelines)]


class Client(asyncio.Protocol):
    """One connection; `done` gets its result when it has nothing more to send."""

    def __init__(self, load: Load, done: "asyncio.Future[None]") -> None:
        self._load = load
        self._done = done
        self._waiting = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def start(self) -> None:
        """Sends the next pipeline, or ends."""
        pipeline = self._load.take()
        assert self._transport is not None
        if pipeline is None:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._waiting += self._load.lines
        self._transport.write(pipeline)

    def data_received(self, data: bytes) -> None:
        if data[:1] == b"-" or b"\n-" in data:
            self._fail(data[:200].decode(errors="replace"))
            return
        self._waiting -= data.count(b"\n")
        if self._waiting <= 0:
            self.start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the server closed the connection")

    def _fail(self, text: str) -> None:
        if not self._done.done():
            self._done.set_exception(LoadError(text))


def run(
    port: int, argv: list[str], clients: int, pipeline: int, requests: int, keyspace: int
) -> float:
    """Sends `requests` commands, rounded up to whole pipelines; operations per second.

    Raises: LoadError.
    """
    try:
        with Connection(port) as connection:
            lines = sum(
                connection.call(*command).count(b"\n") for command in fill_in(argv, keyspace)
            )
    except ReplyError as error:
        raise LoadError(f"{' '.join(argv)}: {error}") from error
    pipelines = [
        b"".join(encode(*command) for _ in range(pipeline) for command in fill_in(argv, keyspace))
        for _ in range(PREBUILT)
    ]
    rounds = -(-requests // pipeline)
    load = Load(pipelines, lines * pipeline, rounds)
    return uvloop.run(drive(port, load, clients)) * pipeline


def fill_in(argv: list[str], keyspace: int) -> list[list[bytes]]:
    """The commands that the words are, with random numbers."""
    commands: list[list[bytes]] = [[]]
    for word in argv:
        if word == END:
            commands.append([])
        else:
            number = f"{random.randrange(keyspace):012d}"
            commands[-1].append(word.replace(RANDOM, number).encode())
    return commands


async def drive(port: int, load: Load, clients: int) -> float:
    """Runs the load to its end; pipelines per second."""
    loop = asyncio.get_running_loop()
    pipelines = load.left
    futures: list[asyncio.Future[None]] = []
    protocols = []
    for _ in range(clients):
        future = loop.create_future()
        futures.append(future)
        _, protocol = await loop.create_connection(
            lambda future=future: Client(load, future),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        protocols.append(protocol)
    begin = time.perf_counter()
    for protocol in protocols:
        protocol.start()
    await asyncio.gather(*futures)
    return pipelines / (time.perf_counter() - begin)
