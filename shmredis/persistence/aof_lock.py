"""The append-only folders of a server are its own: two that write into the same ones would destroy both logs.

A folder in use is locked (file_lock.py). The front locks it, and the workers that it forks later hold the
lock, too; so the lock of a folder that is known at the start lasts until the last of them has ended, also
when the front was killed. Only a server that logs locks anything.
"""

import contextlib
import fcntl
import os
from pathlib import Path

from shmredis.config import Config
from shmredis.file_lock import lock_in_time
from shmredis.persistence.aof_layout import layout_folders

__all__ = ["LOG_PLACES", "FolderInUse", "FolderLocks"]

LOG_PLACES = {"appendonly", "dir"}  # directives that say whether a log is written, and where
PATIENCE_S = 0.3  # for children of a server that was killed to follow it


class FolderInUse(OSError):
    """Another server has it; the text is for the user."""


class FolderLocks:
    """Held until the processes that have inherited it are gone, or the folders are others."""

    def __init__(self, config: Config) -> None:
        """Raises: OSError."""
        self._config = config
        self._held: dict[tuple[int, int], int] = {}  # descriptors by device and inode
        self.renew()

    def renew(self) -> None:
        """Holds those that are used now, which may have been renamed, and no others. Raises: OSError."""
        wanted = self._lock_under(Path(self._config["dir"])) if self._config["appendonly"] else {}
        for key in self._held.keys() - wanted.keys():
            self._release(self._held[key])
        self._held = wanted

    def add(self, home: Path) -> None:
        """A log is about to be written under that directory. Raises: OSError."""
        self._held |= self._lock_under(home)

    def _lock_under(self, home: Path) -> dict[tuple[int, int], int]:
        whole, left = layout_folders(self._config, home)
        whole.mkdir(exist_ok=True)
        locks: dict[tuple[int, int], int] = {}
        for path in (whole, left):
            if path.is_dir():
                locks |= self._lock(path)
        return locks

    def _lock(self, path: Path) -> dict[tuple[int, int], int]:
        """Its descriptor: a new one, unless it is held already. Raises: OSError."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        status = os.fstat(fd)
        key = status.st_dev, status.st_ino
        if key in self._held:
            os.close(fd)
            return {key: self._held[key]}
        if not lock_in_time(fd, PATIENCE_S):
            os.close(fd)
            raise FolderInUse(f"The append-only files in {path} belong to a running server")
        return {key: fd}

    @staticmethod
    def _release(fd: int) -> None:
        """For workers, too, which have the same lock."""
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)
