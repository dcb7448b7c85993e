"""Fixtures of the tests of scripts on several workers."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.harness.resp import Client
from tests.harness.server import Server, running
from tests.workers.places import connect_to

WORKERS = 3


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Three workers."""
    with running(workers=WORKERS) as server:
        yield server


@pytest.fixture
def clients(server: Server) -> Iterator[list[Client]]:
    """One at each worker; there are no keys and no functions."""
    with ExitStack() as stack:
        found = [stack.enter_context(connect_to(server, worker)) for worker in range(WORKERS)]
        found[0].call("FLUSHALL")
        found[0].call("FUNCTION", "FLUSH")
        yield found
