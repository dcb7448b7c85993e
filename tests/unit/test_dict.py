"""The hash table against a Python dict, through growth and shrinking."""

import math
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shmredis._core import ffi, lib
from tests.unit.arenas import MIB, heap_stats, status_name

SEGMENT = 1024  # main buckets in a segment
LOAD_GROW = 11


class Dict:
    """A table of numbers, each with a mark or none, in an arena of its own."""

    def __init__(self, arena_size: int = 64 * MIB) -> None:
        self.arena = lib.wb_arena_new(arena_size)
        self.dict = lib.wb_dict_new()
        self.size = ffi.new("size_t *")
        self.room = ffi.new("uint32_t[]", 400_000)

    def close(self) -> None:
        lib.wb_dict_delete(self.dict)
        lib.wb_arena_delete(self.arena)

    def __len__(self) -> int:
        count = lib.wb_dict_count(self.dict)
        assert isinstance(count, int)
        return count

    def __contains__(self, key: int) -> bool:
        return bool(lib.wb_dict_find(self.arena, self.dict, key))

    def insert(self, key: int, *, marked: bool = False) -> str:
        return status_name(lib.wb_dict_insert(self.arena, self.dict, key, marked))

    def remove(self, key: int) -> bool:
        return bool(lib.wb_dict_remove(self.arena, self.dict, key))

    def content(self) -> list[int]:
        return list(self.room[0 : lib.wb_dict_keys(self.arena, self.dict, self.room)])

    def scan(self, cursor: int, count: int) -> tuple[int, list[int]]:
        self.size[0] = 0
        cursor = lib.wb_dict_scan(self.arena, self.dict, cursor, count, self.room, self.size)
        return cursor, list(self.room[0 : self.size[0]])

    def scan_marked(self, buckets: int) -> list[int]:
        """All of it, by so many buckets a call."""
        keys: list[int] = []
        cursor = 0
        while True:
            self.size[0] = 0
            cursor = lib.wb_dict_scan_marked(
                self.arena, self.dict, cursor, buckets, self.room, self.size
            )
            keys += list(self.room[0 : self.size[0]])
            if not cursor:
                return keys

    def stats(self) -> tuple[int, int, int, int, int]:
        """buckets, overflow, empty_buckets, longest_chain, marked_buckets"""
        out = ffi.new("uint64_t[5]")
        lib.wb_dict_stats(self.arena, self.dict, out)
        return tuple(out)

    def check(self) -> None:
        lib.wb_dict_check(self.arena, self.dict)


@pytest.fixture
def table() -> Iterator[Dict]:
    table = Dict()
    yield table
    lib.heap_check(table.arena)
    table.close()


def generator(seed: int) -> Any:
    return ffi.new("uint64_t *", seed)


class Table(RuleBasedStateMachine):
    """Keys come and go in ranges, so that the table grows and shrinks past its segments."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Dict()
        self.model: dict[int, bool] = {}

    def teardown(self) -> None:
        self.table.close()

    @rule(
        first=st.integers(0, 20_000),
        count=st.sampled_from([1, 10, 300, 12_000]),
        mark=st.booleans(),
    )
    def insert(self, first: int, count: int, mark: bool) -> None:
        for key in range(first, first + count):
            if key not in self.model:
                assert self.table.insert(key, marked=mark and key % 7 == 0) == "OK"
                self.model[key] = mark and key % 7 == 0

    @rule(first=st.integers(0, 20_000), count=st.sampled_from([1, 10, 300, 20_000]))
    def remove(self, first: int, count: int) -> None:
        for key in range(first, first + count):
            assert self.table.remove(key) == (key in self.model)
            self.model.pop(key, None)

    @rule(first=st.integers(0, 20_000), on=st.booleans())
    def mark(self, first: int, on: bool) -> None:
        for key in [key for key in range(first, first + 20) if key in self.model]:
            lib.wb_dict_set_mark(self.table.arena, self.table.dict, key, on)
            self.model[key] = on

    @rule(buckets=st.integers(1, 50))
    def relocate(self, buckets: int) -> None:
        cursor = ffi.new("uint64_t *")
        while True:
            lib.dict_relocate(self.table.arena, self.table.dict, cursor, buckets)
            if not cursor[0]:
                return

    @rule(buckets=st.sampled_from([1, 100, 5000]))
    def scan_marked(self, buckets: int) -> None:
        found = self.table.scan_marked(buckets)
        assert len(set(found)) == len(found)
        assert set(found) >= {key for key, marked in self.model.items() if marked}

    @rule(items=st.sampled_from([0, 5, 700, 30_000]))
    def expect(self, items: int) -> None:
        before = self.table.stats()[0]
        lib.dict_expect(self.table.arena, self.table.dict, items)
        if self.model:
            assert self.table.stats()[0] == before

    @rule()
    def fit(self) -> None:
        lib.wb_dict_fit(self.table.arena, self.table.dict)

    @invariant()
    def same(self) -> None:
        table = self.table
        table.check()
        lib.heap_check(table.arena)
        assert len(table) == len(self.model)
        assert sorted(table.content()) == sorted(self.model)
        assert all(key in table for key in list(self.model)[:50])
        assert not any(key in table for key in range(100_000, 100_050))
        memory = lib.dict_memory(table.arena, table.dict)
        assert heap_stats(table.arena).by_owner[3] == memory


Table.TestCase.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
TestTable = Table.TestCase


def test_load_both_ways(table: Dict) -> None:
    """The table follows its content; empty, it takes nothing."""
    for key in range(30_000):
        table.insert(key)
        buckets, overflow, *_ = table.stats()
        assert key < 12 or 5.9 < (key + 1) / buckets <= LOAD_GROW
    table.check()
    assert buckets > 2 * SEGMENT
    assert overflow < 0.4 * buckets
    for left in range(30_000 - 1, -1, -1):
        assert table.remove(left)
        assert left < 12 or 5.9 < left / table.stats()[0] <= LOAD_GROW + 1
    assert lib.dict_memory(table.arena, table.dict) == heap_stats(table.arena).used == 0


@pytest.mark.parametrize("items", [1, 11, 12, 300, SEGMENT * LOAD_GROW, 30_000])
def test_a_table_that_expects_its_items_does_not_grow(table: Dict, items: int) -> None:
    lib.dict_expect(table.arena, table.dict, items)
    buckets = table.stats()[0]
    assert buckets == math.ceil(items / LOAD_GROW)
    for key in range(items):
        assert table.insert(key, marked=key % 5 == 0) == "OK"
    assert table.stats()[0] == buckets
    table.check()
    assert set(table.scan_marked(100)) >= set(range(0, items, 5))


@pytest.mark.parametrize("came", [0, 1, 12, 3000, 20_000, 40_000])
def test_wrong_expectations_leave_nothing_behind(table: Dict, came: int) -> None:
    lib.dict_expect(table.arena, table.dict, 20_000)
    for key in range(came):
        table.insert(key, marked=key % 5 == 0)
    lib.wb_dict_fit(table.arena, table.dict)
    table.check()
    assert table.stats()[0] == math.ceil(came / LOAD_GROW)
    assert all(key in table for key in range(came))


def test_expectations_beyond_memory_end_with_it() -> None:
    table = Dict(4 * MIB)
    lib.dict_expect(table.arena, table.dict, 1 << 40)
    assert SEGMENT < table.stats()[0] < 4 * MIB // 64
    lib.wb_dict_fit(table.arena, table.dict)
    assert table.insert(1) == "OK"
    table.check()
    lib.heap_check(table.arena)
    table.close()


@pytest.mark.parametrize("count", [1, 10, 1000])
@pytest.mark.parametrize(
    ("before", "while_scanning"), [(20_000, -1), (500, +1), (20_000, 0), (3, +1)]
)
def test_scan_returns_what_is_there_throughout(
    table: Dict, before: int, while_scanning: int, count: int
) -> None:
    chance = random.Random(before + while_scanning + count)
    staying = set(range(0, before, 10))
    removable = [key for key in range(before) if key not in staying]
    chance.shuffle(removable)
    for key in range(before):
        table.insert(key)
    seen: Counter[int] = Counter()
    cursor, fresh = 0, before
    while True:
        cursor, keys = table.scan(cursor, count)
        seen.update(keys)
        assert 0 <= cursor < 1 << 32
        if not cursor:
            break
        for _ in range(20 * count):
            if while_scanning > 0 and fresh < 30_000:
                table.insert(fresh)
                fresh += 1
            elif while_scanning < 0 and removable:
                table.remove(removable.pop())
    table.check()
    assert set(seen) >= staying
    if not while_scanning:
        assert sorted(seen.elements()) == list(range(before))


def test_scan_in_both_directions_at_once(table: Dict) -> None:
    chance = random.Random(5)
    for key in range(5000):
        table.insert(key)
    for _ in range(5):
        cursor, seen = 0, set()
        while True:
            cursor, keys = table.scan(cursor, 300)
            seen.update(keys)
            if not cursor:
                break
            first = chance.randrange(5000, 40_000)
            for key in range(first, first + chance.randrange(1500)):
                if key in table:
                    table.remove(key)
                else:
                    table.insert(key)
        assert seen >= set(range(5000))


def test_scan_takes_any_cursor(table: Dict) -> None:
    for key in range(1000):
        table.insert(key)
    for cursor in [1, 12345, (1 << 32) - 1, 1 << 32, (1 << 64) - 1]:
        following, keys = table.scan(cursor, 10)
        assert following < 1 << 32
        assert set(keys) <= set(range(1000))


def chi_square(counts: Counter[int], n: int) -> float:
    expected = counts.total() / n
    return sum((counts[i] - expected) ** 2 / expected for i in range(n))


@pytest.mark.parametrize("n", [1, 2, 13, 100, 777])
def test_random_is_fair(table: Dict, n: int) -> None:
    for key in range(n):
        table.insert(key)
    state = generator(n)
    draws = (lib.wb_dict_random(table.arena, table.dict, state) for _ in range(100 * n))
    assert chi_square(Counter(draws), n) < n + 6 * math.sqrt(2 * n)


@pytest.mark.parametrize(
    ("n", "want"), [(5, 5), (50, 2), (300, 10), (300, 150), (300, 299), (40, 99)]
)
def test_sample_is_distinct_and_fair(table: Dict, n: int, want: int) -> None:
    for key in range(n):
        table.insert(key)
    state = generator(n)
    counts: Counter[int] = Counter()
    for _ in range(20_000 // want):
        got = lib.wb_dict_sample(table.arena, table.dict, want, state, table.room)
        keys = table.room[0:got]
        assert len(set(keys)) == got == min(want, n)
        counts.update(keys)
    assert chi_square(counts, n) < n + 6 * math.sqrt(2 * n)


def test_free_in_slices(table: Dict) -> None:
    for key in range(15_000):
        table.insert(key, marked=key % 100 == 0)
    calls = 1
    while not lib.wb_dict_free_some(table.arena, table.dict, 100):
        calls += 1
        lib.heap_check(table.arena)
    assert calls > 10
    assert heap_stats(table.arena).used == 0
    assert table.insert(1) == "OK"


@pytest.mark.parametrize(
    "before", [0, 11, 12, 11_000, SEGMENT * LOAD_GROW, 2 * SEGMENT * LOAD_GROW]
)
def test_failing_allocations_change_nothing_or_only_delay_growth(table: Dict, before: int) -> None:
    for key in range(before):
        table.insert(key)
    for n in range(4):
        blocks = heap_stats(table.arena).blocks
        lib.heap_fail_after(table.arena, n)
        key = before + n
        outcome = table.insert(key)
        lib.heap_fail_after(table.arena, -1)
        table.check()
        assert (outcome == "OK") == (key in table)
        if outcome != "OK":
            assert outcome == "ARENA_FULL"
            assert heap_stats(table.arena).blocks == blocks
    for key in table.content():
        lib.heap_fail_after(table.arena, 0)
        assert table.remove(key)
        if len(table) % 1000 == 0:
            table.check()
    lib.heap_fail_after(table.arena, -1)
    assert table.insert(7) == "OK"
    assert table.content() == [7]
