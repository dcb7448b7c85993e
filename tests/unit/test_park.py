"""Blocks given up while a snapshot reads: few pages are copied, and nothing is lost or kept."""

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from shmredis._core import lib
from tests.unit.arenas import MIB, attach, create, heap_stats, new_arena, read_block, write_block

FOREVER = 1 << 62
ALL = (1 << 32) - 1
OWNER, SIZE = 4, 500
MANY = 16_000  # blocks of SIZE: 8 MiB in classes of 512


class Blocks:
    """What the blocks have to hold."""

    def __init__(self, arena: Any) -> None:
        self.arena = arena
        self.data: dict[int, bytes] = {}

    def alloc(self, size: int, seed: int) -> int:
        ref = int(lib.wb_heap_alloc(self.arena, OWNER, size))
        assert ref
        assert ref not in self.data
        self.write(ref, size, seed)
        return ref

    def write(self, ref: int, size: int, seed: int) -> None:
        self.data[ref] = seed.to_bytes(4, "little") * (size // 4 + 1)
        write_block(self.arena, ref, self.data[ref][:size])
        self.data[ref] = self.data[ref][:size]

    def free(self, ref: int) -> None:
        del self.data[ref]
        lib.heap_free(self.arena, ref)

    def overwrite(self, ref: int, seed: int) -> int:
        """As a SET does."""
        if not lib.heap_frozen_block(self.arena, ref):
            self.write(ref, SIZE, seed)
            return ref
        new = self.alloc(SIZE, seed)
        self.free(ref)
        return new

    def check(self) -> None:
        lib.heap_check(self.arena)
        for ref, data in self.data.items():
            assert read_block(self.arena, ref, len(data)) == data

    def thaw(self) -> None:
        assert lib.freeze_thaw(self.arena, FOREVER)


@pytest.fixture
def blocks() -> Iterator[Blocks]:
    with new_arena(64 * MIB) as arena:
        blocks = Blocks(arena)
        for seed in range(MANY):
            blocks.alloc(SIZE, seed)
        yield blocks


def some(blocks: Blocks, n: int) -> list[int]:
    return random.Random(7).sample(list(blocks.data), n)


def test_overwriting_copies_few_pages(blocks: Blocks) -> None:
    lib.freeze_begin(blocks.arena)
    for seed, ref in enumerate(some(blocks, MANY // 4)):
        assert blocks.overwrite(ref, seed) != ref
    blocks.check()
    blocks.thaw()
    blocks.check()
    assert lib.freeze_copied(blocks.arena) < MANY * SIZE // 10


def test_what_was_replaced_once_is_overwritten_in_its_place(blocks: Blocks) -> None:
    lib.freeze_begin(blocks.arena)
    first = blocks.overwrite(next(iter(blocks.data)), 1)
    assert blocks.overwrite(first, 2) == first
    assert lib.heap_realloc(blocks.arena, first, SIZE - 1) == first


def test_freed_blocks_wait_for_the_thaw(blocks: Blocks) -> None:
    before = heap_stats(blocks.arena)
    lib.freeze_begin(blocks.arena)
    for ref in some(blocks, 2000):
        blocks.free(ref)
    frozen = heap_stats(blocks.arena)
    assert frozen.blocks == before.blocks - 2000 + 4  # that many notes
    assert frozen.by_owner[OWNER] == before.by_owner[OWNER] - 2000 * 512
    assert frozen.committed >= before.committed
    blocks.thaw()
    assert lib.park_any(blocks.arena)
    assert not lib.park_drain(blocks.arena, 1999)
    blocks.check()
    assert lib.park_drain(blocks.arena, 1)
    assert not lib.park_any(blocks.arena)
    blocks.check()
    assert heap_stats(blocks.arena).blocks == before.blocks - 2000
    room = heap_stats(blocks.arena).committed
    for seed in range(2000):  # they are used again
        blocks.alloc(SIZE, seed)
    assert heap_stats(blocks.arena).committed == room


def test_another_process_takes_them_over() -> None:
    fd = os.memfd_create("park")
    arena, _ = create(os.dup(fd), 64 * MIB)
    blocks = Blocks(arena)
    for seed in range(MANY):
        blocks.alloc(SIZE, seed)
    lib.freeze_begin(arena)
    for ref in some(blocks, 3000):
        blocks.free(ref)
    blocks.thaw()
    lib.wb_arena_delete(arena)
    blocks.arena, status = attach(fd)
    assert status == "OK"
    assert lib.park_drain(blocks.arena, ALL)
    blocks.check()
    lib.wb_arena_delete(blocks.arena)


def test_there_is_a_bound(blocks: Blocks) -> None:
    """The heap does not become longer without end however much is written."""
    used = heap_stats(blocks.arena).used
    lib.freeze_begin(blocks.arena)
    for seed, ref in enumerate(some(blocks, MANY)):
        blocks.overwrite(ref, seed)
    assert heap_stats(blocks.arena).committed < used * 5 // 3
    blocks.check()
    blocks.thaw()
    assert lib.park_drain(blocks.arena, ALL)
    blocks.check()


def test_a_full_arena_is_overwritten_in_place() -> None:
    with new_arena(4 * MIB) as arena:
        blocks = Blocks(arena)
        while ref := lib.wb_heap_alloc(arena, OWNER, SIZE):
            blocks.write(ref, SIZE, ref)
        full = len(blocks.data)
        lib.freeze_begin(arena)
        for ref in some(blocks, full // 2):
            blocks.free(ref)  # without memory for notes at once
        for seed in range(full // 2):
            blocks.alloc(SIZE, seed)
        for ref in list(blocks.data):
            assert lib.heap_realloc(arena, ref, SIZE) in (ref, *blocks.data)
        blocks.check()
        blocks.thaw()
        blocks.check()


@pytest.mark.parametrize("seed", range(8))
def test_anything_in_any_order(blocks: Blocks, seed: int) -> None:
    rand = random.Random(seed)
    for turn in range(6000):
        what = rand.random()
        ref = rand.choice(list(blocks.data)) if turn % 50 == 0 else next(iter(blocks.data))
        if what < 0.4:
            blocks.alloc(rand.choice([SIZE, 40, 600, 2048, 2049, 70_000]), turn)
        elif what < 0.7:
            blocks.free(ref)
        elif what < 0.99:
            data = blocks.data.pop(ref)
            size = rand.choice([len(data), 100, 900, 3000])
            new = lib.heap_realloc(blocks.arena, ref, size)
            assert read_block(blocks.arena, new, min(size, len(data))) == data[:size]
            blocks.write(new, size, turn)
        elif not lib.wb_arena_phase(blocks.arena):
            lib.park_drain(blocks.arena, rand.randrange(500))
            lib.freeze_begin(blocks.arena)
        else:
            lib.freeze_thaw(blocks.arena, 0)
        if turn % 1000 == 0:
            blocks.check()
    blocks.thaw()
    assert lib.park_drain(blocks.arena, ALL)
    blocks.check()
