"""Arenas: made, kept, attached, refused when damaged."""

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from shmredis._core import lib
from tests.unit.arenas import (
    MIB,
    PAGE,
    attach,
    create,
    heap_stats,
    new_arena,
    read_block,
    superblock,
    write_block,
)

# struct arena_super
MAGIC, LAYOUT, SIZE, MAX_SIZE, ROOTS = 0, 8, 24, 32, 64
# struct page_desc
STATE, CLS, OWNER, USED, CARVED, FREE_HEAD, FILL, NEXT, PREV, SPAN = (
    0,
    1,
    2,
    4,
    6,
    8,
    10,
    12,
    16,
    20,
)
DESCRIPTOR = 32
FREE, SLAB, SPAN_HEAD, REST = range(4)
# struct heap_root
LISTS = 4096
TOTALS = LISTS + 4 * 16 * 112 * 8


def memory_object() -> int:
    return os.memfd_create("test-arena")


@pytest.fixture
def kept() -> Iterator[int]:
    """An object that a worker has left: slabs of two owners, a span, freed blocks, free pages."""
    fd = memory_object()
    arena, status = create(os.dup(fd), 16 * MIB)
    assert status == "OK"
    refs = [lib.wb_heap_alloc(arena, 1 + i % 2, 40) for i in range(3000)]
    span = lib.wb_heap_alloc(arena, 3, MIB)
    lib.heap_free(arena, lib.wb_heap_alloc(arena, 3, MIB))
    for ref in refs[1::3]:
        lib.heap_free(arena, ref)
    write_block(arena, refs[0], struct.pack("<II", refs[2], span))
    write_block(arena, refs[2], b"second")
    write_block(arena, span, b"large")
    lib.wb_arena_delete(arena)
    os.pwrite(fd, struct.pack("<I", refs[0]), ROOTS)
    yield fd
    os.close(fd)


def first_ref(fd: int) -> int:
    (ref,) = struct.unpack("<I", os.pread(fd, 4, ROOTS))
    assert isinstance(ref, int)
    return ref


def descriptors(fd: int, state: int) -> list[int]:
    """Offsets of those in this state."""
    pages = struct.unpack("<Q", os.pread(fd, 8, SIZE))[0] // PAGE
    offsets = range(PAGE + 2 * DESCRIPTOR, PAGE + pages * DESCRIPTOR, DESCRIPTOR)
    return [at for at in offsets if os.pread(fd, 1, at)[0] == state]


def change(fd: int, at: int, form: str, fn: Callable[[int], int]) -> None:
    (value,) = struct.unpack(form, os.pread(fd, struct.calcsize(form), at))
    os.pwrite(fd, struct.pack(form, fn(value)), at)


def assert_refused(fd: int) -> None:
    arena, status = attach(os.dup(fd))
    assert not arena
    assert status == "SHM_FORMAT"


def test_fresh_superblock() -> None:
    with new_arena(16 * MIB + 1) as arena:
        head = superblock(arena)
        assert head.max_size == 16 * MIB + PAGE
        assert (head.slot_first, head.slot_last, head.busy, head.generation) == (0, 16383, 0, 0)
        assert head.seed == bytes(range(1, 17))
        assert heap_stats(arena).blocks == 0


def test_kept_object_is_attached(kept: int) -> None:
    arena, status = attach(os.dup(kept))
    assert status == "OK"
    lib.heap_check(arena)
    assert superblock(arena).generation == 0
    assert heap_stats(arena).blocks == 2001
    second, span = struct.unpack("<II", read_block(arena, first_ref(kept), 8))
    assert read_block(arena, second, 6) == b"second"
    assert read_block(arena, span, 5) == b"large"
    refs = {lib.wb_heap_alloc(arena, 1, 40) for _ in range(2000)}
    assert len(refs) == 2000
    assert not refs & {0, second, span}
    assert read_block(arena, second, 6) == b"second"
    lib.heap_free(arena, span)
    lib.heap_trim(arena)
    lib.heap_check(arena)
    lib.wb_arena_delete(arena)


@pytest.mark.parametrize(
    ("at", "form", "fn"),
    [
        *[
            (MAGIC, "<Q", lambda v: v ^ 1),
            (MAGIC, "<Q", lambda _: 0),
            (LAYOUT, "<I", lambda v: v + 1),
        ],
        *[(SIZE, "<Q", lambda v: v + 1), (SIZE, "<Q", lambda _: 5 * PAGE)],
        *[(SIZE, "<Q", lambda _: 0), (SIZE, "<Q", lambda _: PAGE)],
        *[(SIZE, "<Q", lambda _: 1 << 63), (MAX_SIZE, "<Q", lambda v: v + PAGE)],
        *[(MAX_SIZE, "<Q", lambda v: v - 1), (MAX_SIZE, "<Q", lambda _: PAGE)],
        *[(MAX_SIZE, "<Q", lambda _: 1 << 50)],
        *[(TOTALS + 8 * i, "<Q", lambda v: v + 1) for i in (0, 2, 6, 8, 20)],
        (TOTALS + 8, "<Q", lambda _: 0),
    ],
)
def test_damaged_page_0_is_refused(kept: int, at: int, form: str, fn: Callable[[int], int]) -> None:
    change(kept, at, form, fn)
    assert_refused(kept)


@pytest.mark.parametrize(
    ("state", "at", "form", "fn"),
    [
        *[(state, STATE, "<B", lambda v: v ^ 1) for state in (FREE, SLAB, SPAN_HEAD, REST)],
        *[(state, STATE, "<B", lambda _: 9) for state in (FREE, SLAB, SPAN_HEAD, REST)],
        *[(SLAB, CLS, "<B", lambda v: v + 1), (SLAB, CLS, "<B", lambda _: 112)],
        *[(SLAB, OWNER, "<B", lambda v: 3 - v), (SLAB, OWNER, "<B", lambda _: 0)],
        *[(SLAB, OWNER, "<B", lambda _: 16), (SPAN_HEAD, OWNER, "<B", lambda _: 255)],
        *[(SLAB, USED, "<H", lambda v: v + 1), (SLAB, USED, "<H", lambda _: 0xFFFF)],
        *[(SLAB, CARVED, "<H", lambda _: 0), (SLAB, CARVED, "<H", lambda _: 0xFFFF)],
        *[(SLAB, FREE_HEAD, "<H", lambda _: 0), (SLAB, FREE_HEAD, "<H", lambda _: 0xFFFF)],
        *[(SLAB, FILL, "<B", lambda _: 0xFF), (SLAB, FILL, "<B", lambda v: v ^ 1)],
        *[(SLAB, NEXT, "<I", lambda _: 1), (SLAB, NEXT, "<I", lambda _: 1 << 31)],
        *[(SLAB, NEXT, "<I", lambda _: 2), (SLAB, PREV, "<I", lambda v: v + 1)],
        *[(SLAB, SPAN, "<I", lambda v: v + 1), (SPAN_HEAD, SPAN, "<I", lambda v: v - 1)],
        *[(SPAN_HEAD, SPAN, "<I", lambda _: 0), (SPAN_HEAD, SPAN, "<I", lambda _: 1 << 31)],
        *[(SPAN_HEAD, USED, "<H", lambda _: 2), (REST, SPAN, "<I", lambda v: v + 1)],
    ],
)
def test_damaged_page_table_is_refused(
    kept: int, state: int, at: int, form: str, fn: Callable[[int], int]
) -> None:
    change(kept, descriptors(kept, state)[0] + at, form, fn)
    assert_refused(kept)


def test_short_object_is_refused(kept: int) -> None:
    os.ftruncate(kept, 16 * MIB - 1)
    assert_refused(kept)
    os.ftruncate(kept, 40)
    assert_refused(kept)


def test_lists_that_are_circles_or_lead_nowhere_are_refused(kept: int) -> None:
    used = [
        LISTS + 4 * i for i in range(16 * 112 * 8) if os.pread(kept, 4, LISTS + 4 * i) != b"\0" * 4
    ]
    assert used
    for at in used:
        whole = os.pread(kept, 4, at)
        for page in (0, 1, 255, 1 << 30):
            os.pwrite(kept, struct.pack("<I", page), at)
            assert_refused(kept)
        os.pwrite(kept, whole, at)
    arena, status = attach(os.dup(kept))
    assert status == "OK"
    lib.wb_arena_delete(arena)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.integers(0, 55), st.integers(LISTS, TOTALS + 200), st.integers(PAGE, PAGE + 3000)
            ),
            st.integers(0, 255),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_damage_is_survived(damage: list[tuple[int, int]]) -> None:
    """Refused, or attached and closed again: never a crash."""
    fd = memory_object()
    arena, _ = create(os.dup(fd), 4 * MIB)
    for size in (8, 40, 40, 5000, MIB):
        lib.wb_heap_alloc(arena, 1, size)
    lib.wb_arena_delete(arena)
    for at, value in damage:
        os.pwrite(fd, bytes([value]), at)
    arena, status = attach(fd)
    assert status in ("OK", "SHM_FORMAT", "SHM_MAP")
    assert bool(arena) == (status == "OK")
    if arena:
        lib.wb_arena_delete(arena)


@pytest.mark.parametrize("content", [b"", b"x", bytes(PAGE), os.urandom(4 * PAGE)])
def test_foreign_object_is_refused(content: bytes) -> None:
    fd = memory_object()
    os.write(fd, content)
    assert_refused(fd)
    os.close(fd)


def test_object_that_cannot_have_memory(tmp_path: Path) -> None:
    path = tmp_path / "read-only"
    path.touch()
    arena, status = create(os.open(path, os.O_RDONLY), MIB)
    assert not arena
    assert status == "SHM_SPACE"
