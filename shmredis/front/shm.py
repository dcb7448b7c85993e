"""The workers' shared-memory objects: made, found stale, unlinked.

An object's owner holds a lock on it (flock), which the kernel drops with the last process that has it
open. So an object whose lock is free belonged to a server that is gone.
"""

import contextlib
import fcntl
import logging
import os

import posix_ipc

__all__ = [
    "ShmInUse",
    "control_name",
    "create_object",
    "object_base",
    "object_name",
    "remove_object",
]

log = logging.getLogger(__name__)


class ShmInUse(Exception):
    """An object of this name belongs to a living server."""


def object_base(base: str) -> str:
    """What the names of all arenas begin with; a dot and the worker's number follow."""
    return f"/{base}"


def object_name(base: str, worker: int) -> str:
    """The name of a worker's arena under /dev/shm."""
    return f"{object_base(base)}.{worker}"


def control_name(base: str) -> str:
    """The name of the memory that several workers share."""
    return f"/{base}.control"


def create_object(name: str) -> int:
    """A new, empty, locked object; its file descriptor.

    A stale one of the same name is removed first, with a log line. Raises: ShmInUse, OSError.
    """
    _remove_stale(name)
    shm = posix_ipc.SharedMemory(name, posix_ipc.O_CREX, mode=0o600)
    fcntl.flock(shm.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.set_inheritable(shm.fd, False)
    return int(shm.fd)


def _remove_stale(name: str) -> None:
    try:
        shm = posix_ipc.SharedMemory(name)
    except posix_ipc.ExistentialError:
        return
    try:
        fcntl.flock(shm.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ShmInUse(name) from None
    finally:
        os.close(shm.fd)
    log.info("Removing the shared memory %s of a server that is gone", name)
    remove_object(name)


def remove_object(name: str) -> None:
    """Unlinks the object; fine if it is gone."""
    with contextlib.suppress(posix_ipc.ExistentialError):
        posix_ipc.unlink_shared_memory(name)
