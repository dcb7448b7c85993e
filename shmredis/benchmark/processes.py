"""What the kernel says about a server: CPU time and memory of all its processes."""

import contextlib
from pathlib import Path

__all__ = ["cpu_times", "cpu_us_between", "pss_bytes", "tree"]

PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """The process and all its descendants that live now."""
    pids = [pid]
    for parent in pids:
        with contextlib.suppress(OSError):
            for children in (PROC / str(parent) / "task").glob("*/children"):
                pids += [int(child) for child in children.read_text().split()]
    return pids


def cpu_times(pid: int) -> dict[int, int]:
    """Time on a CPU of each thread of all processes of a server: thread id to nanoseconds."""
    times = {}
    for process in tree(pid):
        for schedstat in (PROC / str(process) / "task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                times[int(schedstat.parent.name)] = int(schedstat.read_text().split()[0])
    return times


def cpu_us_between(before: dict[int, int], after: dict[int, int]) -> float:
    """Microseconds of CPU time that the threads of `after` used since `before`."""
    return sum(time - before.get(thread, 0) for thread, time in after.items()) / 1000


def pss_bytes(pid: int) -> int:
    """Resident memory of all processes of a server, pages that several of them map counted once."""
    total = 0
    for process in tree(pid):
        with contextlib.suppress(OSError):
            for line in (PROC / str(process) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total
