"""The heap against a model: contents kept, figures right, every invariant after each step."""

import random

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shmredis._core import lib
from tests.unit.arenas import (
    MIB,
    OWNERS,
    PAGE,
    backed_bytes,
    heap_stats,
    new_arena,
    read_block,
    write_block,
)

LARGEST_CLASS = 512 << 10

sizes = st.one_of(
    st.integers(1, 200),
    st.integers(1, 5000),
    st.integers(5000, LARGEST_CLASS),
    st.integers(LARGEST_CLASS, 3 * MIB),
    st.sampled_from([8, 9, 64, 65, 128, 129, PAGE, PAGE + 1, LARGEST_CLASS + 1, 8 * MIB]),
)


def pattern(number: int, size: int) -> bytes:
    return (number.to_bytes(5, "little") * (size // 5 + 1))[:size]


class Heap(RuleBasedStateMachine):
    """A small arena that is full now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.arena = lib.wb_arena_new(16 * MIB)
        self.blocks: dict[int, bytes] = {}
        self.owners: dict[int, int] = {}
        self.made = self.moved = self.peak = 0

    def teardown(self) -> None:
        lib.wb_arena_delete(self.arena)

    def any_block(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.blocks)))

    def keep(self, ref: int, owner: int, content: bytes) -> None:
        assert ref not in self.blocks
        self.blocks[ref] = content
        self.owners[ref] = owner

    def drop(self, ref: int) -> tuple[int, bytes]:
        return self.owners.pop(ref), self.blocks.pop(ref)

    def used(self) -> int:
        return sum(lib.heap_usable(self.arena, ref) for ref in self.blocks)

    @rule(owner=st.sampled_from(OWNERS), size=sizes, count=st.sampled_from([1, 1, 20]))
    def alloc(self, owner: int, size: int, count: int) -> None:
        for _ in range(count):
            ref = lib.wb_heap_alloc(self.arena, owner, size)
            if not ref:
                return
            self.made += 1
            content = pattern(self.made, size)
            write_block(self.arena, ref, content)
            self.keep(ref, owner, content)

    @precondition(lambda self: self.blocks)
    @rule(data=st.data(), size=sizes)
    def realloc(self, data: st.DataObject, size: int) -> None:
        ref = self.any_block(data)
        now = lib.heap_realloc(self.arena, ref, size)
        if not now:
            return
        owner, content = self.drop(ref)
        kept = content[:size]
        assert read_block(self.arena, now, len(kept)) == kept
        self.made += 1
        content = kept + pattern(self.made, size - len(kept))
        write_block(self.arena, now, content)
        self.keep(now, owner, content)
        self.peak = max(self.peak, heap_stats(self.arena).peak)

    @precondition(lambda self: self.blocks)
    @rule(data=st.data(), part=st.sampled_from([1, 2, 3, 1000]))
    def free(self, data: st.DataObject, part: int) -> None:
        """One block, or every second, third."""
        refs = [self.any_block(data)] if part == 1000 else sorted(self.blocks)[::part]
        for ref in refs:
            lib.heap_free(self.arena, ref)
            self.drop(ref)

    @rule()
    def move(self) -> None:
        for ref in sorted(self.blocks):
            sparse = lib.heap_sparse(self.arena, ref)
            now = lib.heap_move(self.arena, ref)
            assert bool(now) == sparse
            if now:
                self.moved += 1
                owner, content = self.drop(ref)
                self.keep(now, owner, content)
        self.peak = max(self.peak, heap_stats(self.arena).peak)

    @rule()
    def trim(self) -> None:
        before = heap_stats(self.arena)
        released = lib.heap_trim(self.arena)
        after = heap_stats(self.arena)
        assert after.object == before.object - released
        assert after.trimmed == before.trimmed + released
        assert after.object == after.committed == backed_bytes(self.arena)

    @rule(size=sizes)
    def fail(self, size: int) -> None:
        lib.heap_fail_after(self.arena, 0)
        assert lib.wb_heap_alloc(self.arena, 1, size) == 0

    @invariant()
    def consistent(self) -> None:
        lib.heap_check(self.arena)
        stats = heap_stats(self.arena)
        used = self.used()
        self.peak = max(self.peak, used)
        assert (stats.used, stats.blocks, stats.moved) == (used, len(self.blocks), self.moved)
        assert lib.heap_used(self.arena) == used
        assert stats.peak == self.peak
        assert sum(stats.by_owner) == used
        assert stats.committed <= stats.object == backed_bytes(self.arena)
        for ref, content in self.blocks.items():
            assert read_block(self.arena, ref, len(content)) == content


Heap.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestHeap = Heap.TestCase


def test_waste_and_alignment() -> None:
    with new_arena(64 * MIB) as arena:
        for size in [*range(1, 2100), *range(2100, LARGEST_CLASS + 3 * PAGE, 997)]:
            ref = lib.wb_heap_alloc(arena, 1, size)
            usable = lib.heap_usable(arena, ref)
            limit = size + 7 if size <= 64 else max(size + 7, size * 1.125)
            assert size <= usable <= (limit if size <= LARGEST_CLASS else size + PAGE)
            assert size % 64 or ref * 8 % 64 == 0
            lib.heap_free(arena, ref)


def test_fail_after_counts_allocations() -> None:
    with new_arena(4 * MIB) as arena:
        lib.heap_fail_after(arena, 2)
        assert [bool(lib.wb_heap_alloc(arena, 1, 8)) for _ in range(5)] == [1, 1, 0, 1, 1]
        ref = lib.wb_heap_alloc(arena, 1, 8)
        lib.heap_fail_after(arena, 0)
        assert lib.heap_realloc(arena, ref, 100) == 0
        assert lib.heap_realloc(arena, ref, 100)


@pytest.mark.parametrize("size", [8, 100, 3000, 100_000, MIB])
def test_full_arena_stays_usable(size: int) -> None:
    with new_arena(8 * MIB) as arena:
        refs = []
        while ref := lib.wb_heap_alloc(arena, 1, size):
            refs.append(ref)
        used = heap_stats(arena).used
        assert used > 0.9 * (8 * MIB - PAGE - MIB)
        assert lib.wb_heap_alloc(arena, 1, 1 << 40) == 0
        assert lib.heap_realloc(arena, refs[0], 16 * MIB) == 0
        assert heap_stats(arena).used == used
        for ref in refs[::2]:
            lib.heap_free(arena, ref)
        lib.heap_check(arena)
        for _ in refs[::2]:
            assert lib.wb_heap_alloc(arena, 1, size)
        assert lib.wb_heap_alloc(arena, 1, size) == 0


def test_defragmentation_empties_sparse_pages() -> None:
    chance = random.Random(1)
    with new_arena(64 * MIB) as arena:
        refs = [lib.wb_heap_alloc(arena, 2, 100) for _ in range(100_000)]
        kept = []
        for i, ref in enumerate(refs):
            if chance.random() < 0.9:
                lib.heap_free(arena, ref)
            else:
                write_block(arena, ref, pattern(i, 100))
                kept.append((ref, i))
        while any(lib.heap_sparse(arena, ref) for ref, _ in kept):
            kept = [(lib.heap_move(arena, ref) or ref, i) for ref, i in kept]
        lib.heap_check(arena)
        assert all(read_block(arena, ref, 100) == pattern(i, 100) for ref, i in kept)
        lib.heap_trim(arena)
        stats = heap_stats(arena)
        assert stats.object == backed_bytes(arena) < stats.used + 4 * PAGE


def test_the_peak_stays_when_blocks_go() -> None:
    with new_arena(4 * MIB) as arena:
        lib.heap_free(arena, lib.wb_heap_alloc(arena, 1, MIB))
        assert heap_stats(arena).peak == MIB
