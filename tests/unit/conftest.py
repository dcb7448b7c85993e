"""Fixtures of the tests of the C core."""

from collections.abc import Iterator

import pytest

from tests.unit.engines import Engine, new_engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An empty engine, whose structures are checked at the end."""
    with new_engine() as engine:
        yield engine
