"""The worst pause of a client that sends a PING every fraction of a millisecond, while something big happens.

Milliseconds of wall-clock time, so they contain what the machine itself adds: the row "nothing happens" shows
how much that is. While keys are set the two clients share a CPU on small machines; setting the same keys
again, when the table has its size, shows how much of a pause is due to that and not to growing.
"""

import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from shmredis.benchmark.connection import Connection, encode
from shmredis.benchmark.datasets import sorted_set
from shmredis.benchmark.measurement import Measurement, Section, in_turns
from shmredis.benchmark.redis_benchmark import LoadError
from shmredis.benchmark.servers import Server, Target, running

__all__ = ["measure_pauses", "while_command", "worst_ping"]

TAIL_SECONDS = 0.5
"""How long to look on after the reply: what is freed lazily is freed then."""

GAP_SECONDS = 0.0002
"""Between two PINGs: leaves the CPU to others; a pause is seen too short by at most as much."""

PING = encode(b"PING")


def measure_pauses(
    targets: Sequence[Target], keys: int, members: int, rounds: int
) -> Iterator[Measurement]:
    """Worst pauses in ms: idle, while `keys` strings are added and set again, while much is deleted."""
    subjects = (
        "nothing happens",
        f"the table grows to {keys:,} keys",
        f"the same {keys:,} keys are set again",
        f"FLUSHALL ASYNC of {keys:,} keys",
        f"DEL of {members:,} members",
        f"UNLINK of {members:,} members",
    )
    rows = [Measurement(Section.PAUSES, subject, "ms") for subject in subjects]
    for target in in_turns(targets, rounds):
        for row, pause in zip(rows, pauses_of(target, keys, members), strict=True):
            row.add(target.name, pause)
    yield from rows


def pauses_of(target: Target, keys: int, members: int) -> list[float]:
    """The worst pauses of one server, in the order of the subjects."""
    with running(target) as server:
        return [
            worst_ping(server, lambda: True),
            while_filling(server, keys),
            while_filling(server, keys),
            while_command(server, b"FLUSHALL", b"ASYNC"),
            while_deleting(server, b"DEL", members),
            while_deleting(server, b"UNLINK", members),
        ]


def while_filling(server: Server, keys: int) -> float:
    """The worst pause while another process sets strings. Raises: LoadError."""
    command = [sys.executable, "-m", "shmredis.benchmark.filler", str(server.port), str(keys)]
    process = subprocess.Popen(command)
    try:
        pause = worst_ping(server, lambda: process.poll() is not None)
    finally:
        process.kill()
        status = process.wait()
    if status != 0:
        raise LoadError(f"{server.name}: filling failed")
    return pause


def while_deleting(server: Server, command: bytes, members: int) -> float:
    """The worst pause while a sorted set of so many members is deleted."""
    with server.connect() as connection:
        connection.pour(sorted_set(members))
    return while_command(server, command, b"big")


def while_command(server: Server, *words: bytes) -> float:
    """The worst pause while another connection's command runs, and shortly after."""
    with server.connect() as connection:
        pause = worst_ping(
            server,
            lambda: bool(select.select([connection], [], [], 0)[0]),
            begin=lambda: connection.send(encode(*words)),
        )
        connection.read()
    return pause


def worst_ping(
    server: Server, over: Callable[[], bool], begin: Callable[[], None] | None = None
) -> float:
    """Sends PING after PING until it is `over` and a little longer; the longest wait in milliseconds.

    What is to be seen `begin`s when the connection stands and has been served once.
    """
    worst, end = 0.0, 0.0
    with server.connect() as connection:
        ping_seconds(connection)
        if begin:
            begin()
        while not end or time.perf_counter() < end:
            worst = max(worst, ping_seconds(connection))
            time.sleep(GAP_SECONDS)
            if not end and over():
                end = time.perf_counter() + TAIL_SECONDS
    return worst * 1000


def ping_seconds(connection: Connection) -> float:
    """How long one PING takes."""
    begin = time.perf_counter()
    connection.send(PING)
    connection.read()
    return time.perf_counter() - begin
