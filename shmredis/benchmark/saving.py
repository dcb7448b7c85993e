"""What a snapshot costs while clients write: the pause at its start, their rate, how long it takes.

All servers run without each other, since their data fill the memory. Pauses are looked for while somebody
writes at a steady rate that leaves the machine some time, so that they are the server's and not those of a
scheduler that has too much to do. Rates and durations are of further snapshots, while many clients write as
fast as the server takes it: a single one would rather show how fast the machine wakes an idle CPU.

The rate is told twice. While the snapshot runs, whoever is soon done looks worse, since the first write to a
page costs a copy of it and then no more; so there is also the rate of a span that begins with the
snapshot, is equally long for all servers, and contains what comes after.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shmredis.benchmark import redis_benchmark
from shmredis.benchmark.connection import Connection
from shmredis.benchmark.datasets import strings
from shmredis.benchmark.loads import LoadOptions
from shmredis.benchmark.measurement import Measurement, Section, in_turns
from shmredis.benchmark.pauses import while_command, worst_ping
from shmredis.benchmark.redis_benchmark import LoadError
from shmredis.benchmark.servers import Server, Target, running

__all__ = ["VALUE_BYTES", "fill", "measure_saving", "wait_saved"]

VALUE_BYTES = 512
SETTLE_SECONDS = 2.0
CALM_SECONDS = 2.0
SPAN_SECONDS_PER_GIB = 6.0
"""How long to count from the start of a snapshot on; a Redis that writes much is about to be done."""

POLL_SECONDS = 0.02
STEADY_RATE = 5000  # writes a second while pauses are looked for
UNDER_WAY = 1000  # writes
WITHOUT_END = (1 << 31) - 1  # requests


@dataclass(slots=True, frozen=True)
class Saving:
    """What one snapshot under writes showed; both rates in percent of the calm one."""

    percent: float
    span_percent: float
    seconds: float


def measure_saving(
    targets: Sequence[Target], keys: int, rounds: int, load: LoadOptions
) -> Iterator[Measurement]:
    """`keys` values of 512 bytes are saved under a slow load, then under a fast one of each pipeline."""
    rows = rows_of(keys, load)
    for target in in_turns(targets, rounds):
        for row, value in zip(rows, saving_of(target, keys, load), strict=True):
            row.add(target.name, value)
    yield from rows


def rows_of(keys: int, load: LoadOptions) -> list[Measurement]:
    """Empty ones, in the order of the values of saving_of."""
    size = f"{keys * VALUE_BYTES / (1 << 20):,.0f} MiB"
    rows = [
        Measurement(Section.PAUSES, f"writes to {size}, no BGSAVE", "ms"),
        Measurement(Section.PAUSES, f"writes to {size}, BGSAVE begins", "ms"),
    ]
    for pipeline in load.pipelines:
        subject, span = f"SET, pipeline {pipeline}", span_seconds(keys)
        rows += [
            Measurement(Section.BACKGROUND, f"{subject}, during BGSAVE of {size}", "%"),
            Measurement(Section.BACKGROUND, f"{subject}, {span:.1f} s from BGSAVE on", "%"),
            Measurement(Section.DURATION, f"BGSAVE of {size}, {subject}", "s"),
        ]
    return rows


def saving_of(target: Target, keys: int, load: LoadOptions) -> Iterator[float]:
    """One server, filled, written to, saved. Raises: LoadError."""
    with running(target) as server, server.connect() as connection:
        fill(connection, keys)
        with going_on(server, overwriter(server, keys, STEADY_RATE)):
            yield worst_ping(server, lambda: True)
            yield while_command(server, b"BGSAVE")
            wait_saved(connection)
        for pipeline in load.pipelines:
            with going_on(server, flood(server, keys, load, pipeline)):
                saving = saved(connection, span_seconds(keys))
            yield from (saving.percent, saving.span_percent, saving.seconds)


def saved(connection: Connection, span: float) -> Saving:
    """One snapshot under the load that goes on, against the time before. Raises: LoadError."""
    time.sleep(SETTLE_SECONDS)
    calm = Count(connection)
    time.sleep(CALM_SECONDS)
    calm_rate, since = calm.rate(), Count(connection)
    connection.call(b"BGSAVE")
    wait_saved(connection)
    seconds, percent = since.seconds(), 100 * since.rate() / calm_rate
    time.sleep(max(0, span - since.seconds()))
    return Saving(percent, 100 * since.rate() / calm_rate, seconds)


class Count:
    """The commands of all clients from now on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._began = time.perf_counter()
        self._before = processed(connection)

    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def rate(self) -> float:
        """Commands per second."""
        return (processed(self._connection) - self._before) / self.seconds()


def span_seconds(keys: int) -> float:
    return SPAN_SECONDS_PER_GIB * keys * VALUE_BYTES / (1 << 30)


def fill(connection: Connection, keys: int) -> None:
    connection.pour(strings(keys, lambda n: b"%0*d" % (VALUE_BYTES, n)))


@contextlib.contextmanager
def going_on(server: Server, load: Sequence[str]) -> Iterator[None]:
    """The program of a load runs meanwhile, and has begun to write."""
    process = subprocess.Popen(load, stdout=subprocess.DEVNULL)
    try:
        with server.connect() as connection:
            before = processed(connection)
            while processed(connection) < before + UNDER_WAY:
                if process.poll() is not None:
                    raise LoadError(f"{server.name}: the load ended")
                time.sleep(POLL_SECONDS)
        yield
    finally:
        process.kill()
        process.wait()


def overwriter(server: Server, keys: int, per_second: int) -> list[str]:
    """One connection at a rate, or as fast as it can with a rate of 0."""
    numbers = map(str, (server.port, keys, VALUE_BYTES, per_second))
    return [sys.executable, "-m", "shmredis.benchmark.overwriter", *numbers]


def flood(server: Server, keys: int, load: LoadOptions, pipeline: int) -> list[str]:
    """The connections of the load as fast as they can; a single one without redis-benchmark."""
    if load.generate is not redis_benchmark.run:
        return overwriter(server, keys, 0)
    words = ["SET", "key:__rand_int__", "y" * VALUE_BYTES]
    return redis_benchmark.command_line(
        server.port, words, load.clients, pipeline, WITHOUT_END, keys
    )


def processed(connection: Connection) -> int:
    return int(connection.info("stats")["total_commands_processed"])


def wait_saved(connection: Connection) -> None:
    """Until no snapshot is under way. Raises: LoadError if it has failed."""
    while (info := connection.info("persistence"))["rdb_bgsave_in_progress"] != "0":
        time.sleep(POLL_SECONDS)
    if info["rdb_last_bgsave_status"] != "ok" or info["rdb_saves"] == "0":
        raise LoadError("the snapshot failed")
