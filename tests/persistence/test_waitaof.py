"""WAITAOF: what its client has written is on disk, in the logs of all workers that it has written to."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.server import Server, running
from tests.workers.places import connect_to, key_of

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


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("at", [0, 2])
def test_who_has_written_nothing_does_not_wait(
    start_server: Callable[..., Server], workers: int, at: int
) -> None:
    options = ("--warm-restart", "no", "--appendonly", "yes", "--appendfsync", "no")
    server = start_server(*options, workers=workers)
    with server.client() as writer, connect_to(server, at % workers, workers) as other:
        writer.call("MSET", *(word for name in KEYS for word in (name, "v")))
        other.call("MGET", *KEYS)
        assert other.value("WAITAOF", "1", "0", "0") == [1, 0]
        other.call("MULTI")
        other.call("WAITAOF", "1", "0", "0")
        assert other.value("EXEC") == [[1, 0]]
        assert writer.value("WAITAOF", "1", "0", "30") == [0, 0]
        writer.call("MULTI")
        writer.call("WAITAOF", "1", "0", "0")
        assert writer.value("EXEC") == [[0, 0]]


@pytest.fixture(scope="module")
def unsynced() -> Iterator[Server]:
    """Three workers whose logs nobody has synced."""
    options = ("--warm-restart", "no", "--appendonly", "yes", "--appendfsync", "no")
    with running(*options, workers=3) as server:
        yield server


WRITES = [
    ("SET {a} 1",),
    ("SET {b} 1",),
    ("MSET {a} 1 {b} 2",),
    ("DEL {b} {c}",),
    ("RENAME {c} {a}",),
    ("MULTI", "SET {b} 1", "EXEC"),
    ("MULTI", "SET {a} 1", "SET {c} 1", "EXEC"),
    ("EVAL return(redis.call('SET','{c}','1')) 0",),
    ("EVAL return(redis.call('SET',KEYS[1],'1')) 1 {b}",),
    ("FLUSHALL",),
    ("BLPOP {{{a}}}list {{{b}}}list 1",),
]


@pytest.mark.parametrize("lines", WRITES, ids="; ".join)
def test_each_way_of_writing_is_waited_for(unsynced: Server, lines: tuple[str, ...]) -> None:
    names = {letter: key_of(i) for i, letter in enumerate("abc")}
    with unsynced.client() as writer, unsynced.client() as other:
        for name in names.values():
            other.call("SET", name, "v")
            other.call("RPUSH", f"{{{name}}}list", "e")
        for line in lines:
            writer.call(*line.format_map(names).split())
        assert writer.value("WAITAOF", "1", "0", "20") == [0, 0]


def test_only_the_logs_that_it_has_written_to_matter(unsynced: Server) -> None:
    with unsynced.client() as client, unsynced.client() as other:
        client.call("CONFIG", "SET", "appendfsync", "always")
        client.call("SET", key_of(1), "v")
        client.call("CONFIG", "SET", "appendfsync", "no")
        other.call("SET", key_of(0), "v")
        assert client.value("WAITAOF", "1", "0", "0") == [1, 0]
        assert other.value("WAITAOF", "1", "0", "20") == [0, 0]
