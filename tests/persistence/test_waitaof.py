"""WAITAOF: what its client has written is on disk, in the logs of all workers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.server import Server

KEYS = [f"k{i}" for i in range(12)]


@pytest.mark.parametrize("workers", [1, 3])
def test_it_waits_for_the_sync_of_every_log(
    start_server: Callable[..., Server], workers: int
) -> None:
    server = start_server("--warm-restart", "no", "--appendonly", "yes", workers=workers)
    with server.client() as client:
        client.call("MSET", *(word for name in KEYS for word in (name, "v")))
        assert client.value("WAITAOF", "1", "0", "0") == [1, 0]
        log = b"".join(path.read_bytes() for path in Path(server.dir).rglob("*.incr.aof"))
        assert all(b"\r\n%b\r\n" % name.encode() in log for name in KEYS)
        assert client.value("WAITAOF", "0", "0", "0") == [1, 0]
        client.call("MULTI")
        client.call("WAITAOF", "1", "0", "0")
        assert client.value("EXEC") == [[1, 0]]


def test_it_gives_up_when_nothing_is_synced(start_server: Callable[..., Server]) -> None:
    server = start_server(
        "--warm-restart", "no", "--appendonly", "yes", "--appendfsync", "no", workers=3
    )
    with server.client() as client:
        client.call("SET", "k", "v")
        assert client.value("WAITAOF", "1", "0", "30") == [0, 0]
        client.call("CONFIG", "SET", "appendfsync", "always")
        client.call("MSET", *(word for name in KEYS for word in (name, "v")))
        assert client.value("WAITAOF", "1", "0", "0") == [1, 0]
