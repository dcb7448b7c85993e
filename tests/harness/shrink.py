"""Making a list as short as it can be while it still does what it did."""

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["shrink"]

Item = TypeVar("Item")


def shrink(items: Sequence[Item], fails: Callable[[list[Item]], bool]) -> list[Item]:
    """A part of `items`, in order, that fails and of which no single item can be left out.

    Pieces of half the length, a quarter and so on are left out in turn: about 2 n tries where most can go.
    """
    kept = list(items)
    size = max(len(kept) // 2, 1)
    while True:
        before, at = len(kept), 0
        while at < len(kept):
            rest = kept[:at] + kept[at + size :]
            if rest and fails(rest):
                kept = rest
            else:
                at += size
        if size == 1 and len(kept) == before:
            return kept
        size = max(size // 2, 1)
