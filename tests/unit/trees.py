"""What the tests of the trees share."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from shmredis._core import lib

__all__ = ["in_orders", "insert_with_failures"]

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)


class Growing(Protocol[Item_contra]):
    """A tree that checks itself."""

    def insert(self, item: Item_contra, /) -> bool: ...

    def check(self) -> None: ...


def in_orders(ascending: list[Item]) -> dict[str, list[Item]]:
    """By the name of the order in which a test inserts them."""
    n = len(ascending)
    return {
        "ascending": ascending,
        "descending": ascending[::-1],
        "mixed": [ascending[i * 7919 % n] for i in range(n)],
    }


def insert_with_failures(
    arena: Any,
    tree: Growing[Item],
    items: Sequence[Item],
    remove: Callable[[Item], Any],
    missing: Callable[[Item], bool] = lambda _: True,
) -> None:
    """Inserts all; at each seventh the first allocations fail one after the other, which changes nothing."""
    failures = 0
    for i, item in enumerate(items):
        for n in range(6 if i % 7 == 0 else 0):
            lib.heap_fail_after(arena, n)
            done = tree.insert(item)
            lib.heap_fail_after(arena, -1)
            tree.check()
            if done:
                remove(item)
                break
            failures += 1
            assert missing(item)
        assert tree.insert(item)
    assert failures
