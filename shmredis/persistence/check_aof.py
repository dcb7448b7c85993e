"""shmredis-check-aof: reads an append-only file, or all that a manifest names, and cuts a damaged end.

Works on the files of Redis and Valkey too; lines and exit status are those of redis-check-aof.
"""

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shmredis._core import ffi, lib
from shmredis.persistence.aof_manifest import (
    RDB_MAGIC,
    RDB_MAGIC_SIZE,
    Manifest,
    ManifestError,
    Role,
    parse_manifest,
)
from shmredis.persistence.check_rdb import check_rdb

__all__ = ["main"]

USAGE = (
    "Usage: shmredis-check-aof [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>"
)
RDB_LEAST = 8  # bytes of a file that is taken for an RDB


class Refused(Exception):
    """The end, with status 1; the text is printed."""


@dataclass(slots=True)
class Wish:
    """What the user asked for."""

    path: Path
    fix: bool = False
    until_s: int | None = None  # --truncate-to-timestamp

    @classmethod
    def of(cls, argv: list[str]) -> "Wish":
        """Raises: Refused."""
        match argv:
            case [path]:
                return cls(Path(path))
            case ["--fix", path]:
                return cls(Path(path), fix=True)
            case ["--truncate-to-timestamp", seconds, path] if re.fullmatch(
                "-?[0-9]{1,19}", seconds
            ):
                return cls(Path(path), until_s=int(seconds))
        raise Refused(USAGE)


@dataclass(slots=True)
class Findings:
    """How far a file is good. `cut_at`: where the time that is wanted ends."""

    size: int
    good: int = 0
    errors: list[str] = field(default_factory=list)
    cut_at: int | None = None


class Checker:
    """Goes through files; `lines` counts on over all of them."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._lines = 1

    def check(self, path: Path, name: str, *, last: bool) -> str:
        """One file: what is to be said of it, "valid" or "empty" or nothing. Raises: Refused, OSError."""
        with path.open("r+b" if self._changes else "rb", buffering=0) as file:
            fd, size = file.fileno(), path.stat().st_size
            if size == 0:
                return "empty"
            begin = self._check_preamble(fd, path, size)
            findings = self._scan(fd, name, begin, size)
            if self._wish.until_s is not None:
                return self._cut_at_time(fd, path, name, findings, last=last)
            return self._settle(fd, name, findings, last=last)

    @property
    def _changes(self) -> bool:
        return self._wish.fix or self._wish.until_s is not None

    def _check_preamble(self, fd: int, path: Path, size: int) -> int:
        """Where commands begin. Raises: Refused."""
        if size < RDB_LEAST or os.pread(fd, RDB_MAGIC_SIZE, 0) not in RDB_MAGIC:
            return 0
        print(f"[offset 0] Checking RDB file {path}")
        os.lseek(fd, 0, os.SEEK_SET)
        facts = check_rdb(fd, size)
        if facts is None:
            raise Refused("RDB preamble of AOF file is not sane, aborting.")
        print("RDB preamble is OK, proceeding with AOF tail...")
        return int(facts.offset)

    # --- commands ---

    def _scan(self, fd: int, name: str, begin: int, size: int) -> Findings:
        scan = lib.aof_scan_new(fd, begin, self._lines)
        if not scan:
            raise Refused(f"Cannot read file: {name}")
        try:
            return self._read(scan, name, Findings(size, begin))
        finally:
            lib.aof_scan_delete(scan)

    def _read(self, scan: Any, name: str, found: Findings) -> Findings:
        info, block = ffi.new("struct scan_info *"), -1  # where an open MULTI begins
        while True:
            kind = lib.aof_scan_next(scan, info)
            found.good = int(info.start) if block < 0 else block
            if kind == lib.SCAN_LINE and self._is_too_late(info):
                found.cut_at = int(info.start)
                break
            if kind == lib.SCAN_MULTI and block < 0:
                block = int(info.start)
            elif kind == lib.SCAN_EXEC and block >= 0:
                block = -1
            elif kind != lib.SCAN_LINE:
                self._note_end(kind, info, name, found, in_block=block >= 0)
                break
        self._lines = int(info.lines)
        return found

    def _is_too_late(self, info: Any) -> bool:
        text = ffi.string(info.text)
        if self._wish.until_s is None or not text.startswith(b"TS:"):
            return False
        digits = text[3:]
        return digits.isdigit() and int(digits) > self._wish.until_s

    @staticmethod
    def _note_end(kind: int, info: Any, name: str, found: Findings, *, in_block: bool) -> None:
        """The last item: the end, or what is wrong."""
        text, at = ffi.string(info.text).decode("utf-8", "replace"), int(info.end)
        if kind == lib.SCAN_END:
            if not in_block:
                return
            text, at = "Reached EOF before reading EXEC for MULTI", int(info.string_at)
        elif kind in (lib.SCAN_MULTI, lib.SCAN_EXEC):
            what = "MULTI" if kind == lib.SCAN_MULTI else "EXEC"
            text, at = f"Unexpected {what} in AOF {name}", int(info.string_at)
        elif kind == lib.SCAN_BAD and not text:
            found.errors.append(f"AOF {name} format error")
        if text:
            found.errors.append(f"0x{at:16x}: {text}")

    # --- what follows ---

    def _settle(self, fd: int, name: str, found: Findings, *, last: bool) -> str:
        """Raises: Refused."""
        for error in found.errors:
            print(error)
        lost = found.size - found.good
        print(
            f"AOF analyzed: filename={name}, size={found.size}, ok_up_to={found.good}, "
            f"ok_up_to_line={self._lines}, diff={lost}"
        )
        if not lost:
            return "valid"
        if not self._wish.fix:
            raise Refused(f"AOF {name} is not valid. Use the --fix option to try fixing it.")
        if not last:
            raise Refused(f"Failed to truncate AOF {name} because it is not the last file")
        print(
            f"This will shrink the AOF {name} from {found.size} bytes, with {lost} bytes, to "
            f"{found.good} bytes"
        )
        print("Continue? [y/N]: ", end="", flush=True)
        if not sys.stdin.readline().lower().startswith("y"):
            raise Refused("Aborting...")
        self._truncate(fd, found.good)
        print(f"Successfully truncated AOF {name}")
        return ""

    def _cut_at_time(self, fd: int, path: Path, name: str, found: Findings, *, last: bool) -> str:
        """Raises: Refused."""
        until = self._wish.until_s
        if found.cut_at is None:
            if found.errors:
                return self._settle(fd, name, found, last=last)
            print(f"Truncate nothing in AOF {name} to timestamp {until}")
            return "valid"
        if found.cut_at == 0:
            raise Refused(f"AOF {name} has nothing before timestamp {until}, aborting...")
        if not last:
            raise Refused(
                f"Failed to truncate AOF {path} to timestamp {until} to offset {found.cut_at} because "
                "it is not the last file.\nIf you insist, please delete all files after this file "
                "according to the manifest file and delete the corresponding records in manifest file "
                "manually. Then re-run shmredis-check-aof."
            )
        self._truncate(fd, found.cut_at)
        print(f"Successfully truncated AOF {name} to timestamp {until}")
        return ""

    @staticmethod
    def _truncate(fd: int, size: int) -> None:
        os.ftruncate(fd, size)
        os.fsync(fd)


# --- kinds of files ---


def _first_line(path: Path) -> bytes:
    """The first line that is no comment. Raises: OSError."""
    with path.open("rb") as file:
        for line in file:
            if not line.startswith(b"#"):
                return line
            if len(line) > 1024:
                break
    return b""


def _check_single(checker: Checker, path: Path) -> None:
    print("Start checking Old-Style AOF")
    if state := checker.check(path, str(path), last=True):
        print(f"AOF {path} is {state}")


def _check_all(checker: Checker, path: Path) -> None:
    print("Start checking Multi Part AOF")
    files = _manifest(path).files
    announced = False
    for file in files:
        place, base = path.parent / file.name, file.role is Role.BASE
        if not place.exists():
            raise Refused(f"Cannot open file {place}: No such file or directory, aborting...")
        if base:
            with place.open("rb") as data:
                form = "RDB" if data.read(RDB_MAGIC_SIZE) in RDB_MAGIC else "RESP"
            print(f"Start to check BASE AOF ({form} format).")
        elif not announced:
            announced = True
            print("Start to check INCR files.")
        if state := checker.check(place, file.name, last=file is files[-1]):
            print(f"{'BASE' if base else 'INCR'} AOF {file.name} is {state}")
    print("All AOF files and manifest are valid")


def _manifest(path: Path) -> Manifest:
    """Raises: Refused, OSError."""
    try:
        return parse_manifest(path.read_bytes())
    except ManifestError as error:
        where = f"Reading the manifest file, at line {error.number}\n>>> '{error.line}'\n"
        raise Refused(
            f"\n*** FATAL AOF MANIFEST FILE ERROR ***\n{where if error.number else ''}{error}"
        ) from None


def check(wish: Wish) -> None:
    """Raises: Refused, OSError."""
    path = wish.path
    try:
        first = _first_line(path)
    except IsADirectoryError:
        raise Refused(f"Cannot read file: {path}") from None
    except OSError as error:
        raise Refused(f"Cannot open file {path}: {error.strerror}") from None
    checker = Checker(wish)
    if first.startswith(b"file"):
        _check_all(checker, path)
    else:
        _check_single(checker, path)


def main() -> None:
    """The exit status is 0 if all is well, or has been mended."""
    try:
        check(Wish.of(sys.argv[1:]))
    except Refused as why:
        print(why)
        sys.exit(1)
    except OSError as error:
        print(f"Cannot open file {error.filename}: {error.strerror}")
        sys.exit(1)


if __name__ == "__main__":
    main()
