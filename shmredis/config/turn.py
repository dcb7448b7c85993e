"""Whose turn it is to change settings: one at a time, in whichever worker.

The front makes it before it forks. Whoever waits goes on serving, and answers the one whose turn it is.
The kernel ends the turn of a process that dies.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["SettingsTurn"]

LOOK_S = 0.001


class SettingsTurn:
    """A lock of processes (on the file), and of the tasks in this one."""

    def __init__(self) -> None:
        """Raises: OSError."""
        self._fd = os.memfd_create("shmredis-settings", os.MFD_CLOEXEC)
        self._here = asyncio.Lock()

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Nobody else changes any meanwhile."""
        async with self._here:
            while not self._try():
                await asyncio.sleep(LOOK_S)
            try:
                yield
            finally:
                fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def _try(self) -> bool:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def close(self) -> None:
        os.close(self._fd)
