"""A worker's append-only log as it is at present: its files, and what the core has of it."""

import os
from collections.abc import Callable
from typing import Any

from shmredis._core import ffi, lib
from shmredis.engine import Engine
from shmredis.faults import fault
from shmredis.persistence.aof_folder import Folder
from shmredis.persistence.aof_manifest import Manifest

__all__ = ["LogState", "check"]


class LogState:
    """Shared by those who open, rewrite and back up the log."""

    def __init__(self, engine: Engine, folder: Folder) -> None:
        self._handle = engine.handle
        self.folder = folder
        self.manifest = Manifest()
        self.closed_size = 0  # of all files but the one that is written to
        self.base_size = 0  # of all files after the last rewrite
        self.changed: Callable[[], None] = lambda: None  # the manifest was written
        self.news: Callable[[], None] = lambda: None  # it may want a first base, or have it, now

    def info(self) -> Any:
        """A struct aof_info of now."""
        info = ffi.new("struct aof_info *")
        lib.engine_aof_info(self._handle, info)
        return info

    @property
    def on(self) -> bool:
        """Whether commands are logged."""
        return bool(self.info().open)

    @property
    def waits(self) -> bool:
        """Switched on, but not of use before the first rewrite has ended."""
        return self.on and not self.manifest.files

    @property
    def size(self) -> int:
        """Bytes of all files that are in use."""
        return self.closed_size + int(self.info().size)

    def write(self, manifest: Manifest) -> None:
        """It is the manifest from now on, on disk too. Raises: OSError."""
        self.folder.write(manifest)
        self.manifest = manifest
        self.changed()
        fault("aof.manifest.noted")

    def count_sizes(self) -> None:
        """Looks at the files that are written to no more."""
        last = self.manifest.incrementals[-1:]
        rest = tuple(file for file in self.manifest.files if file not in last)
        self.closed_size = self.folder.size(rest)


def check(error: int) -> None:
    """Of a call of the core. Raises: OSError if it is an errno."""
    if error:
        raise OSError(error, os.strerror(error))
