"""How long an element takes from a client that pushes it to one that is blocked in BLPOP, both alone."""

import statistics
import time
from collections.abc import Iterator, Sequence

from shmredis.benchmark import processes
from shmredis.benchmark.connection import Connection, encode
from shmredis.benchmark.measurement import Measurement, Section, in_turns
from shmredis.benchmark.servers import Server

__all__ = ["measure_handover"]

TURNS = 3000
POP = encode(b"BLPOP", b"queue", b"0")
PUSH = encode(b"LPUSH", b"queue", b"element")


def measure_handover(servers: Sequence[Server], rounds: int, turns: int) -> Iterator[Measurement]:
    """The median wait of many hand-overs, and the CPU time of one with the PING before it.

    `turns`: how many; 0 means as many as are enough.
    """
    wait = Measurement(Section.HANDOVER, "LPUSH to BLPOP", "us")
    cpu = Measurement(Section.CPU, "BLPOP hand-over", "us/op")
    for server in in_turns(servers, rounds):
        before = processes.cpu_times(server.pid)
        waits = waits_of(server, turns or TURNS)
        used = processes.cpu_us_between(before, processes.cpu_times(server.pid))
        wait.add(server.name, statistics.median(waits))
        cpu.add(server.name, used / len(waits))
    yield from (wait, cpu)


def waits_of(server: Server, turns: int) -> list[float]:
    """Microseconds from each push to the arrival at the other client."""
    with server.connect() as popper, server.connect() as pusher:
        return [one_wait(popper, pusher) for _ in range(turns)]


def one_wait(popper: Connection, pusher: Connection) -> float:
    """The PING comes to the server after BLPOP, so at its reply the other client is blocked."""
    popper.send(POP)
    pusher.call(b"PING")
    begin = time.perf_counter()
    pusher.send(PUSH)
    popper.read()
    wait = time.perf_counter() - begin
    pusher.read()
    return wait * 1e6
