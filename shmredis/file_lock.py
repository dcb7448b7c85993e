"""Locks on open files (flock): the kernel drops one with the last process that has that file open.

Processes that are forked hold the lock of their parent, too.
"""

import contextlib
import fcntl
import time

__all__ = ["lock_in_time", "try_lock"]

LOOK_S = 0.005


def try_lock(fd: int) -> bool:
    """Takes the lock, unless another has it. A file system that has no locks has no objection."""
    with contextlib.suppress(OSError):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def lock_in_time(fd: int, patience_s: float) -> bool:
    """The same, but waits for another that may be about to end."""
    deadline = time.monotonic() + patience_s
    while not try_lock(fd):
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True
