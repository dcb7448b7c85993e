"""The end of the log that an arena of an earlier instant lacks.

A worker that dies while a snapshot or a rewrite is written leaves the state of the instant at which that
began. The superblock says how far in which file the log was then, and the log goes on there with a record
that names its database (csrc/persist/aof.c). What follows makes the arena whole.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from shmredis.persistence.aof_folder import Folder
from shmredis.persistence.aof_manifest import LogFile, Manifest, ManifestError, Role

__all__ = ["LogPlace", "files_since", "written_size"]


@dataclass(slots=True, frozen=True)
class LogPlace:
    """A place between two records: so many bytes of the incremental file of this number."""

    seq: int
    position: int

    def is_in(self, folder: Folder) -> bool:
        """Whether the log in use has it: one that is being switched on is not in use yet."""
        with suppress(OSError, ManifestError):
            for file, offset in files_since(folder.read() or Manifest(), self):
                return folder.place(file).stat().st_size >= offset
        return False


def files_since(manifest: Manifest, place: LogPlace | None) -> Iterator[tuple[LogFile, int]]:
    """Files in their order, and where to begin in each: all of them, if there is no place to go on from."""
    files = manifest.files
    if place is None:
        yield from ((file, 0) for file in files)
        return
    rest = [file for file in files if file.role is Role.INCREMENTAL and file.seq >= place.seq]
    if rest and rest[0].seq == place.seq:
        yield rest[0], place.position
        yield from ((file, 0) for file in rest[1:])


def written_size(folder: Folder, manifest: Manifest, seq: int) -> int:
    """Bytes of the incremental file `seq`, if it is the last one with any; else -1.

    One behind it is empty when a rewrite has named it and its instant has not come yet. Raises: OSError.
    """
    files = [file for file in manifest.incrementals if file.seq >= seq]
    if not files or files[0].seq != seq:
        return -1
    sizes = [folder.place(file).stat().st_size for file in files]
    return -1 if any(sizes[1:]) else sizes[0]
