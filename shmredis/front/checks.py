"""--check-system and --test-memory: whether this machine is fit for the server."""

import mmap
import os
import shutil
from collections.abc import Callable
from pathlib import Path

__all__ = ["check_system", "test_memory"]

OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
SHM = Path("/dev/shm")
SMALL_SHM = 256 << 20
MIB = 1 << 20
PATTERNS = (b"\x00", b"\xff", b"\x55", b"\xaa")


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _overcommit() -> str:
    if _read(OVERCOMMIT) in ("1", ""):
        return ""
    return "memory overcommit is off, saving may fail: sysctl vm.overcommit_memory=1"


def _huge_pages() -> str:
    if "[always]" not in _read(HUGE_PAGES):
        return ""
    return f"transparent huge pages slow down writes while saving: echo madvise > {HUGE_PAGES}"


def _clock() -> str:
    source = _read(CLOCK_SOURCE)
    return f"the clock source {source} is slow" if source in ("xen", "hpet", "acpi_pm") else ""


def _shared_memory() -> str:
    try:
        room = shutil.disk_usage(SHM).total
    except OSError:
        return f"{SHM} is missing: the data lie there"
    if room >= SMALL_SHM:
        return ""
    return f"{SHM} has {room // MIB} MB only: mount it with a larger size (docker: --shm-size)"


CHECKS: dict[str, Callable[[], str]] = {
    "clocksource": _clock,
    "overcommit": _overcommit,
    "THP": _huge_pages,
    "shared-memory": _shared_memory,
}


def check_system() -> int:
    """Prints a line for each check. The exit status: 0 when all is fine."""
    status = 0
    for name, check in CHECKS.items():
        why = check()
        print(f"[{name}]...{f'WARNING: {why}' if why else 'OK'}")
        status |= bool(why)
    return status


def test_memory(args: list[str]) -> int:
    """Fills so many megabytes with patterns and compares. The exit status."""
    megabytes = int(args[0]) if args and args[0].isdigit() else 0
    if not megabytes:
        print("Please specify the amount of memory to test in megabytes.")
        print("Example: shmredis-server --test-memory 4096")
        return 1
    passes = int(args[1]) if len(args) > 1 and args[1].isdigit() else len(PATTERNS)
    with mmap.mmap(-1, megabytes * MIB) as memory:
        for n in range(passes):
            block = PATTERNS[n % len(PATTERNS)] * MIB
            for i in range(megabytes):
                memory[i * MIB : (i + 1) * MIB] = block
            bad = sum(memory[i * MIB : (i + 1) * MIB] != block for i in range(megabytes))
            print(f"pass {n + 1}: {f'{bad} bad megabytes' if bad else 'OK'}", flush=True)
            if bad:
                return 1
    print(f"Your memory passed this test of {megabytes} MB in process {os.getpid()}.")
    return 0
