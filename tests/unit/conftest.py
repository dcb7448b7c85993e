"""Fixtures of the tests of the C core."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.arenas import MIB, new_arena
from tests.unit.engines import Engine, new_engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An empty engine, whose structures are checked at the end."""
    with new_engine() as engine:
        yield engine


@pytest.fixture
def arena() -> Iterator[Any]:
    """An empty arena, whose heap is checked at the end."""
    with new_arena(64 * MIB) as arena:
        yield arena
