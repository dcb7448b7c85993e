"""Memory per element of data sets and per idle connection, each in a fresh server."""

import contextlib
import resource
from collections.abc import Iterator, Sequence

from shmredis.benchmark import processes
from shmredis.benchmark.datasets import DATASETS, FIELDS, Dataset
from shmredis.benchmark.measurement import Measurement, Section
from shmredis.benchmark.servers import Server, Target, running

__all__ = ["CONNECTIONS", "measure_memory"]

CONNECTIONS = 10_000
SPARE_FILES = 256


def measure_memory(targets: Sequence[Target], scale: float) -> Iterator[Measurement]:
    """For each data set, times `scale`, bytes per element by INFO and by the kernel."""
    for dataset in DATASETS:
        count = max(FIELDS, int(dataset.count * scale))
        used = Measurement(Section.USED, dataset.name, "B")
        resident = Measurement(Section.RESIDENT, dataset.name, "B")
        for target in targets:
            with running(target) as server:
                by_info, by_kernel = fill(server, dataset, count)
            used.add(target.name, by_info / count)
            resident.add(target.name, by_kernel / count)
        yield from (used, resident)
    yield measure_connections(targets, max(1, int(CONNECTIONS * scale)))


def measure_connections(targets: Sequence[Target], count: int) -> Measurement:
    """Bytes per connection that has sent one PING and is idle, by the kernel.

    INFO would not be fair: shmredis counts its data there, Redis all that it allocates.
    """
    row = Measurement(Section.RESIDENT, "idle connection", "B")
    allow_files(count + SPARE_FILES)
    for target in targets:
        with running(target) as server:
            row.add(target.name, connect(server, count) / count)
    return row


def fill(server: Server, dataset: Dataset, count: int) -> tuple[int, int]:
    """Bytes that `count` elements take: by INFO, by the kernel."""
    with server.connect() as connection:
        before = usage(server)
        connection.pour(dataset.batches(count))
        after = usage(server)
    return after[0] - before[0], after[1] - before[1]


def connect(server: Server, count: int) -> int:
    """Bytes that `count` connections take, by the kernel."""
    with contextlib.ExitStack() as stack:
        before = processes.pss_bytes(server.pid)
        for _ in range(count):
            stack.enter_context(server.connect()).call(b"PING")
        return processes.pss_bytes(server.pid) - before


def usage(server: Server) -> tuple[int, int]:
    """Bytes in use: used_memory, and what the kernel counts for all processes."""
    with server.connect() as connection:
        used = int(connection.info("memory")["used_memory"])
    return used, processes.pss_bytes(server.pid)


def allow_files(wanted: int) -> None:
    """Lets this process have so many open files. Raises: ValueError if the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ValueError(f"{wanted} open files are needed, the limit is {hard}; use --scale")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
