"""Arenas of earlier lives: taken over whole, or refused with the reason; csrc/db/attach.h."""

import mmap
import os
from collections.abc import Iterator
from typing import Any

import pytest

import shmredis.worker.main  # noqa: F401 - gives the core its XXH3
from shmredis._core import ffi, lib
from tests.unit.engines import Engine, Session

BIG = 3000  # elements: freed lazily
DATABASES = 4
SLOTS = (0, 16383)
LAYOUT_AT, BUSY_AT, GENERATION_AT, SEED_AT = 8, 12, 20, 40  # in the superblock
SUPERBLOCK = 400  # bytes


class Life:
    """An engine in an object that outlives it."""

    def __init__(self) -> None:
        self.object = os.memfd_create("test-life")
        self.engine: Any = None
        self.report = ffi.new("struct attach_report *")
        self._create()

    def _create(self) -> None:
        status = ffi.new("int *")
        seed = bytes(range(16))
        fd = os.dup(self.object)
        handle = lib.engine_new(fd, b"life", 1 << 28, seed, DATABASES, status)
        assert handle
        lib.engine_set_digest(handle, lib.python_xxh3)
        self._adopt(handle)

    def _adopt(self, handle: Any) -> None:
        self.engine = Engine.__new__(Engine)
        self.engine.handle = handle
        self.engine.arena = lib.wb_engine_arena(handle)
        self.engine.session = Session(self.engine)
        lib.session_set_resp(self.engine.session.handle, 3)

    def end(self, *, seal: bool = False) -> None:
        """As kill -9 between two commands would, or in order."""
        if self.engine:
            if seal:
                lib.engine_seal(self.engine.handle)
            self.engine.close()
        self.engine = None

    def attach(self, databases: int = DATABASES, slots: tuple[int, int] = SLOTS) -> bool:
        """Whether the next life takes the arena over."""
        terms = ffi.new("struct attach_terms *", (databases, *slots, lib.python_xxh3))
        handle = lib.engine_attach(os.dup(self.object), b"life", terms, self.report)
        if handle:
            self._adopt(handle)
        return bool(handle)

    @property
    def why(self) -> str:
        return bytes(ffi.string(self.report.why)).decode()

    def digest(self) -> Any:
        return [self.engine.call("SELECT", 0), debug(self.engine, "DIGEST")]


def debug(engine: Engine, *words: str) -> bytes:
    argv = [ffi.from_buffer(word.encode()) for word in ("DEBUG", *words)]
    argn = [len(word) for word in argv]
    size = ffi.new("size_t *")
    text = lib.engine_debug(engine.handle, 0, 3, len(argv), argv, argn, size)
    return bytes(ffi.buffer(text, size[0])[:])


def fill(engine: Engine) -> None:
    """Something of every type and encoding, expiry, two databases."""
    call = engine.call
    for i in range(2000):
        call("SET", f"key:{i}", i)
    call("SET", "text", "x" * 100)
    call("SET", "large", "y" * 700_000)
    call("SET", "soon", "gone", "PX", 100_000)
    call("RPUSH", "short", *range(20))
    call("RPUSH", "long", *("z" * 50 for _ in range(1000)))
    call("SADD", "numbers", *range(40))
    call("SADD", "names", *(f"name-{i}" for i in range(BIG)))
    call("HSET", "small", "a", 1, "b", 2)
    call("HSET", "wide", *(f"f{i}" for i in range(BIG)))
    call("HEXPIRE", "wide", 1000, "FIELDS", 1, "f0")
    call("ZADD", "few", 1, "a", 2, "b")
    call("ZADD", "many", *(word for i in range(BIG) for word in (i, f"m{i}")))
    call("ARSET", "cells", 5, "a", 1, 2.5, "in a block of its own")
    call("ARMSET", "slots", *(word for i in range(BIG) for word in (i * 9, f"element {i}")))
    call("SELECT", 2)
    call("SET", "elsewhere", "yes")
    call("SELECT", 0)


@pytest.fixture
def life() -> Iterator[Life]:
    made = Life()
    try:
        yield made
    finally:
        made.end()
        os.close(made.object)


def test_everything_is_there_after_an_orderly_end_and_after_a_sudden_one(life: Life) -> None:
    fill(life.engine)
    for generation, seal in enumerate((True, False, True), start=1):
        before = life.digest()
        life.end(seal=seal)
        assert life.attach(), life.why
        assert life.report.sealed == seal
        assert life.report.generation == generation
        assert life.report.keys == 2014
        assert life.digest() == before
        assert life.engine.call("TTL", "soon") in (99, 100)
        assert life.engine.call("OBJECT", "ENCODING", "many") == b"skiplist"
        life.engine.check()
        life.engine.call("SET", f"more:{generation}", generation)
        life.engine.call("DEL", f"more:{generation}")


def test_what_waits_to_be_freed_is_freed_by_the_next_life(life: Life) -> None:
    fill(life.engine)
    life.engine.call("UNLINK", "names", "wide", "many", "slots")
    assert lib.engine_stats(life.engine.handle).lazyfree_pending == 4
    assert lib.engine_orphans(life.engine.handle) == 0
    life.engine.call("FLUSHALL", "ASYNC")
    pending = lib.engine_stats(life.engine.handle).lazyfree_pending
    assert pending > 2000
    life.end()
    assert life.attach()
    assert lib.engine_stats(life.engine.handle).lazyfree_pending == pending
    life.engine.check()
    blocks = lib.engine_purge(life.engine.handle)
    assert blocks
    assert lib.engine_stats(life.engine.handle).lazyfree_pending == 0
    memory = ffi.new("struct engine_memory *")
    lib.engine_memory(life.engine.handle, memory)
    assert memory.blocks == 1  # the databases


def test_a_block_that_nothing_refers_to_is_found(life: Life) -> None:
    fill(life.engine)
    assert lib.engine_orphans(life.engine.handle) == 0
    lib.wb_heap_alloc(life.engine.arena, 4, 100)
    lib.wb_heap_alloc(life.engine.arena, 4, 1 << 20)
    assert lib.engine_orphans(life.engine.handle) == 2


def patch(life: Life, offset: int, data: bytes) -> None:
    with mmap.mmap(life.object, 1 << 28) as memory:
        memory[offset : offset + len(data)] = data


def test_an_end_inside_a_command_is_not_trusted(life: Life) -> None:
    life.end()
    patch(life, BUSY_AT, b"\1")
    assert not life.attach()
    assert life.why == "its worker ended inside a command"


def test_another_layout_is_refused(life: Life) -> None:
    life.end(seal=True)
    patch(life, LAYOUT_AT, b"\xfe")
    assert not life.attach()
    assert life.why.startswith("its layout is version 254 and not ")


@pytest.mark.parametrize(
    ("at", "why"),
    [(SEED_AT, "its superblock is damaged"), (GENERATION_AT, "its checksum is wrong")],
)
def test_a_superblock_that_was_changed_after_an_orderly_end_is_refused(
    life: Life, at: int, why: str
) -> None:
    fill(life.engine)
    life.end(seal=True)
    patch(life, at, b"\xee")
    assert not life.attach()
    assert life.why == why


def test_a_damaged_page_table_is_refused(life: Life) -> None:
    fill(life.engine)
    life.end()
    table = 64 << 10
    with mmap.mmap(life.object, 1 << 28) as memory:
        first = next(i for i in range(4000) if memory[table + 32 * i])
        memory[table + 32 * first] = 9
    assert not life.attach()
    assert life.why == "its page table is damaged"


def test_no_arena_at_all_is_refused() -> None:
    made = Life()
    made.end()
    for size in (0, 10, 1 << 28):
        os.ftruncate(made.object, 0)
        os.ftruncate(made.object, size)
        assert not made.attach()
        assert made.why == "it is no arena"
    os.close(made.object)


def test_a_refused_arena_is_as_it_was(life: Life) -> None:
    fill(life.engine)
    before = life.digest()
    life.end(seal=True)
    assert not life.attach(slots=(0, 8191))
    assert life.why == "its slots are 0-16383 and not 0-8191"
    assert not life.attach(databases=2)
    assert life.why == "it has 4 databases and not 2"
    assert life.attach()
    assert life.report.sealed
    assert life.digest() == before


def test_databases_can_be_added(life: Life) -> None:
    fill(life.engine)
    life.end()
    assert life.attach(databases=40)
    assert life.engine.call("SELECT", 39) == "OK"
    assert life.engine.call("DBSIZE") == 0
    assert life.engine.call("SET", "k", "v") == "OK"
    life.engine.check()
    life.end()
    assert life.attach(databases=40)
    life.engine.call("SELECT", 2)
    assert life.engine.call("GET", "elsewhere") == b"yes"


def test_files_and_owner_are_noted(life: Life) -> None:
    rdb = ffi.new("struct file_mark *", (1, 2, 3))
    aof = ffi.new("struct file_mark *", (4, 5, 6))
    lib.engine_note_files(life.engine.handle, 77, rdb, aof)
    life.end()
    assert life.attach()
    report = life.report
    assert report.print == 77
    assert (report.rdb.inode, report.rdb.size, report.rdb.mtime_ns) == (1, 2, 3)
    assert (report.aof.inode, report.aof.size, report.aof.mtime_ns) == (4, 5, 6)


def test_no_bit_of_the_superblock_changes_what_is_found(life: Life) -> None:
    """One that was changed while nobody had the arena: it is refused, or all is there as it was."""
    fill(life.engine)
    life.engine.call("DEL", "big")  # is freed by and by
    digest = life.digest()
    life.end()
    with mmap.mmap(life.object, 1 << 20) as memory:
        before = memory[:SUPERBLOCK]
    taken = 0
    for at in range(SUPERBLOCK):
        patch(life, at, bytes([before[at] ^ 1 << at % 8]))
        if life.attach():
            taken += 1
            assert life.digest() == digest, at
            life.end()
        else:
            assert life.why
        patch(life, 0, before)
    assert life.attach()
    assert 0 < taken < SUPERBLOCK
