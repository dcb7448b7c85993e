"""Fixtures of the tests of several workers."""

from collections.abc import Iterator

import pytest

from tests.harness.server import Server, running


@pytest.fixture(scope="module")
def trio() -> Iterator[Server]:
    """A server of three workers, for the tests of one file."""
    with running(workers=3) as server:
        yield server
