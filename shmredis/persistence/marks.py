"""Which files say the same as an arena, so that a later server can tell whether they still do.

The marks lie in the superblock (csrc/mem/arena.h). Files that are not as they were noted have been
replaced or edited by somebody since: then they are what the user wants to be loaded. A log that is written
to changes all the time, so its files are noted at an orderly end; after any other end their size says what
can be told.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import xxhash

from shmredis._core import ffi, lib
from shmredis.persistence.aof_folder import Folder
from shmredis.persistence.aof_manifest import ManifestError

__all__ = ["FileMark", "Marks", "aof_manifest", "marks_of", "note_files"]


class Config(Protocol):
    """The directives in force."""

    def __getitem__(self, name: str) -> Any: ...


@dataclass(slots=True, frozen=True)
class FileMark:
    """A file as it is; all zero: there is none."""

    inode: int = 0
    size: int = 0
    mtime_ns: int = 0

    @classmethod
    def of(cls, path: Path) -> "FileMark":
        try:
            found = path.stat()
        except OSError:
            return cls()
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


@dataclass(slots=True, frozen=True)
class Marks:
    """Whose data an arena holds, and the files that go with it."""

    print: int
    rdb: FileMark
    aof: FileMark

    @classmethod
    def from_report(cls, report: Any) -> "Marks":
        """What a struct attach_report tells."""
        rdb, aof = report.rdb, report.aof
        return cls(
            report.print,
            FileMark(rdb.inode, rdb.size, rdb.mtime_ns),
            FileMark(aof.inode, aof.size, aof.mtime_ns),
        )

    def objection(self, noted: "Marks", *, appendonly: bool) -> str:
        """Why an arena with the marks `noted` does not fit what is there now; empty: it fits.

        Only the files that a start would load count.
        """
        if noted.print != self.print:
            return "it belongs to a server with other files, or they were changed"
        if appendonly and noted.aof != self.aof:
            return "the append only file is not the one it goes with"
        if not appendonly and noted.rdb != self.rdb:
            return "the RDB file is not the one it goes with"
        return ""


def aof_manifest(config: Config, worker: int) -> Path:
    """The manifest of the append only file of a worker."""
    folder = Path(config["appenddirname"])
    if config["workers"] > 1:
        folder /= f"worker-{worker}"
    return folder / f"{config['appendfilename']}.manifest"


def _log_print(config: Config, worker: int) -> int:
    """A number for the files of a log as they are, 0: there is none."""
    folder = Folder(aof_manifest(config, worker).parent, config["appendfilename"])
    try:
        manifest = folder.read()
    except (ManifestError, OSError):
        return 0
    marks = [FileMark.of(folder.place(file)) for file in manifest.files] if manifest else []
    return xxhash.xxh3_64_intdigest(repr(marks).encode()) if marks else 0


def marks_of(config: Config, worker: int, *, at_end: bool = False) -> Marks:
    """The files of a worker as they are now. `at_end`: its log is not written to any more."""
    words = [config[name] for name in ("dbfilename", "appenddirname", "appendfilename")]
    place = Path().stat()  # which may have been removed
    words += [config["appendonly"], place.st_dev, place.st_ino]
    number = xxhash.xxh3_64_intdigest("\0".join(map(str, words)).encode())
    if at_end and config["appendonly"]:
        number ^= _log_print(config, worker)
    return Marks(
        number,
        FileMark.of(Path(config["dbfilename"])),
        FileMark.of(aof_manifest(config, worker)),
    )


def note_files(engine: Any, config: Config, worker: int, *, at_end: bool = False) -> None:
    """The files now say what this worker's arena says, or lead to it with their tail.

    To be called after they were loaded or written, and after CONFIG SET of where they are.
    """
    marks = marks_of(config, worker, at_end=at_end)
    rdb = ffi.new("struct file_mark *", (marks.rdb.inode, marks.rdb.size, marks.rdb.mtime_ns))
    aof = ffi.new("struct file_mark *", (marks.aof.inode, marks.aof.size, marks.aof.mtime_ns))
    lib.engine_note_files(engine.handle, marks.print, rdb, aof)
