"""How the kernel schedules a worker that is one of several."""

import contextlib
import os

__all__ = ["take_turns"]


def take_turns(workers: int) -> None:
    """With no more cores than workers, a wake-up of this one does not interrupt whoever runs on its core.

    Workers wake each other for every batch of requests and replies. One that shares a core with
    the worker (or client) that wakes it would run at once, find one message, and sleep again: two
    switches of context for a command. As a batch process it runs when the other one sleeps, or its
    time slice is over, and finds all that has gathered by then. A free core takes it at once, as
    before. Beside strangers that never sleep it waits for the end of their slices more often, so
    workers that can have a core each stay as they are.

    A class that somebody has chosen for the server (chrt) is left alone, and so is one that the
    kernel or a sandbox does not let us choose: this saves time, nothing depends on it.
    """
    if workers < len(os.sched_getaffinity(0)):
        return
    with contextlib.suppress(OSError):
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
