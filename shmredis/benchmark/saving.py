"""What a snapshot costs while clients write: the pause at its start, their rate, how long it takes.

All servers run without each other, since their data fill the memory. Pauses are looked for while somebody
writes at a steady rate that leaves the machine some time, so that they are the server's and not those of a
scheduler that has too much to do; rates and durations are of a second snapshot, while somebody writes as
fast as the server takes it.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shmredis.benchmark.connection import Connection
from shmredis.benchmark.datasets import strings
from shmredis.benchmark.measurement import Measurement, Section, in_turns
from shmredis.benchmark.pauses import while_command, worst_ping
from shmredis.benchmark.redis_benchmark import LoadError
from shmredis.benchmark.servers import Server, Target, running

__all__ = ["VALUE_BYTES", "fill", "measure_saving", "wait_saved"]

VALUE_BYTES = 512
CALM_SECONDS = 2.0
POLL_SECONDS = 0.02
STEADY_RATE = 5000  # writes a second while pauses are looked for
FULL_SPEED = 0
UNDER_WAY = 1000  # writes


@dataclass(slots=True, frozen=True)
class Saving:
    """What one server showed."""

    calm_pause_ms: float
    pause_ms: float
    percent: float
    seconds: float


def measure_saving(targets: Sequence[Target], keys: int, rounds: int) -> Iterator[Measurement]:
    """`keys` values of 512 bytes are saved, twice, while another process overwrites them."""
    size = f"{keys * VALUE_BYTES / (1 << 20):,.0f} MiB"
    rows = [
        Measurement(Section.PAUSES, f"writes to {size}, no BGSAVE", "ms"),
        Measurement(Section.PAUSES, f"writes to {size}, BGSAVE begins", "ms"),
        Measurement(Section.BACKGROUND, f"SET, BGSAVE of {size}", "%"),
        Measurement(Section.DURATION, f"BGSAVE of {size}, writes going on", "s"),
    ]
    for target in in_turns(targets, rounds):
        found = saving_of(target, keys)
        values = (found.calm_pause_ms, found.pause_ms, found.percent, found.seconds)
        for row, value in zip(rows, values, strict=True):
            row.add(target.name, value)
    yield from rows


def saving_of(target: Target, keys: int) -> Saving:
    """One server, filled, written to, saved. Raises: LoadError."""
    with running(target) as server, server.connect() as connection:
        fill(connection, keys)
        with overwriting(server, keys, STEADY_RATE):
            calm_pause = worst_ping(server, lambda: True)
            pause = while_command(server, b"BGSAVE")
            wait_saved(connection)
        with overwriting(server, keys, FULL_SPEED):
            calm_rate = rate(connection, CALM_SECONDS)
            began, commands = time.perf_counter(), processed(connection)
            connection.call(b"BGSAVE")
            wait_saved(connection)
            seconds = time.perf_counter() - began
            percent = 100 * (processed(connection) - commands) / seconds / calm_rate
    return Saving(calm_pause, pause, percent, seconds)


def fill(connection: Connection, keys: int) -> None:
    connection.pour(strings(keys, lambda n: b"%0*d" % (VALUE_BYTES, n)))


@contextlib.contextmanager
def overwriting(server: Server, keys: int, per_second: int) -> Iterator[None]:
    """Another process writes meanwhile, and has begun to."""
    module = "shmredis.benchmark.overwriter"
    numbers = map(str, (server.port, keys, VALUE_BYTES, per_second))
    process = subprocess.Popen([sys.executable, "-m", module, *numbers])
    try:
        with server.connect() as connection:
            before = processed(connection)
            while processed(connection) < before + UNDER_WAY:
                time.sleep(POLL_SECONDS)
        yield
    finally:
        process.kill()
        process.wait()


def processed(connection: Connection) -> int:
    return int(connection.info("stats")["total_commands_processed"])


def rate(connection: Connection, seconds: float) -> float:
    """Commands per second of all clients."""
    began, commands = time.perf_counter(), processed(connection)
    time.sleep(seconds)
    return (processed(connection) - commands) / (time.perf_counter() - began)


def wait_saved(connection: Connection) -> None:
    """Until no snapshot is under way. Raises: LoadError if it has failed."""
    while (info := connection.info("persistence"))["rdb_bgsave_in_progress"] != "0":
        time.sleep(POLL_SECONDS)
    if info["rdb_last_bgsave_status"] != "ok" or info["rdb_saves"] == "0":
        raise LoadError("the snapshot failed")
