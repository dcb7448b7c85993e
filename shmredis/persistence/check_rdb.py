"""shmredis-check-rdb: reads an RDB file to its end, builds every value, and says what is wrong.

Works on the files of Redis and Valkey too; lines and exit status are those of redis-check-rdb.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shmredis._core import ffi, lib
from shmredis.engine import Engine
from shmredis.persistence.rdb_load import RdbError, RdbFacts, RdbLoad, RdbNote, type_name

__all__ = ["check_rdb", "main"]

ARENA_BYTES = 32 << 30  # of address space; memory is taken for one value after the other
STEP_BYTES = 16 << 20
FIELD_TTL_TYPES = (22, 23, 24, 25)
CHECKSUM_LINES = {
    lib.RDB_CHECKSUM_OFF: "RDB file was saved with checksum disabled: no check performed.",
    lib.RDB_CHECKSUM_FINE: "Checksum OK",
}


@contextmanager
def scratch_engine() -> Iterator[Engine]:
    """An engine in unnamed memory, for values that nobody keeps. Raises: OSError."""
    status = ffi.new("int *")
    fd = os.memfd_create("check-rdb")
    handle = lib.engine_new(fd, b"check-rdb", ARENA_BYTES, os.urandom(16), 1, status)
    if not handle:
        raise OSError(ffi.string(lib.core_status_text(status[0])).decode())
    try:
        yield Engine(handle)
    finally:
        lib.engine_delete(handle)


def _shown(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


class _Report:
    """Prints what a load finds, in the order of the file."""

    def __init__(self, load: RdbLoad) -> None:
        self._load = load
        self._notes = 0

    def notes(self) -> None:
        """What has come since the last time."""
        while note := self._load.note(self._notes):
            self._notes += 1
            if line := self._line(note):
                print(f"[offset {note.offset}] {line}")

    def _line(self, note: RdbNote) -> str:
        if note.kind == lib.RDB_NOTE_AUX:
            return f"AUX FIELD {_shown(note.text)} = '{_shown(note.value)}'"
        return f"Selecting DB ID {_shown(note.text)}" if note.kind == lib.RDB_NOTE_DB else ""

    def success(self) -> None:
        facts = self._load.facts()
        if line := CHECKSUM_LINES.get(facts.checksum):
            print(f"[offset {facts.offset}] {line}")
        print(f"[offset {facts.offset}] \\o/ RDB looks OK! \\o/")
        self._totals(facts)

    def failure(self, error: RdbError) -> None:
        facts = self._load.facts()
        text = "RDB CRC error" if facts.doing == "check-sum" else str(error)
        if text == "Unexpected EOF":
            text = "Unexpected EOF reading RDB file"
        print("--- RDB ERROR DETECTED ---")
        print(f"[offset {facts.offset}] {text}")
        print(f"[additional info] While doing: {facts.doing}")
        if facts.doing == "read-object-value" and facts.key is not None:
            print(f"[additional info] Reading key '{_shown(facts.key)}'")
            kind = facts.type_byte
            print(f"[additional info] Reading type {kind} ({type_name(kind)})")
        self._totals(facts)

    def _totals(self, facts: RdbFacts) -> None:
        print(f"[info] {sum(facts.by_type.values())} keys read")
        print(f"[info] {facts.expires} expires")
        print(f"[info] {facts.already_expired} already expired")
        print(f"[info] {sum(facts.by_type.get(kind, 0) for kind in FIELD_TTL_TYPES)} subexpires")


def check_rdb(fd: int, size: int) -> RdbFacts | None:
    """Reports on the RDB part from where `fd` stands; None if it is broken.

    What follows an RDB part, as in an old AOF, is not read: it begins at `offset` of the facts.
    """
    with (
        scratch_engine() as engine,
        RdbLoad(engine, fd, size, unique=True, check=True) as load,
    ):
        report = _Report(load)
        try:
            done = False
            while not done:
                done = load.step(STEP_BYTES)
                report.notes()
                lib.engine_cron(engine.handle, 10**6)  # large values are freed in the background
        except RdbError as error:
            report.notes()
            report.failure(error)
            return None
        report.success()
        return load.facts()


def main() -> None:
    """Argument: the file. The exit status is 1 if it is not as it should be."""
    if len(sys.argv) != 2:
        print("Usage: shmredis-check-rdb <rdb-file-name>", file=sys.stderr)
        sys.exit(1)
    path = Path(sys.argv[1])
    print(f"[offset 0] Checking RDB file {path}")
    try:
        with path.open("rb", buffering=0) as file:
            sound = check_rdb(file.fileno(), path.stat().st_size)
    except OSError as error:
        sys.exit(f"Cannot read the file: {error.strerror or error}")
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
