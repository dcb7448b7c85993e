"""Whole servers exchange files with real ones: dump.rdb and folders of append-only files, both ways."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.resp import parse
from tests.harness.server import wait_until
from tests.interop.peers import PEERS, Peer, is_old, running
from tests.persistence.logged import LoggedServer, logged_server
from tests.persistence.test_aof_server import fill

pytestmark = pytest.mark.skipif(not PEERS, reason="SHMREDIS_PEERS names no server")
NEW = [binary for binary in PEERS if not is_old(binary)]
WORKERS = pytest.mark.parametrize("workers", [1, 3])
COMMANDS = (
    "SET string value",
    "SET number 12345",
    "SET timed value EX 100000",
    "RPUSH list 1 b 3.5",
    "SADD intset 1 2 3",
    "SADD set a b c",
    "ZADD zset 1 a 2.5 b",
    "HSET hash f v g 1",
    "XADD stream 1-1 f v",
    "XGROUP CREATE stream group 0",
    "PFADD hll a b c",
    "SETBIT bits 100 1",
)


@pytest.fixture
def server() -> Iterator[LoggedServer]:
    with logged_server() as one:
        yield one


def fill_peer(peer: Peer) -> str:
    """Values of all types, small and large; the digest."""
    for command in COMMANDS:
        peer.call(*command.split())
    for kind in ("RPUSH big:list", "SADD big:set", "HSET big:hash", "ZADD big:zset"):
        words = [str(word) for i in range(400) for word in (i, f"member {i}")]
        peer.call(*kind.split(), *words)
    peer.call("SET", "long", "x" * 100_000)
    return str(peer.call("DEBUG", "DIGEST"))


@pytest.mark.parametrize("binary", PEERS)
@WORKERS
def test_their_dump_is_ours(server: LoggedServer, binary: str, workers: int) -> None:
    with running(binary, server.dir) as peer:
        digest = fill_peer(peer)
        assert peer.call("SAVE") == "OK"
    server.start("--appendonly", "no", workers=workers)
    assert parse(server.digest()) == digest


@pytest.mark.parametrize("binary", NEW)
@WORKERS
def test_our_dump_is_theirs(server: LoggedServer, binary: str, workers: int) -> None:
    server.start("--appendonly", "no", workers=workers)
    fill(server)
    digest = parse(server.digest())
    assert server.call("SAVE") == b"+OK\r\n"
    server.kill()
    with running(binary, server.dir) as peer:
        assert peer.call("DEBUG", "DIGEST") == digest


@pytest.mark.parametrize("binary", NEW)
@WORKERS
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_our_logs_are_theirs(
    server: LoggedServer, tmp_path: Path, binary: str, workers: int, preamble: str
) -> None:
    server.start("--aof-use-rdb-preamble", preamble, workers=workers)
    fill(server)
    server.rewrite()
    server.call("MSET", *(word for i in range(20) for word in (f"later{i}", i)))
    size, keys = int(server.call("DBSIZE")[1:-2]), 0
    digest = parse(server.digest())
    assert server.stop() == 0
    for worker in range(workers):
        copy = tmp_path / str(worker)
        copy.mkdir()
        folder = server.files(None if workers == 1 else worker)
        shutil.copytree(folder, copy / "appendonlydir", ignore=shutil.ignore_patterns("worker-*"))
        with running(binary, copy, appendonly="yes") as peer:
            keys += peer.call("DBSIZE")
            if workers == 1:
                assert peer.call("DEBUG", "DIGEST") == digest
    assert keys == size


@pytest.mark.parametrize("binary", NEW)
@WORKERS
def test_their_log_is_ours(server: LoggedServer, binary: str, workers: int) -> None:
    with running(binary, server.dir, appendonly="yes") as peer:
        fill_peer(peer)
        with contextlib.suppress(ConnectionError):
            peer.call("BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrite_in_progress:0" in peer.call("INFO", "persistence"))
        peer.call("RPUSH", "list", "a", "b")
        digest = str(peer.call("DEBUG", "DIGEST"))
    server.start(workers=workers)
    assert parse(server.digest()) == digest
