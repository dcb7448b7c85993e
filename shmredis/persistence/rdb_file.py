"""The frame of an RDB file: what comes before the records that the core writes, and after them.

    magic and version | AUX fields | FUNCTION libraries | records of each worker … | EOF | CRC-64

Workers write their records side by side; the file's CRC comes from those of the parts.
Source: the RDB format, specs/rdb.md.
"""

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shmredis._core import lib

__all__ = ["Frame", "Records", "tell_done", "write_end", "write_head"]

log = logging.getLogger(__name__)

VERSION_PLAIN, VERSION_FIELD_TTLS = 11, 12
AUX, FUNCTION, EOF = b"\xfa", b"\xf5", b"\xff"
COPY_BYTES = 64 << 20


@dataclass(slots=True, frozen=True)
class Frame:
    """What is said of a file in its head."""

    fields: tuple[tuple[str, str | int], ...]  # AUX
    libraries: tuple[bytes, ...] = ()


@dataclass(slots=True, frozen=True)
class Records:
    """What one worker has written; `path` None: it is in the file already, right behind the head."""

    path: Path | None
    size: int
    crc: int
    field_ttls: bool
    keys: int


def _length(n: int) -> bytes:
    if n < 1 << 6:
        return bytes([n])
    if n < 1 << 14:
        return (n | 0x4000).to_bytes(2, "big")
    return b"\x80" + n.to_bytes(4, "big")


def _string(value: bytes) -> bytes:
    return _length(len(value)) + value


def _number(value: int) -> bytes:
    for mark, size in ((b"\xc0", 1), (b"\xc1", 2), (b"\xc2", 4)):
        if -(1 << (8 * size - 1)) <= value < 1 << (8 * size - 1):
            return mark + value.to_bytes(size, "little", signed=True)
    return _string(b"%d" % value)


def _head(frame: Frame, version: int) -> bytes:
    parts = [b"REDIS%04d" % version]
    for name, value in frame.fields:
        shown = _number(value) if isinstance(value, int) else _string(value.encode())
        parts += [AUX, _string(name.encode()), shown]
    parts += [FUNCTION + _string(library) for library in frame.libraries]
    return b"".join(parts)


def write_head(fd: int, frame: Frame) -> None:
    """Begins a file; records follow at the present offset. Raises: OSError."""
    _write(fd, _head(frame, VERSION_PLAIN))


def write_end(fd: int, frame: Frame, parts: Iterable[Records], *, checksum: bool) -> None:
    """Joins the parts, completes head and end, has all of it on disk. Raises: OSError."""
    parts = list(parts)
    newer = any(part.field_ttls for part in parts)
    head = _head(frame, VERSION_FIELD_TTLS if newer else VERSION_PLAIN)
    crc = _crc(0, head)
    for part in parts:
        crc = int(lib.core_crc64_combine(crc, part.crc, part.size))
        if part.path is not None:
            _append(fd, part.path, part.size)
    crc = _crc(crc, EOF)
    os.lseek(fd, 0, os.SEEK_END)
    _write(fd, EOF + (crc if checksum else 0).to_bytes(8, "little"))
    os.pwrite(fd, head, 0)
    os.fsync(fd)


def _crc(crc: int, data: bytes) -> int:
    return int(lib.core_crc64(crc, data, len(data)))


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _append(fd: int, path: Path, size: int) -> None:
    """Copies a part to the end, by the kernel. Raises: OSError."""
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        at = os.lseek(fd, 0, os.SEEK_END)
        done = 0
        while done < size:
            n = os.copy_file_range(source, fd, min(size - done, COPY_BYTES), done, at + done)
            if n == 0:
                raise OSError(f"{path} is shorter than it was")
            done += n
    finally:
        os.close(source)


def tell_done(fd: int, parts: Sequence[Records]) -> None:
    """The line of the log about a whole file."""
    keys, size = sum(part.keys for part in parts), os.fstat(fd).st_size
    log.info("BGSAVE done, %d keys saved, 0 keys skipped, %d bytes written.", keys, size)
