"""Events of the latency monitor that have to do with files."""

from collections.abc import Callable

import pytest

from tests.harness.resp import Client
from tests.harness.server import Server

StartServer = Callable[..., Server]


def events(client: Client) -> set[bytes]:
    return {event[0] for event in client.value("LATENCY", "LATEST")}


@pytest.mark.parametrize("workers", [1, 2])
def test_slow_writes_of_the_log_are_events(start_server: StartServer, workers: int) -> None:
    options = ["--appendonly", "yes", "--warm-restart", "no", "--latency-monitor-threshold", "1"]
    server = start_server(*options, workers=workers)
    with server.client() as client:
        client.call("LATENCY", "RESET")
        assert client.call("DEBUG", "AOF-FLUSH-SLEEP", 20_000) == b"+OK\r\n"
        for i in range(10):  # a sync may be running at some
            client.call("SET", f"k{i}", "v")
        client.call("DEBUG", "AOF-FLUSH-SLEEP", 0)
        seen = events(client)
        assert b"aof-write" in seen
        assert seen & {b"aof-write-alone", b"aof-write-pending-fsync"}
        report = client.value("LATENCY", "DOCTOR")
        assert b"aof-write" in report
        history = client.value("LATENCY", "HISTORY", "aof-write")
        assert all(ms >= 20 for _, ms in history)
