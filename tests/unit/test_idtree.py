"""The tree of ids against a sorted list, at sizes where it has several levels."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from shmredis._core import ffi, lib
from tests.unit.arenas import MIB, heap_stats, new_arena
from tests.unit.trees import in_orders, insert_with_failures

Key = tuple[int, int]


class Tree:
    """Payloads are the low bytes of the second word."""

    def __init__(self, arena: Any) -> None:
        self.arena = arena
        self.tree = lib.wb_idtree_new()

    def close(self) -> None:
        while not lib.wb_idtree_free_some(self.arena, self.tree, 3):
            pass
        lib.wb_idtree_delete(self.tree)

    def insert(self, key: Key) -> bool:
        return bool(lib.wb_idtree_insert(self.arena, self.tree, *key) == 0)

    def remove(self, key: Key) -> bool:
        return bool(lib.wb_idtree_remove(self.arena, self.tree, *key))

    def find(self, key: Key) -> bool:
        return bool(lib.wb_idtree_find(self.arena, self.tree, *key))

    def from_(self, key: Key, backwards: bool, room: int = 1 << 16) -> list[Key]:
        out = ffi.new("uint64_t[]", 2 * room)
        n = lib.wb_idtree_keys(self.arena, self.tree, *key, backwards, out, room)
        return [(out[2 * i], out[2 * i + 1]) for i in range(n)]

    def check(self) -> None:
        lib.wb_idtree_check(self.arena, self.tree)


@pytest.fixture
def tree(arena: Any) -> Iterator[Tree]:
    tree = Tree(arena)
    yield tree
    tree.close()
    assert heap_stats(arena).blocks == 0


def orders(n: int) -> dict[str, list[Key]]:
    ascending = [(i // 3, i % 3) for i in range(n)]
    return in_orders(ascending)


@pytest.mark.parametrize("order", orders(1))
def test_all_keys_are_found_and_none_is_left(tree: Tree, order: str) -> None:
    n = 5003
    keys = orders(n)[order]
    model: list[Key] = []
    for i, key in enumerate(keys):
        assert tree.insert(key)
        insort(model, key)
        if i % 500 == 0:
            tree.check()
    tree.check()
    assert tree.from_((0, 0), False) == model
    assert tree.from_((1 << 40, 0), True) == model[::-1]
    for i, key in enumerate(keys[::2] + keys[1::2]):
        assert tree.remove(key)
        assert not tree.remove(key)
        assert not tree.find(key)
        if i % 500 == 0:
            tree.check()
    assert tree.from_((0, 0), False) == []


KEYS = st.tuples(st.integers(0, 60), st.sampled_from([0, 1, 2**64 - 1]))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), KEYS), max_size=400), KEYS)
def test_any_insertions_and_removals(steps: list[tuple[bool, Key]], start: Key) -> None:
    with new_arena(64 * MIB) as arena:
        tree, model = Tree(arena), list[Key]()
        for add, key in steps:
            there = key in model
            assert tree.find(key) == there
            if add and not there:
                assert tree.insert(key)
                insort(model, key)
            elif not add:
                assert tree.remove(key) == there
                model.remove(key) if there else None
            tree.check()
        assert tree.from_(start, False) == model[bisect_left(model, start) :]
        assert tree.from_(start, True) == model[: bisect_right(model, start)][::-1]
        tree.close()


def test_a_failed_insertion_changes_nothing(arena: Any, tree: Tree) -> None:
    keys = orders(3000)["mixed"]
    insert_with_failures(arena, tree, keys, tree.remove, lambda key: not tree.find(key))
    assert tree.from_((0, 0), False) == sorted(keys)


def test_nodes_move_out_of_sparse_pages(arena: Any, tree: Tree) -> None:
    keys = orders(6000)["ascending"]
    for key in keys:
        tree.insert(key)
    kept = keys[::40]
    for key in set(keys) - set(kept):
        tree.remove(key)
    skip = 0
    while skip := lib.wb_idtree_relocate(arena, tree.tree, skip, 5):
        tree.check()
    assert tree.from_((0, 0), False) == kept
