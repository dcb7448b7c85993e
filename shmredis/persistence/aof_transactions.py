"""Commands of several workers in their logs: which of them are there with all their parts.

    #TXN <life>-<position>-<owners> <part>/<parts>[ empty]
    #TXN-SEEN <life> <position>   all parts before it are in this log or in what it continues, and
                                  what there is of other lives is settled
    #TXN-DROP <id>                a recovery has left this part out
    #TXN-OFF <life>               it was switched off: what comes later in this life is not told here

Each log says at its begin in which life that is. One that does not know a life, but others, has begun anew
since, or was not written to then: it does not tell that a part is missing.

A crash may leave some parts of a command unwritten; then none of them count (csrc/persist/aof.h). A new
life of the server says so at once, in all logs (TXN-DROP, then TXN-SEEN): later it would not be known any
more, since a log that is rewritten begins with no line of earlier lives.
"""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from shmredis._core import ffi, lib
from shmredis.persistence.aof_manifest import RDB_MAGIC, RDB_MAGIC_SIZE

__all__ = ["Parts", "incomplete", "parts_in"]


@dataclass(slots=True)
class Parts:
    """What one worker's log says of parts."""

    settled: set[str] = field(default_factory=set)  # ids of lives before the present one
    open: set[str] = field(default_factory=set)  # of the present one
    dropped: set[str] = field(default_factory=set)
    seen: dict[str, int] = field(default_factory=dict)  # by life: positions before it are here
    lives: set[str] = field(default_factory=set)  # that it was written to in

    def note(self, words: list[str]) -> None:
        """A line, split."""
        match words:
            case ["TXN", name, *_]:
                self.open.add(name)
                self.lives.add(name.partition("-")[0])
            case ["TXN-SEEN", life, position] if position.isascii() and position.isdigit():
                self.lives.add(life)
                self.seen[life] = max(self.seen.get(life, 0), int(position))
                earlier = {name for name in self.open if not name.startswith(f"{life}-")}
                self.settled |= earlier
                self.open -= earlier
            case ["TXN-DROP", name]:
                self.dropped.add(name)
            case ["TXN-OFF", life]:
                self.seen[life] = sys.maxsize

    def has(self, name: str, life: str, position: int) -> bool:
        if name in self.dropped:
            return False
        if self.lives and life not in self.lives:
            return True
        return name in self.settled or name in self.open or position < self.seen.get(life, 0)


def parts_in(paths: Iterable[Path]) -> Parts:
    """What the files of one log say; a file's torn end says nothing. Raises: OSError."""
    parts = Parts()
    for path in paths:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _scan(fd, parts)
        finally:
            os.close(fd)
    return parts


def _scan(fd: int, parts: Parts) -> None:
    if os.pread(fd, RDB_MAGIC_SIZE, 0) in RDB_MAGIC:
        return
    scan, info = lib.aof_scan_new(fd, 0, 1), ffi.new("struct scan_info *")
    if not scan:
        return
    waiting: list[str] = []  # a part whose block is not whole yet
    try:
        while (kind := lib.aof_scan_next(scan, info)) not in (
            lib.SCAN_END,
            lib.SCAN_TORN,
            lib.SCAN_BAD,
        ):
            if kind == lib.SCAN_LINE:
                words = ffi.string(info.text).decode("utf-8", "replace").split()
                if words[:1] == ["TXN"] and words[-1] != "empty":
                    waiting = words
                elif words[:1] and words[0].startswith("TXN"):
                    parts.note(words)
            elif kind == lib.SCAN_EXEC and waiting:
                parts.note(waiting)
                waiting = []
    finally:
        lib.aof_scan_delete(scan)


def incomplete(logs: dict[int, Parts], worker: int) -> set[str]:
    """The parts in this worker's log that do not count; `logs` has those of all workers by number."""
    own = logs[worker]
    return own.dropped | {name for name in own.open if not _is_whole(name, logs)}


def _is_whole(name: str, logs: dict[int, Parts]) -> bool:
    try:
        life, position, owners = name.split("-")
        number, mask = int(position), int(owners, 16)
    except ValueError:
        return False
    workers = [worker for worker in range(mask.bit_length()) if mask >> worker & 1]
    return all(worker in logs and logs[worker].has(name, life, number) for worker in workers)
