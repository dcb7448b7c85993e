"""rdb_changes_since_last_save: what is a change, and what sets the count back. Recorded from 8.10.2."""

from collections.abc import Callable

import pytest

from tests.harness.resp import Client
from tests.harness.server import Server
from tests.persistence.test_snapshot import info, wait_saved

StartServer = Callable[..., Server]
NOTHING_STAYS = ("--warm-restart", "no")
RULES = ("--save", "3600 1000", *NOTHING_STAYS)

# Each command, and by how much it raises the count in a database that those before it have filled.
COUNTS = [
    ("SET z 1", 1),
    ("SADD se 1 2", 2),
    ("SADD se 1 2", 0),
    ("FLUSHALL", 2),
    ("FLUSHALL", 0),
    ("SET a 1", 1),
    ("FLUSHDB", 1),
    ("FLUSHDB ASYNC", 0),
    ("MSET m1 1 m2 2", 2),
    ("HSET h a 1 b 2", 2),
    ("ZADD zs 1 a 2 b", 2),
    ("ZADD zs 1 a", 0),
    ("DEL none", 0),
    ("EXPIRE m2 100", 1),
    ("GETEX m2 EX 10", 1),
    ("XADD x 1-1 a b", 1),
    ("XGROUP CREATE x g 0", 1),
    ("XREADGROUP GROUP g c STREAMS x >", 2),
    ("XREADGROUP GROUP g d STREAMS x >", 1),
    ("SWAPDB 0 1", 1),
]


def changes(client: Client) -> int:
    return int(info(client)["rdb_changes_since_last_save"])


def test_what_counts(start_server: StartServer) -> None:
    with start_server("--save", "").client() as client:
        for command, count in COUNTS:
            before = changes(client)
            client.call(*command.split())
            assert changes(client) - before == count, command


@pytest.mark.parametrize("workers", [1, 3])
def test_flushall_with_save_rules_leaves_nothing_to_save(
    workers: int, start_server: StartServer
) -> None:
    with start_server(*RULES, workers=workers).client() as client:
        client.call("MSET", "a", 1, "b", 2, "c", 3)
        assert changes(client) == 3
        client.call("FLUSHALL")
        assert changes(client) == 0
        client.call("MSET", "a", 1, "b", 2, "c", 3, "d", 4)
        client.call("FLUSHDB")
        wait_saved(client)
        assert changes(client) in (0, 8)  # 0: the snapshot because of FLUSHALL has seen these


def test_a_flush_that_cannot_be_saved_is_left_to_be_saved(start_server: StartServer) -> None:
    server = start_server(*RULES, "--stop-writes-on-bgsave-error", "no")
    (server.dir / "dump.rdb").mkdir()
    with server.client() as client:
        client.call("MSET", "a", 1, "b", 2)
        client.call("FLUSHALL")
        while info(client)["rdb_last_bgsave_status"] == "ok":
            pass
        assert changes(client) == 4
    (server.dir / "dump.rdb").rmdir()


def test_what_was_loaded_is_no_change(start_server: StartServer) -> None:
    with start_server("--save", "", "--appendonly", "yes", *NOTHING_STAYS).client() as client:
        client.call("MSET", "a", 1, "b", 2)
        assert client.call("DEBUG", "LOADAOF") == b"+OK\r\n"
        assert changes(client) == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_loadaof_without_a_log(workers: int, start_server: StartServer) -> None:
    server = start_server("--save", "", workers=workers)
    with server.client() as client:
        client.call("MSET", "a", 1, "b", 2, "c", 3)
        failed = b"-ERR Error trying to load the AOF files, check server logs.\r\n"
        assert client.call("DEBUG", "LOADAOF") == failed
        assert client.value("DBSIZE") == (0 if workers == 1 else 3)  # several ask first
