"""The append-only folders of a server are its own: two that write into the same ones would destroy both logs.

A folder in use is locked (flock) by the front and by its workers, so the lock lasts until the last of them
has ended, also when the front was killed. Only a server that logs from its start on locks anything.
"""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from shmredis.config import Config
from shmredis.persistence.aof_layout import layout_folders

__all__ = ["FolderLocks"]

PATIENCE_S = 0.3  # for children of a server that was killed to follow it


class FolderLocks:
    """Held until the processes that have inherited it are gone."""

    def __init__(self, config: Config) -> None:
        """Raises: OSError, with the text for the user when another server has a folder."""
        self._config = config
        self._fds: list[int] = []
        self.renew()

    def renew(self) -> None:
        """Folders may have been renamed, or made. Raises: OSError."""
        self.close()
        if not self._config["appendonly"]:
            return
        whole, left = layout_folders(self._config)
        whole.mkdir(parents=True, exist_ok=True)
        for path in (whole, left):
            if path.is_dir():
                self._lock(path)

    def _lock(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._fds.append(fd)
        deadline = time.monotonic() + PATIENCE_S
        while not _try(fd):
            if time.monotonic() > deadline:
                raise OSError(f"The append-only files in {path} belong to a running server")
            time.sleep(0.01)

    def close(self) -> None:
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()


def _try(fd: int) -> bool:
    """False: another has it. A file system that has no locks has no objection."""
    with contextlib.suppress(OSError):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
