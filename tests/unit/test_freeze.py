"""Freezing and thawing an arena: the object keeps the instant, the owner loses nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from shmredis._core import ffi, lib
from tests.unit.arenas import MIB, attach, backed_bytes, new_arena, read_block, write_block

LIVE, FROZEN, THAWING = range(3)
MARK = slice(192, 196)  # struct arena_super: frozen
SIZE = slice(24, 32)
NO_PAGEMAP, NO_POPULATE, NO_EXCHANGE = 1, 2, 4
FOREVER = 1 << 62
ALL_LACKS = [0, NO_PAGEMAP, NO_POPULATE, NO_EXCHANGE, NO_PAGEMAP | NO_POPULATE | NO_EXCHANGE]


def object_bytes(arena: Any) -> bytes:
    """The object from its beginning to what its own superblock calls its size."""
    fd = lib.wb_arena_fd(arena)
    size = int.from_bytes(os.pread(fd, 8, SIZE.start), "little")
    return os.pread(fd, size, 0)


def mark(arena: Any) -> int:
    return int.from_bytes(os.pread(lib.wb_arena_fd(arena), 4, MARK.start), "little")


def without_mark(image: bytes) -> bytes:
    return image[: MARK.start] + b"\0\0\0\0" + image[MARK.stop :]


class Frozen:
    """An arena, what its blocks have to hold, and what its object has to be while it is frozen."""

    def __init__(self, arena: Any) -> None:
        self.arena = arena
        self.blocks: dict[int, bytes] = {}
        self.image = b""

    @property
    def phase(self) -> int:
        return int(lib.wb_arena_phase(self.arena))

    def alloc(self, size: int, seed: int) -> None:
        ref = lib.wb_heap_alloc(self.arena, 1 + seed % 4, size)
        assert ref
        self.blocks[ref] = b"\0" * size
        self.write(ref, seed)

    def write(self, ref: int, seed: int) -> None:
        size = len(self.blocks[ref])
        data = (seed.to_bytes(8, "little") * (size // 8 + 1))[:size]
        write_block(self.arena, ref, data)
        self.blocks[ref] = data

    def nth(self, n: int) -> int | None:
        return list(self.blocks)[n % len(self.blocks)] if self.blocks else None

    def free(self, ref: int) -> None:
        del self.blocks[ref]
        lib.heap_free(self.arena, ref)

    def freeze(self) -> None:
        if self.phase != LIVE:
            return
        self.image = object_bytes(self.arena)
        lib.freeze_begin(self.arena)

    def check(self) -> None:
        """What each phase promises."""
        lib.heap_check(self.arena)
        for ref, data in self.blocks.items():
            assert read_block(self.arena, ref, len(data)) == data
        assert mark(self.arena) == self.phase
        if self.phase == FROZEN:
            assert without_mark(object_bytes(self.arena)) == self.image
        elif self.phase == LIVE:
            image = object_bytes(self.arena)
            assert read_block(self.arena, 0, 4096) == image[:4096]
            for ref, data in self.blocks.items():
                assert image[ref * 8 :][: len(data)] == data


@contextmanager
def frozen_arena(lacks: int = 0, max_size: int = 64 * MIB) -> Iterator[Frozen]:
    with new_arena(max_size) as arena:
        lib.freeze_set_lacks(arena, lacks)
        yield Frozen(arena)


STEPS = st.lists(
    st.tuples(
        st.sampled_from("aaawwwwffAztTFpP"),
        st.integers(1, 3000),
        st.integers(0, 1 << 40),
    ),
    max_size=60,
)


def step(frozen: Frozen, what: str, size: int, seed: int) -> None:
    ref = frozen.nth(seed)
    if what == "a":
        frozen.alloc(size, seed)
    elif what == "A":  # makes the arena longer
        frozen.alloc(size * 1000, seed)
    elif what == "w" and ref is not None:
        frozen.write(ref, seed)
    elif what == "f" and ref is not None:
        frozen.free(ref)
    elif what == "z":
        lib.heap_trim(frozen.arena)
    elif what == "F":
        frozen.freeze()
    elif what == "t":
        lib.freeze_thaw(frozen.arena, 0)
    elif what == "T":
        assert lib.freeze_thaw(frozen.arena, FOREVER)
    elif what in "pP":
        lib.freeze_prepare(frozen.arena, 0 if what == "p" else FOREVER)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
@pytest.mark.parametrize("lacks", ALL_LACKS)
def test_object_keeps_the_instant_and_owner_loses_nothing(
    lacks: int, steps: list[tuple[str, int, int]]
) -> None:
    with frozen_arena(lacks) as frozen:
        for what, size, seed in steps:
            step(frozen, what, size, seed)
            frozen.check()
        assert lib.freeze_thaw(frozen.arena, FOREVER)
        frozen.check()


@pytest.mark.parametrize("lacks", ALL_LACKS)
def test_thaw_copies_only_what_was_written(lacks: int) -> None:
    with frozen_arena(lacks) as frozen:
        for seed in range(64):
            frozen.alloc(100_000, seed)
        frozen.freeze()
        written = frozen.nth(17)
        assert written is not None
        frozen.write(written, 12345)
        frozen.free(frozen.nth(20) or 0)
        assert lib.freeze_thaw(frozen.arena, FOREVER)
        assert (
            100_000 <= lib.freeze_copied(frozen.arena) < 300_000
        )  # debug builds fill what is freed
        frozen.check()


@pytest.mark.parametrize("lacks", ALL_LACKS)
def test_holes_stay_holes(lacks: int) -> None:
    """Neither filling page tables nor thawing gives memory to what was punched."""
    with frozen_arena(lacks) as frozen:
        for seed in range(40):
            frozen.alloc(1_000_000, seed)
        for ref in list(frozen.blocks)[::2]:
            frozen.free(ref)
        assert lib.heap_trim(frozen.arena) > 10 * MIB
        backed = backed_bytes(frozen.arena)
        assert lib.freeze_prepare(frozen.arena, FOREVER)
        assert backed_bytes(frozen.arena) == backed
        frozen.freeze()
        frozen.write(frozen.nth(3) or 0, 99)
        assert lib.freeze_thaw(frozen.arena, FOREVER)
        assert backed_bytes(frozen.arena) == backed
        frozen.check()


def test_nothing_is_punched_while_frozen_or_thawing() -> None:
    with frozen_arena() as frozen:
        for seed in range(20):
            frozen.alloc(1_000_000, seed)
        frozen.freeze()
        for ref in list(frozen.blocks):
            frozen.free(ref)
        assert lib.heap_trim(frozen.arena) == 0
        assert not lib.freeze_thaw(frozen.arena, 0)
        assert frozen.phase == THAWING
        assert lib.heap_trim(frozen.arena) == 0
        assert lib.freeze_thaw(frozen.arena, FOREVER)
        assert lib.heap_trim(frozen.arena) > 10 * MIB
        frozen.check()


def test_roles_of_the_mappings_alternate() -> None:
    with frozen_arena() as frozen:
        frozen.alloc(5000, 1)
        ref = frozen.nth(0) or 0
        places = set()
        for round_ in range(5):
            places.add(int(ffi.cast("uintptr_t", lib.wb_arena_ptr(frozen.arena, ref))))
            frozen.freeze()
            frozen.write(ref, round_)
            frozen.check()
            assert lib.freeze_thaw(frozen.arena, FOREVER)
            frozen.check()
        assert len(places) == 2


def test_growth_while_frozen_and_thawing_is_kept() -> None:
    with frozen_arena() as frozen:
        for seed in range(10):
            frozen.alloc(1_000_000, seed)
        frozen.freeze()
        for seed in range(10, 20):
            frozen.alloc(1_000_000, seed)
        frozen.check()
        for seed in range(20, 30):
            lib.freeze_thaw(frozen.arena, 0)
            frozen.alloc(1_000_000, seed)
            frozen.check()
        assert lib.freeze_thaw(frozen.arena, FOREVER)
        frozen.check()


def copy_of_object(arena: Any) -> int:
    """Another object with the same bytes, as a next worker finds them when this one dies now."""
    fd, copy = lib.wb_arena_fd(arena), os.memfd_create("copy")
    size = os.fstat(fd).st_size
    os.truncate(copy, size)
    os.pwrite(copy, object_bytes(arena), 0)
    return copy


def test_frozen_object_is_an_arena_of_the_instant() -> None:
    with frozen_arena() as frozen:
        for seed in range(200):
            frozen.alloc(100 + seed, seed)
        before = dict(frozen.blocks)
        frozen.freeze()
        for seed in range(100):
            frozen.write(frozen.nth(seed) or 0, 7 * seed)
            frozen.alloc(300, seed)
        for _ in range(50):
            frozen.free(frozen.nth(0) or 0)
        twin, status = attach(copy_of_object(frozen.arena))
        assert status == "OK"
        lib.heap_check(twin)
        for ref, data in before.items():
            assert read_block(twin, ref, len(data)) == data
        lib.wb_arena_delete(twin)


def test_thaw_of_a_live_arena_is_done_at_once() -> None:
    with new_arena(8 * MIB) as arena:
        assert lib.freeze_thaw(arena, 0)
        assert lib.freeze_copied(arena) == 0
