"""Random data travels between real servers and ours: by dump.rdb, by logs, by payloads, and back."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.resp import Client, parse
from tests.harness.server import wait_until
from tests.interop.peers import PEERS, Peer, is_old, running
from tests.interop.random_data import LIBRARY, portrait, random_data
from tests.persistence.logged import LoggedServer, logged_server

pytestmark = pytest.mark.skipif(not PEERS, reason="SHMREDIS_PEERS names no server")
NEW = pytest.mark.parametrize("binary", [binary for binary in PEERS if not is_old(binary)])
WORKERS = pytest.mark.parametrize("workers", [1, 3])
POLICIES = ("noeviction", "allkeys-lru", "allkeys-lfu")


@pytest.fixture
def server() -> Iterator[LoggedServer]:
    with logged_server() as one:
        yield one


def fill(port: int, seed: int, *, field_ttls: bool, producers: bool) -> None:
    with Client(port, 3) as client:
        assert client.call("FUNCTION", "LOAD", LIBRARY) == b"$4\r\nmine\r\n"
        for words in random_data(seed, field_ttls=field_ttls, producers=producers):
            reply = client.call(*(repr(w) if isinstance(w, float) else w for w in words))
            assert not reply.startswith(b"-"), (words[:3], reply)


def look(port: int, *, producers: bool = False) -> dict[str, Any]:
    with Client(port, 3) as client:
        return portrait(lambda *words: parse(client.call(*words)), producers=producers)


def has_producers(peer: Peer) -> bool:
    return bool(peer.call("COMMAND", "INFO", "XCFGSET")[0])


def rewrite(call: Any) -> None:
    call("BGREWRITEAOF")
    wait_until(lambda: b"aof_rewrites:1" in call("INFO", "persistence"), 20)
    wait_until(lambda: b"aof_rewrite_in_progress:0" in call("INFO", "persistence"), 20)


@NEW
@WORKERS
def test_dumps(server: LoggedServer, binary: str, workers: int) -> None:
    """Theirs to us, ours of the same data to them, and theirs again to us."""
    with running(binary, server.dir) as peer:
        newer = has_producers(peer)
        fill(peer.port, 7, field_ttls=not peer.is_valkey, producers=newer)
        wanted = look(peer.port, producers=newer)
        assert peer.call("SAVE") == "OK"
    server.start("--appendonly", "no", workers=workers)
    assert look(server.port, producers=newer) == wanted
    assert server.call("SAVE") == b"+OK\r\n"
    server.kill()
    with running(binary, server.dir) as peer:
        assert look(peer.port, producers=newer) == wanted
        assert peer.call("SAVE") == "OK"
    server.start("--appendonly", "no", workers=workers)
    assert look(server.port, producers=newer) == wanted


@NEW
@pytest.mark.parametrize("policy", POLICIES[1:])
def test_when_keys_were_used(server: LoggedServer, binary: str, policy: str) -> None:
    """What OBJECT FREQ and IDLETIME tell, both ways."""
    what = "FREQ" if "lfu" in policy else "IDLETIME"
    times = {"maxmemory-policy": policy, "lfu-decay-time": "0"}

    def used(call: Any) -> list[Any]:
        return [parse(call("OBJECT", what, f"k{i}")) for i in range(5)]

    with running(binary, server.dir, **times) as peer:
        for i in range(5):
            peer.call("SET", f"k{i}", "v")
            option = ("FREQ", 20 * i) if what == "FREQ" else ("IDLETIME", 1000 * i)
            dumped = peer.call("DUMP", f"k{i}")
            assert peer.call("RESTORE", f"k{i}", 0, dumped, "REPLACE", *option) == "OK"
        assert peer.call("SAVE") == "OK"
    options = [word for name, value in times.items() for word in (f"--{name}", value)]
    server.start("--appendonly", "no", *options)
    wanted = pytest.approx([(20 if what == "FREQ" else 1000) * i for i in range(5)], abs=20)
    assert used(server.call) == wanted
    assert server.call("SAVE") == b"+OK\r\n"
    server.kill()
    with running(binary, server.dir, **times) as peer, Client(peer.port) as client:
        assert used(client.call) == wanted


@NEW
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_logs(server: LoggedServer, binary: str, preamble: str) -> None:
    """A log of theirs, with a base of ours, then loaded by them again."""
    form = {"appendonly": "yes", "aof-use-rdb-preamble": preamble}
    with running(binary, server.dir, **form) as peer:
        newer = has_producers(peer)
        fill(peer.port, 8, field_ttls=not peer.is_valkey, producers=newer)
        wanted = look(peer.port, producers=newer)
        with contextlib.suppress(ConnectionError):
            rewrite(peer.call)
        peer.call("SET", "later", 1)
    server.start("--aof-use-rdb-preamble", preamble)
    server.call("DEL", "later")
    assert look(server.port, producers=newer) == wanted
    server.rewrite()
    server.call("SET", "later", 1)
    assert server.stop() == 0
    with running(binary, server.dir, **form) as peer:
        peer.call("DEL", "later")
        assert look(peer.port, producers=newer) == wanted


@NEW
def test_the_log_of_each_worker(server: LoggedServer, tmp_path: Path, binary: str) -> None:
    server.start(workers=3)
    valkey = "valkey" in binary
    fill(server.port, 9, field_ttls=not valkey, producers=False)
    wanted = look(server.port)
    server.rewrite()
    server.call("MSET", *(word for i in range(20) for word in (f"later{i}", i)))
    assert server.stop() == 0
    found: dict[str, Any] = {}
    for worker in range(3):
        copy = tmp_path / str(worker)
        shutil.copytree(server.files(worker), copy / "appendonlydir")
        with running(binary, copy, appendonly="yes") as peer:
            peer.call("DEL", *(f"later{i}" for i in range(20)))
            found |= look(peer.port)
    del wanted["digest"], found["digest"]
    assert found == wanted


@NEW
def test_payloads(server: LoggedServer, binary: str, tmp_path: Path) -> None:
    """Each value goes there and back by DUMP and RESTORE."""
    server.start("--appendonly", "no", workers=3)
    with running(binary, tmp_path) as peer:
        fill(server.port, 10, field_ttls=not peer.is_valkey, producers=has_producers(peer))
        with Client(server.port, 3) as ours, Client(peer.port, 3) as theirs:
            for key in parse(ours.call("KEYS", "*")):
                here, there = (
                    parse(ours.call("DEBUG", "DIGEST-VALUE", key)),
                    parse(ours.call("DUMP", key)),
                )
                expires = max(0, parse(ours.call("PEXPIRETIME", key)))
                assert theirs.call("RESTORE", key, expires, there, "ABSTTL") == b"+OK\r\n", key
                assert parse(theirs.call("DEBUG", "DIGEST-VALUE", key)) == here, key
                back = parse(theirs.call("DUMP", key))
                back = ours.call("RESTORE", key, expires, back, "REPLACE", "ABSTTL")
                assert back == b"+OK\r\n", key
                assert parse(ours.call("DEBUG", "DIGEST-VALUE", key)) == here, key
            libraries = parse(ours.call("FUNCTION", "DUMP"))
            restored = theirs.call("FUNCTION", "RESTORE", libraries, "FLUSH")
            if not peer.is_valkey:  # it refuses the version
                assert restored == b"+OK\r\n"
            libraries = parse(theirs.call("FUNCTION", "DUMP"))
            restored = ours.call("FUNCTION", "RESTORE", libraries, "FLUSH")
            if not peer.is_valkey:
                assert restored == b"+OK\r\n"
