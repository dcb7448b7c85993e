"""How long a server is away: ended by SHUTDOWN and started again, with its shared memory and without."""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence

from shmredis.benchmark.measurement import Measurement, Section, in_turns
from shmredis.benchmark.saving import VALUE_BYTES, fill
from shmredis.benchmark.servers import Server, Target, free_port, nothing_stays, running_in

__all__ = ["measure_restarts"]

SAVED = ("--save", "3600 1000000000")  # there is a rule, so SHUTDOWN saves and leaves all in place
LOAD_SECONDS = 600.0


def measure_restarts(targets: Sequence[Target], keys: int, rounds: int) -> Iterator[Measurement]:
    """Seconds from the start of the process to its first PONG. Peers load their dump.rdb both times."""
    size = f"{keys * VALUE_BYTES / (1 << 20):,.0f} MiB"
    warm = Measurement(Section.DURATION, f"start after SHUTDOWN, {size}", "s")
    cold = Measurement(Section.DURATION, f"start from dump.rdb of {size}", "s")
    for target in in_turns(targets, rounds):
        with tempfile.TemporaryDirectory(prefix="shmredis-benchmark-") as folder:
            for row, seconds in zip((warm, cold), starts_of(folder, target, keys), strict=True):
                row.add(target.name, seconds)
    yield from (warm, cold)


def starts_of(folder: str, target: Target, keys: int) -> tuple[float, float]:
    """With what the shared memory has, and from the file. Raises: StartError."""
    port = free_port()  # gives shmredis's arenas their name
    with running_in(folder, target, *SAVED, port=port) as server:
        with server.connect() as connection:
            fill(connection, keys)
        shut_down(server)
    warm = start(folder, target, port, keys)
    discard = ("--discard-shm", "yes") if target.ours else ()
    return warm, start(folder, target, port, keys, *discard, *nothing_stays(target))


def start(folder: str, target: Target, port: int, keys: int, *options: str) -> float:
    """Seconds until it serves all its keys. Raises: StartError, ValueError if keys are missing."""
    began = time.perf_counter()
    with running_in(folder, target, *SAVED, *options, port=port, seconds=LOAD_SECONDS) as server:
        seconds = time.perf_counter() - began
        with server.connect() as connection:
            found = int(connection.call(b"DBSIZE")[1:])
        if found != keys:
            how = " ".join(options)
            raise ValueError(f"{target.name} {how} has {found} of {keys} keys after its start")
        shut_down(server)
    return seconds


def shut_down(server: Server) -> None:
    """In order; returns when the process has closed the connection."""
    with server.connect() as connection, contextlib.suppress(OSError):
        connection.call(b"SHUTDOWN")
