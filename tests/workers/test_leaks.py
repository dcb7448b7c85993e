"""Connections come and go and workers die: nothing stays behind. tools/soak_workers does more."""

import random
from collections.abc import Callable

from tests.harness.server import Server
from tests.workers.churn import churn, settled
from tests.workers.places import connect_to

Start = Callable[..., Server]


def test_connects_and_kills_leave_nothing_behind(start_server: Start) -> None:
    server = start_server(workers=3)
    with connect_to(server, 0) as watcher:
        churn(server, watcher, 60, 2, random.Random(1))  # what is made at its first use
        before = settled(server, watcher)
        churn(server, watcher, 300, 4, random.Random(2))
        assert settled(server, watcher) == before
