"""Fixtures of tests of commands that are written in Python: a server without sockets, and a client of it."""

from collections.abc import Iterator

import pytest

from tests.commands.python_commands import FakeClient, FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.close()


@pytest.fixture
def client(server: FakeServer) -> FakeClient:
    return server.connect()
