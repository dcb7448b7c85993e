"""Fixtures: a server shared by all tests of a worker process of pytest, and one of one's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis

from tests.harness.resp import Client
from tests.harness.server import Server, running


@pytest.fixture(scope="session", params=[1, 3], ids=["1 worker", "3 workers"])
def shared_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One server for the session; tests that change its settings take `start_server` instead."""
    with running(workers=request.param) as server:
        yield server


@pytest.fixture
def client(shared_server: Server) -> Iterator[Client]:
    """A RESP2 connection to the shared server, which is empty."""
    with shared_server.client() as connection:
        connection.call("FLUSHALL")
        yield connection


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def db(shared_server: Server, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """redis-py at the shared server, which is empty and knows no scripts."""
    with redis.Redis(
        port=shared_server.port, protocol=request.param, decode_responses=True
    ) as connection:
        connection.flushall()
        connection.script_flush()
        connection.function_flush()
        yield connection


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """Starts servers with options; all are stopped and checked at the end of the test."""
    with ExitStack() as stack:
        yield lambda *options, **more: stack.enter_context(running(*options, **more))
