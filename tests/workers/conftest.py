"""Fixtures of the tests of several workers."""

from collections.abc import Iterator

import pytest

from tests.harness.server import Server, running
from tests.workers.fleet import Fleet, new_fleet


@pytest.fixture(scope="module")
def trio() -> Iterator[Server]:
    """A server of three workers, for the tests of one file."""
    with running(workers=3) as server:
        yield server


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """Three engines of one process that share control memory."""
    with new_fleet(3) as fleet:
        yield fleet
