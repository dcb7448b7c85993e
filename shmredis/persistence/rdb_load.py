"""Reading an RDB file into an engine, a slice at a time; the format itself is the core's business."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shmredis._core import ffi, lib
from shmredis.engine import Engine

__all__ = ["UNKNOWN_SIZE", "RdbError", "RdbFacts", "RdbLoad", "RdbNote", "type_name"]

UNKNOWN_SIZE = (1 << 64) - 1


class RdbError(Exception):
    """The file cannot be loaded. The text is what Redis says in its log; `offset` is where."""

    def __init__(self, text: str, offset: int) -> None:
        super().__init__(text)
        self.offset = offset

    def lines(self) -> list[str]:
        """What the log of a server says. Source: the lines of Redis 8.10."""
        text = str(self)
        if text.startswith(("Wrong signature", "Can't handle", "RDB has duplicated key")):
            return [text]
        if text.startswith("Data file was created"):
            return [f"FATAL: {text}. Exiting"]
        before, why = [], text
        if text == "Unexpected EOF":
            before = ["Short read or OOM loading DB. Unrecoverable error, aborting now."]
            why = f"{text} reading RDB file"
        elif text.startswith("Wrong RDB checksum"):
            before, why = [text], "RDB CRC error"
        where = f"offset {self.offset}, function at rdb_load.c"
        return [*before, f"Internal error in RDB reading {where} -> {why}"]


@dataclass(slots=True, frozen=True)
class RdbFacts:
    """How far a load is, and what it has found; struct rdb_loading_facts."""

    version: int
    valkey: bool
    offset: int  # bytes read; of a finished load: where an old AOF goes on with commands
    keys: int
    volatile_keys: int
    expired: int  # dropped
    already_expired: int  # seen, dropped or not
    empty: int
    foreign: int  # of other workers
    functions: int
    # when checking:
    key: bytes | None  # of the record that is being read, or was last
    type_byte: int
    by_type: dict[int, int]  # records of each type byte
    expires: int
    doing: str  # in redis-check-rdb's words
    checksum: int  # RDB_CHECKSUM_…


@dataclass(slots=True, frozen=True)
class RdbNote:
    """An AUX field, a library or a database; `offset` is behind it."""

    kind: int  # RDB_NOTE_AUX, RDB_NOTE_FUNCTION, RDB_NOTE_DB
    text: bytes  # a field's name
    value: bytes  # of a field
    offset: int


class RdbLoad:
    """A load under way. Close it, whatever comes of it."""

    def __init__(
        self,
        engine: Engine,
        fd: int,
        size: int = UNKNOWN_SIZE,
        *,
        drop_expired: bool = False,
        unique: bool = False,
        checksum: bool = True,
        merge: bool = False,
        check: bool = False,
        key_delay_us: int = 0,
    ) -> None:
        """Reads from where `fd` stands, which stays the caller's; `size` bytes are left there.

        drop_expired: as a master does at its start; not for an AOF's base.
        unique: refuse packed values with an element twice.
        merge: keys that are there are replaced; else they are an error.
        check: values are built and dropped, no key is kept.
        """
        plan = ffi.new("struct rdb_loading_plan *")
        plan.drop_expired, plan.unique, plan.no_checksum = drop_expired, unique, not checksum
        plan.merge, plan.check, plan.key_delay_us = merge, check, key_delay_us
        self._engine = engine  # lives as long as the load
        self._handle = lib.rdb_loading_new(engine.handle, fd, size, plan)

    def step(self, size: int) -> bool:
        """Reads about so many bytes more; True when all is loaded. Raises: RdbError."""
        outcome = lib.rdb_loading_step(self._handle, size)
        if outcome == lib.RDB_LOADING_FAILED:
            facts = self._facts()
            text = ffi.string(facts.error_text).decode("utf-8", "replace")
            raise RdbError(text, facts.error_offset)
        return bool(outcome == lib.RDB_LOADING_DONE)

    def run(self) -> RdbFacts:
        """Reads all of it at once. Raises: RdbError."""
        while not self.step(1 << 24):
            pass
        return self.facts()

    def close(self) -> None:
        lib.rdb_loading_delete(self._handle)
        self._handle = ffi.NULL

    def __enter__(self) -> "RdbLoad":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what it has found ---

    def _facts(self) -> Any:
        out = ffi.new("struct rdb_loading_facts *")
        lib.rdb_loading_facts(self._handle, out)
        return out

    def facts(self) -> RdbFacts:
        """What is known of the file so far."""
        f = self._facts()
        return RdbFacts(
            version=f.version,
            valkey=f.valkey,
            offset=f.offset,
            keys=f.keys,
            volatile_keys=f.volatile_keys,
            expired=f.expired,
            already_expired=f.already_expired,
            empty=f.empty,
            foreign=f.foreign,
            functions=f.functions,
            key=bytes(ffi.buffer(f.key, f.key_n)) if f.type_byte >= 0 else None,
            type_byte=f.type_byte,
            by_type={i: int(n) for i, n in enumerate(f.by_type) if n},
            expires=f.expires,
            doing=ffi.string(f.doing).decode(),
            checksum=f.checksum,
        )

    def note(self, i: int) -> RdbNote | None:
        """The i-th thing that the file says of itself; None: it says no more."""
        n, offset = ffi.new("size_t *"), ffi.new("uint64_t *")
        for kind in (lib.RDB_NOTE_AUX, lib.RDB_NOTE_FUNCTION, lib.RDB_NOTE_DB):
            text = lib.rdb_loading_note(self._handle, i, kind, n, offset)
            if text:
                first = bytes(ffi.buffer(text, n[0]))
                more = self._note(i, lib.RDB_NOTE_AUX_VALUE) or b""
                return RdbNote(kind, first, more, offset[0])
        return None

    def aux(self) -> list[tuple[bytes, bytes]]:
        """AUX fields so far, in the order of the file."""
        return [
            (name, self._note(i, lib.RDB_NOTE_AUX_VALUE) or b"")
            for i in range(self._facts().notes)
            if (name := self._note(i, lib.RDB_NOTE_AUX)) is not None
        ]

    def libraries(self) -> Iterator[bytes]:
        """Sources of function libraries so far."""
        for i in range(self._facts().notes):
            if (source := self._note(i, lib.RDB_NOTE_FUNCTION)) is not None:
                yield source

    def _note(self, i: int, which: int) -> bytes | None:
        n = ffi.new("size_t *")
        text = lib.rdb_loading_note(self._handle, i, which, n, ffi.NULL)
        return bytes(ffi.buffer(text, n[0])) if text else None


def type_name(type_byte: int) -> str:
    """What a type byte of a record is called: "hash-listpack"."""
    return str(ffi.string(lib.core_rdb_type_name(type_byte)).decode())
