"""A module for servers under test: how many objects of each type its worker has."""

import gc
from collections import Counter

from shmredis.module import Context, Flag, Module

module = Module("census", version=1)


@module.command("CENSUS", arity=1, flags=Flag.READ)
def census(_ctx: Context) -> dict[str, int]:
    """Types that the collector knows, by name."""
    gc.collect()
    kinds = map(type, gc.get_objects())
    return dict(Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds))
