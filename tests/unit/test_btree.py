"""csrc/ds/btree.c against a sorted list of scores and members, at sizes where it has several levels."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from shmredis._core import ffi, lib
from tests.unit.arenas import MIB, heap_stats, new_arena
from tests.unit.trees import in_orders, insert_with_failures

Item = tuple[float, bytes]
ITEM, SCORE, AFTER_SCORE, MEMBER, AFTER_MEMBER = range(5)  # kinds of struct btree_bound


class Tree:
    """It owns its items, which a sorted set has in a table, too."""

    def __init__(self, arena: Any) -> None:
        self.arena = arena
        self.tree = lib.wb_btree_new()

    def __len__(self) -> int:
        return int(lib.wb_btree_count(self.tree))

    def close(self) -> None:
        for item in self.refs():
            lib.heap_free(self.arena, item)
        while not lib.btree_free_some(self.arena, self.tree, 3):
            pass
        lib.wb_btree_delete(self.tree)

    def insert(self, item: Item) -> bool:
        score, member = item
        return bool(lib.wb_btree_insert(self.arena, self.tree, score, member, len(member)) == 0)

    def remove(self, rank: int) -> None:
        lib.wb_btree_remove(self.arena, self.tree, rank)

    def rescore(self, rank: int, score: float) -> bool:
        return bool(lib.wb_btree_rescore(self.arena, self.tree, rank, score) == 0)

    def rank(self, kind: int, score: float, member: bytes = b"") -> int:
        return int(lib.wb_btree_rank(self.arena, self.tree, kind, score, member, len(member)))

    def rank_of(self, ref: int) -> int:
        return int(lib.wb_btree_rank_of(self.arena, self.tree, ref))

    def refs(self, rank: int = 0, backwards: bool = False) -> list[int]:
        if rank >= len(self):
            return []
        out = ffi.new("uint32_t[]", len(self))
        n = lib.wb_btree_items(self.arena, self.tree, rank, backwards, out, len(self))
        return list(out[0:n])

    def items(self, rank: int = 0, backwards: bool = False) -> list[Item]:
        return [self.item(ref) for ref in self.refs(rank, backwards)]

    def item(self, ref: int) -> Item:
        n = ffi.new("size_t *")
        member = lib.wb_btree_member(self.arena, ref, n)
        return lib.wb_btree_score(self.arena, ref), ffi.buffer(member, n[0])[:]

    def check(self) -> None:
        lib.btree_check(self.arena, self.tree)


@pytest.fixture
def tree(arena: Any) -> Iterator[Tree]:
    tree = Tree(arena)
    yield tree
    tree.close()
    assert heap_stats(arena).blocks == 0


def orders(n: int) -> dict[str, list[Item]]:
    """Seven members of each score, and scores that differ in their low bits alone."""
    ascending = [(1e9 + i // 7 / 1024, b"%08d" % i) for i in range(n)]
    return in_orders(ascending)


@pytest.mark.parametrize("order", orders(1))
def test_items_are_in_order_whatever_order_they_come_and_go_in(tree: Tree, order: str) -> None:
    items = orders(6007)[order]
    for i, item in enumerate(items):
        assert tree.insert(item)
        if i % 600 == 0:
            tree.check()
    tree.check()
    model = sorted(items)
    assert tree.items() == model
    assert tree.items(len(model) - 1, backwards=True) == model[::-1]
    for i, item in enumerate(items[::2] + items[1::2]):
        rank = tree.rank(ITEM, *item)
        assert model.pop(rank) == item
        tree.remove(rank)
        if i % 600 == 0:
            tree.check()
            assert tree.items() == model
    assert len(tree) == 0


def test_every_item_knows_its_rank(tree: Tree) -> None:
    for item in orders(3001)["mixed"]:
        tree.insert(item)
    refs = tree.refs()
    assert [tree.rank_of(ref) for ref in refs] == list(range(3001))
    assert all(tree.items(rank)[0] == tree.item(ref) for rank, ref in list(enumerate(refs))[::271])


def test_members_of_all_lengths(tree: Tree) -> None:
    """The length is one byte or five."""
    members = [bytes([i % 7]) * i for i in (0, 1, 2, 253, 254, 255, 256, 257, 70_000)]
    for member in members:
        assert tree.insert((0.0, member))
    assert tree.items() == [(0.0, member) for member in sorted(members)]
    tree.check()


SCORES = st.sampled_from([float("-inf"), -1.5, -0.0, 1.0, 1.0000000000000002, 7e300, float("inf")])
MEMBERS = st.binary(max_size=3)
STEPS = st.tuples(st.sampled_from(["add", "add", "remove", "rescore"]), SCORES, MEMBERS)


@settings(deadline=None, max_examples=60)
@given(st.lists(STEPS, max_size=300), SCORES, MEMBERS)
def test_any_changes_and_all_bounds(
    steps: list[tuple[str, float, bytes]], score: float, member: bytes
) -> None:
    with new_arena(64 * MIB) as arena:
        tree, scores = Tree(arena), dict[bytes, float]()
        for what, new_score, name in steps:
            if name not in scores:
                assert tree.insert((new_score, name))
                scores[name] = new_score
                continue
            rank = tree.rank(ITEM, scores[name], name)
            if what == "remove":
                tree.remove(rank)
                del scores[name]
            elif what == "rescore":
                assert tree.rescore(rank, new_score)
                scores[name] = new_score
            tree.check()
        model = sorted((value, name) for name, value in scores.items())
        assert tree.items() == model
        assert tree.rank(ITEM, score, member) == bisect_left(model, (score, member))
        only = [value for value, _ in model]
        assert tree.rank(SCORE, score) == bisect_left(only, score)
        assert tree.rank(AFTER_SCORE, score) == bisect_right(only, score)
        tree.close()


@settings(deadline=None, max_examples=60)
@given(st.sets(MEMBERS, max_size=200), MEMBERS)
def test_members_of_one_score_are_a_range_of_ranks(members: set[bytes], member: bytes) -> None:
    with new_arena(64 * MIB) as arena:
        tree, model = Tree(arena), sorted(members)
        for name in members:
            tree.insert((3.0, name))
        assert tree.rank(MEMBER, 0, member) == bisect_left(model, member)
        assert tree.rank(AFTER_MEMBER, 0, member) == bisect_right(model, member)
        tree.close()


def test_a_failed_insertion_changes_nothing(arena: Any, tree: Tree) -> None:
    items = orders(3000)["mixed"]
    insert_with_failures(arena, tree, items, lambda item: tree.remove(tree.rank(ITEM, *item)))
    assert tree.items() == sorted(items)


def test_nodes_and_items_move_out_of_sparse_pages(arena: Any, tree: Tree) -> None:
    items = orders(6000)["ascending"]
    for item in items:
        tree.insert(item)
    kept = items[::40]
    for item in set(items) - set(kept):
        tree.remove(tree.rank(ITEM, *item))
    moved = sum(lib.wb_btree_move_item(arena, tree.tree, ref) for ref in tree.refs())
    rank = 0
    while rank := lib.btree_relocate(arena, tree.tree, rank):
        tree.check()
    assert tree.items() == kept
    assert moved
    assert lib.btree_memory(arena, tree.tree) < 512 * len(kept)
