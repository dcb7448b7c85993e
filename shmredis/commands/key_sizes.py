"""INFO Keysizes: how many values are how long, by database and type.

Redis counts whenever a value changes. Here keys are looked at when INFO asks: all of a small database, of a
big one a sample, from which the counts are reckoned.
"""

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shmredis.commands.context import Server

__all__ = ["KeySizes", "key_sizes_fields", "merge_key_sizes", "read_key_sizes"]

BUDGET = 4096
"""Keys of a database that a worker looks at: some tenths of a millisecond."""

LABELS = ("strings_sizes", "lists_items", "sets_items", "zsets_items", "hashes_items")
UNITS = ("", "K", "M", "G", "T", "P", "E")

KeySizes = dict[tuple[int, int, int], int]
"""Keys by database, type and class of length."""


def read_key_sizes(server: "Server") -> KeySizes:
    """Of this worker."""
    engine, found = server.engine, {}
    for db in range(engine.databases):
        keys = engine.database(db).keys
        if not keys:
            continue
        sizes = engine.key_sizes(db, BUDGET)
        for kind in range(len(LABELS)):
            for index, count in enumerate(sizes.counts[kind]):
                if count:
                    found[db, kind, index] = max(1, round(count * keys / sizes.seen))
    return found


def merge_key_sizes(parts: list[KeySizes]) -> KeySizes:
    """Those of all workers as one."""
    total: Counter[tuple[int, int, int]] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def key_sizes_fields(sizes: KeySizes) -> list[tuple[str, object]]:
    """The lines of INFO."""
    lines: dict[tuple[int, int], list[str]] = {}
    for (db, kind, index), count in sorted(sizes.items()):
        lines.setdefault((db, kind), []).append(f"{class_label(index)}={count}")
    return [(f"db{db}_distrib_{LABELS[kind]}", ",".join(x)) for (db, kind), x in lines.items()]


def class_label(index: int) -> str:
    """Where the class begins: 0, 1, 2, 4 … 512, 1K, 2K …"""
    if not index:
        return "0"
    unit, power = divmod(index - 1, 10)
    return f"{1 << power}{UNITS[unit]}"
