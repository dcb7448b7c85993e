"""Fixtures of the tests of persistence."""

from collections.abc import Iterator

import pytest

from tests.persistence.logged import LoggedServer, logged_server
from tests.unit.conftest import engine

__all__ = ["engine", "server"]


@pytest.fixture
def server() -> Iterator[LoggedServer]:
    """One with an append-only file, not started yet."""
    with logged_server() as one:
        yield one
