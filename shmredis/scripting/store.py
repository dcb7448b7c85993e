"""What all workers know of scripts and libraries: records in one shared-memory object, used as a file.

    | magic, generation, start, end | … | kind, length, XXH3, bytes | kind, length, XXH3, bytes | …

Whoever has something new appends a record under a lock; whoever misses something reads what is new to
it. So a script that came to one worker can be called by its SHA1 at another, a worker that is brought
back has what its predecessor had, and libraries outlive the server as the arenas do. When there is much
that is out of date, the records are written anew: then the generation is another, and all are read again.
They are written where the old ones are not, so whoever dies over that leaves the old ones.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from xxhash import xxh3_64_intdigest

from shmredis.faults import fault
from shmredis.scripting.cache import EVAL_SCRIPTS

__all__ = ["Kind", "ScriptStore"]

HEAD = struct.Struct("<8sQQQ")
RECORD = struct.Struct("<cQQ")
MAGIC = b"shmscri2"
SLACK = 4 << 20  # bytes that may be added before the records are written anew


class Kind(Enum):
    """What a record is."""

    LOADED = b"S"  # a script of SCRIPT LOAD
    PASSING = b"E"  # a script of EVAL
    FLUSH = b"F"  # there are no scripts any more
    LIBRARIES = b"L"  # all libraries, as FUNCTION DUMP gives them


KINDS = {kind.value: kind for kind in Kind}
Record = tuple[Kind, bytes]


class ScriptStore:
    """One process's view of the object, whose descriptor it does not own."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._generation = 0
        self._at = HEAD.size

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def _head(self) -> tuple[int, int, int]:
        """Generation, start and end. What is no such object is empty."""
        data = os.pread(self._fd, HEAD.size, 0)
        if len(data) == HEAD.size:
            magic, generation, start, end = HEAD.unpack(data)
            if magic == MAGIC and HEAD.size <= start <= end <= os.fstat(self._fd).st_size:
                return generation, start, end
        return 0, HEAD.size, HEAD.size

    def begin_life(self) -> None:
        """A server begins: of its predecessor's records, libraries alone are left. Raises: OSError."""
        with self._locked():
            kept = [record for record in self._all() if record[0] is Kind.LIBRARIES]
            self._rewrite(kept[-1:])

    def add(self, kind: Kind, data: bytes) -> None:
        """Raises: OSError."""
        with self._locked():
            generation, start, end = self._head()
            self._write(end, _packed((kind, data)))
            end += RECORD.size + len(data)
            self._write(0, HEAD.pack(MAGIC, generation, start, end))
            if end - start > SLACK:
                self._compact(end - start)

    def _write(self, at: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, at)
            view, at = view[written:], at + written

    def _compact(self, size: int) -> None:
        kept = _current(self._all())
        if sum(len(data) for _, data in kept) < size // 2:
            self._rewrite(kept)

    def _rewrite(self, records: list[Record]) -> None:
        generation, start, end = self._head()
        body = b"".join(map(_packed, records))
        at = HEAD.size if HEAD.size + len(body) <= start else end
        self._write(at, body)
        fault("scripts.written")
        self._write(0, HEAD.pack(MAGIC, generation + 1, at, at + len(body)))
        os.ftruncate(self._fd, at + len(body))

    def _all(self) -> list[Record]:
        return list(self._records(self._head()[1]))

    def _records(self, at: int) -> Iterator[Record]:
        """Up to one that is damaged: an earlier server has left it."""
        end = self._head()[2]
        while at + RECORD.size <= end:
            kind, size, checksum = RECORD.unpack(os.pread(self._fd, RECORD.size, at))
            at += RECORD.size
            data = os.pread(self._fd, min(size, end - at), at)
            if kind not in KINDS or len(data) != size or xxh3_64_intdigest(data) != checksum:
                return
            yield KINDS[kind], data
            at += size

    def news(self) -> list[Record]:
        """What was added since this was asked last; everything, at first and after it was written anew."""
        with self._locked():
            generation, start, end = self._head()
            if generation == self._generation:
                start = self._at
            found = list(self._records(start))
            self._generation, self._at = generation, end
        return found

    def libraries(self) -> bytes | None:
        """The last record of all libraries; None: there is none."""
        with self._locked():
            found = [data for kind, data in self._all() if kind is Kind.LIBRARIES]
        return found[-1] if found else None


def _packed(record: Record) -> bytes:
    kind, data = record
    return RECORD.pack(kind.value, len(data), xxh3_64_intdigest(data)) + data


def _current(records: list[Record]) -> list[Record]:
    """Those that still say something, in their order."""
    flushed = max((i for i, (kind, _) in enumerate(records) if kind is Kind.FLUSH), default=-1)
    scripts = dict.fromkeys(r for r in records[flushed + 1 :] if r[0] is not Kind.LIBRARIES)
    passing = [r for r in scripts if r[0] is Kind.PASSING][-EVAL_SCRIPTS:]
    loaded = [r for r in scripts if r[0] is Kind.LOADED]
    libraries = [r for r in records if r[0] is Kind.LIBRARIES][-1:]
    return libraries + loaded + passing
