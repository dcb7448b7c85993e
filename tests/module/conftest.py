"""A module of the tests' own, and servers that have it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.server import Server, running

SOURCE = Path(__file__).parent / "sample_module.py"


@pytest.fixture(scope="session", params=[1, 3], ids=["1 worker", "3 workers"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One with the sample module, for tests that leave it as it is."""
    options = ["--loadmodule", str(SOURCE), "greeting", "--enable-module-command", "yes"]
    with running(*options, workers=request.param) as running_server:
        yield running_server


@pytest.fixture(params=[1, 3], ids=["1 worker", "3 workers"])
def start(
    request: pytest.FixtureRequest, start_server: Callable[..., Server]
) -> Callable[..., Server]:
    """Starts a server of one's own with options."""
    return lambda *options: start_server(
        "--enable-module-command", "yes", *options, workers=request.param
    )
