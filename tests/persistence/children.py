"""The children of a worker: the one that writes, and the one that stands by."""

from tests.harness.processes import children_named
from tests.harness.server import wait_until

__all__ = ["spare_of", "writer_of"]


def _wait_for(worker: int, name: str) -> int:
    wait_until(lambda: len(children_named(worker, name)) == 1)
    (pid,) = children_named(worker, name)
    return pid


def writer_of(worker: int) -> int:
    """Writes a snapshot or the base of a log; waits for it."""
    return _wait_for(worker, "shmredis-write")


def spare_of(worker: int) -> int:
    """Will write the next one; waits for it."""
    return _wait_for(worker, "shmredis-spare")
