"""Named points at which a test has this process die, stop or fail; csrc/mem/fault.h says how.

fault("front.before_fork")              between two steps that a crash must not part
if fault("snapshot.rename"): raise OSError(errno.ENOSPC, "no space left on device")
"""

import os

from shmredis._core import lib

__all__ = ["PLAN_VARIABLE", "arm_faults", "fault"]

PLAN_VARIABLE = "SHMREDIS_FAULTS"


def arm_faults(plan: bytes) -> None:
    """Replaces the plan of this process and of those that it forks. Raises: ValueError."""
    if lib.core_fault_plan(plan, len(plan)):
        raise ValueError(f"not a plan of faults: {os.fsdecode(plan)}")


def fault(point: str) -> bool:
    """Passes the point; true if it is to fail there, which only a test can want."""
    return bool(lib.core_fault_reached(point.encode()))
