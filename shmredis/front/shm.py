"""The workers' shared-memory objects: made, found, taken over, unlinked.

An object's owner holds a lock on it (file_lock.py). So an object whose lock is free belonged to a server
that is gone.
"""

import contextlib
import logging
import os
import re
from pathlib import Path

import posix_ipc

from shmredis.file_lock import lock_in_time, try_lock

__all__ = [
    "ShmInUse",
    "adopt_object",
    "control_name",
    "create_object",
    "is_locked",
    "leftover_arenas",
    "leftovers",
    "object_base",
    "object_name",
    "remove_object",
    "remove_stale",
    "replace_object",
    "scripts_name",
]

log = logging.getLogger(__name__)

LOCK_WAIT_S = 0.3  # for a snapshotter to follow its worker into death
PLACE = Path("/dev/shm")


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


def scripts_name(base: str) -> str:
    """The name of the object with scripts and libraries."""
    return f"/{base}.scripts"


def create_object(name: str) -> int:
    """A new, empty, locked object; its file descriptor.

    A stale one of the same name is removed first, with a log line. Raises: ShmInUse, OSError.
    """
    remove_stale(name)
    return _create(name)


def _create(name: str) -> int:
    shm = posix_ipc.SharedMemory(name, posix_ipc.O_CREX, mode=0o600)
    return _owned(shm.fd, name)


def adopt_object(name: str) -> int | None:
    """The object that a server which is gone has left, locked; its file descriptor. None: there is none.

    Raises: ShmInUse.
    """
    try:
        shm = posix_ipc.SharedMemory(name)
    except (posix_ipc.ExistentialError, posix_ipc.PermissionsError):
        return None
    return _owned(shm.fd, name)


def _owned(fd: int, name: str) -> int:
    """The descriptor, with the lock. Raises: ShmInUse, and it is closed."""
    if not lock_in_time(fd, LOCK_WAIT_S):
        os.close(fd)
        raise ShmInUse(name)
    os.set_inheritable(fd, False)
    return fd


def replace_object(name: str) -> int:
    """A new object in place of one that the caller owns. Raises: ShmInUse, OSError."""
    remove_object(name)
    return _create(name)


def leftovers(base: str) -> list[str]:
    """The names of all objects of a server that are there."""
    pattern = re.compile(re.escape(object_base(base)[1:]) + r"\.(\d+|control|scripts)")
    return [f"/{path.name}" for path in PLACE.iterdir() if pattern.fullmatch(path.name)]


def leftover_arenas(base: str) -> list[int]:
    """The numbers of the workers whose arenas are there."""
    numbers = (name.rpartition(".")[2] for name in leftovers(base))
    return sorted(int(number) for number in numbers if number.isdigit())


def is_locked(name: str) -> bool:
    """Whether some process has the object."""
    with contextlib.suppress(OSError), (PLACE / name[1:]).open("rb") as file:
        return not try_lock(file.fileno())
    return False


def remove_stale(name: str) -> None:
    """Removes the object of a server that is gone, with a log line. Raises: ShmInUse."""
    fd = adopt_object(name)
    if fd is None:
        return
    os.close(fd)
    log.info("Removing the shared memory %s of a server that is gone", name)
    remove_object(name)


def remove_object(name: str) -> None:
    """Unlinks the object; fine if it is gone."""
    with contextlib.suppress(posix_ipc.ExistentialError):
        posix_ipc.unlink_shared_memory(name)
