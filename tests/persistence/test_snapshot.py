"""SAVE, BGSAVE, the save rules: what the file has, what is said, and what happens when it cannot be."""

import contextlib
import os
import re
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shmredis._core import ffi, lib
from tests.harness.processes import children_of
from tests.harness.resp import Client, parse
from tests.harness.server import Server, is_alive, wait_until
from tests.persistence.children import spare_of, writer_of
from tests.persistence.rdb_data import load_file
from tests.unit.engines import Engine, new_engine

StartServer = Callable[..., Server]
STARTED = b"+Background saving started\r\n"
MISCONF = (
    b"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. "
    b"Commands that may modify the data set are disabled, because this instance is configured to report "
    b"errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check "
    b"the Redis logs for details about the RDB error.\r\n"
)


def info(client: Client) -> dict[str, str]:
    """The fields of INFO persistence."""
    text = parse(client.call("INFO", "persistence")).decode()
    return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


def wait_saved(client: Client) -> dict[str, str]:
    """INFO when no snapshot is under way any more."""
    wait_until(lambda: info(client)["rdb_bgsave_in_progress"] == "0", 20)
    return info(client)


def save(client: Client) -> dict[str, str]:
    assert client.call("BGSAVE") == STARTED
    return wait_saved(client)


@contextlib.contextmanager
def loaded(path: Path) -> Iterator[Engine]:
    """An engine with what the file has."""
    with new_engine() as engine:
        load_file(engine, path)
        yield engine


def fill(client: Client) -> None:
    """Some keys of every type, in slots of all workers."""
    for i in range(60):
        client.call("SET", f"s{i}", i, "EX", 10000 + i)
        client.call("RPUSH", f"l{i}", *range(i + 1))
        client.call("HSET", f"h{i}", "field", "x" * i)
    client.call("HEXPIRE", "h7", 10000, "FIELDS", 1, "field")
    client.call("ZADD", "z", *[word for i in range(200) for word in (i, f"member{i}")])
    client.call("SADD", "set", *range(1000))


def keeper(server: Server) -> int:
    """The process of the worker that leads snapshots."""
    return min(server.children())


def no_leftovers(server: Server) -> bool:
    return not list(server.dir.glob("temp-*"))


def digest_of(engine: Engine) -> str:
    words = [ffi.from_buffer(b"DEBUG"), ffi.from_buffer(b"DIGEST")]
    n = ffi.new("size_t *")
    reply = lib.engine_debug(engine.handle, 0, 2, 2, words, [5, 6], n)
    digest: str = parse(bytes(ffi.buffer(reply, n[0])))
    return digest


class PairWriter:
    """Increments two counters of different workers together, as fast as it can, until it is stopped."""

    def __init__(self, server: Server) -> None:
        self._client = server.client()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        n = 0
        while not self._over.is_set():
            n += 1
            assert self._client.call("MSET", "one", n, "two", n, "three", n) == b"+OK\r\n"

    def __enter__(self) -> "PairWriter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_file_has_everything(start_server: StartServer, workers: int) -> None:
    server = start_server(workers=workers)
    with server.client() as client:
        fill(client)
        digest = parse(client.call("DEBUG", "DIGEST"))
        client.call("SELECT", 3)
        client.call("SET", "elsewhere", "value")
        for ask in ("BGSAVE", "SAVE"):
            assert client.call(ask).startswith(b"+")
            assert wait_saved(client)["rdb_last_bgsave_status"] == "ok"
            with loaded(server.dir / "dump.rdb") as engine:
                assert engine.call("DBSIZE") == 182
                engine.call("SELECT", 3)
                assert engine.call("GET", "elsewhere") == b"value"
                engine.call("FLUSHDB")
                assert digest_of(engine) == digest
        assert no_leftovers(server)


@pytest.mark.parametrize("workers", [1, 3])
def test_file_is_of_one_instant(start_server: StartServer, workers: int) -> None:
    """Writes go on while the file is written; what it has is from between two of them."""
    server = start_server("--rdb-key-save-delay", "20", workers=workers)
    with server.client() as client, PairWriter(server):
        fill(client)
        last = 0
        for _ in range(5):
            save(client)
            with loaded(server.dir / "dump.rdb") as engine:
                values = set(engine.call("MGET", "one", "two", "three"))
                assert len(values) == 1, values
                value = int(values.pop())
                assert value >= last
                last = value
        assert last > 0


def test_changes_after_the_instant_are_not_in_the_file(start_server: StartServer) -> None:
    server = start_server("--rdb-key-save-delay", "2000")
    with server.client() as client:
        fill(client)
        assert client.call("BGSAVE") == STARTED
        assert client.call("FLUSHDB") == b"+OK\r\n"
        for i in range(2000):
            client.call("SET", f"new{i}", "y" * 100)
        assert info(client)["rdb_bgsave_in_progress"] == "1"
        wait_saved(client)
        with loaded(server.dir / "dump.rdb") as engine:
            assert engine.call("DBSIZE") == 182
            assert engine.call("EXISTS", "new1") == 0
        assert client.call("DBSIZE") == b":2000\r\n"
        assert int(info(client)["rdb_last_cow_size"]) > 100_000


def test_what_info_and_lastsave_say(start_server: StartServer) -> None:
    server = start_server("--rdb-key-save-delay", "5000")
    with server.client() as client:
        started = int(parse(client.call("LASTSAVE")))
        fill(client)
        before = info(client)
        assert int(before["rdb_changes_since_last_save"]) > 180
        assert before["rdb_saves"] == "0" and before["rdb_last_bgsave_time_sec"] == "-1"
        assert client.call("BGSAVE") == STARTED
        during = info(client)
        assert during["rdb_bgsave_in_progress"] == "1"
        assert during["rdb_current_bgsave_time_sec"] == "0"
        assert during["current_save_keys_total"] == "182"
        wait_until(lambda: int(info(client)["current_save_keys_processed"]) > 3)
        assert client.call("BGSAVE") == b"-ERR Background save already in progress\r\n"
        assert client.call("BGSAVE", "SCHEDULE") == b"-ERR Background save already in progress\r\n"
        assert client.call("SAVE") == b"-ERR Background save already in progress\r\n"
        client.call("SET", "another", "change")
        client.call("CONFIG", "SET", "rdb-key-save-delay", "0")
        after = wait_saved(client)
        assert after["rdb_saves"] == "1" and after["rdb_last_bgsave_time_sec"] in "0123"
        size = (server.dir / "dump.rdb").stat().st_size
        done = f"BGSAVE done, 182 keys saved, 0 keys skipped, {size} bytes written."
        assert done in server.log()
        assert after["rdb_changes_since_last_save"] == "1"
        assert int(parse(client.call("LASTSAVE"))) >= started
        assert client.call("BGSAVE", "NOW") == b"-ERR syntax error\r\n"
        log = server.log()
        assert "Background saving started by pid" in log and "DB saved on disk" in log
        assert "Background saving terminated with success" in log


@pytest.mark.parametrize("workers", [1, 3])
def test_one_after_the_other(start_server: StartServer, workers: int) -> None:
    """A snapshot right after another waits until the arenas have thawed."""
    server = start_server(workers=workers)
    with server.client() as client:
        for i in range(12):
            client.call("MSET", "a", i, "b", i, "c", i)
            assert save(client)["rdb_last_bgsave_status"] == "ok"
            with loaded(server.dir / "dump.rdb") as engine:
                assert engine.call("MGET", "a", "b", "c") == [b"%d" % i] * 3
        assert info(client)["rdb_saves"] == "12"


def test_killed_child_is_a_failure_that_the_next_one_mends(start_server: StartServer) -> None:
    server = start_server("--rdb-key-save-delay", "100000")
    with server.client() as client:
        fill(client)
        assert client.call("BGSAVE") == STARTED
        os.kill(writer_of(keeper(server)), signal.SIGKILL)
        after = wait_saved(client)
        assert after["rdb_last_bgsave_status"] == "err"
        assert after["rdb_saves_consecutive_failures"] == "1"
        assert "Background saving terminated by signal 9" in server.log()
        assert no_leftovers(server) and not (server.dir / "dump.rdb").exists()
        client.call("CONFIG", "SET", "rdb-key-save-delay", "0")
        assert save(client)["rdb_last_bgsave_status"] == "ok"


def kill_spares(server: Server) -> None:
    spares = [spare_of(worker) for worker in server.children()]
    for spare in spares:
        os.kill(spare, signal.SIGKILL)
    wait_until(lambda: not any(is_alive(spare) for spare in spares))


@pytest.mark.parametrize("workers", [1, 3])
def test_whoever_writes_next_stands_by_and_is_replaced_when_it_dies(
    start_server: StartServer, workers: int
) -> None:
    server = start_server(workers=workers)
    with server.client() as client:
        fill(client)
        for _ in range(3):
            spares = [spare_of(worker) for worker in server.children()]
            assert client.call("BGSAVE") == STARTED
            assert (
                int(re.findall(r"Background saving started by pid (\d+)", server.log())[-1])
                in spares
            )
            assert wait_saved(client)["rdb_last_bgsave_status"] == "ok"
            kill_spares(server)
            assert save(client)["rdb_last_bgsave_status"] == "ok"
        with loaded(server.dir / "dump.rdb") as engine:
            assert engine.call("DBSIZE") == int(parse(client.call("DBSIZE")))


def test_a_writer_that_dies_while_it_makes_its_successor_leaves_no_child(
    start_server: StartServer,
) -> None:
    """The successor is stopped before it has told anybody that it is there."""
    server = start_server()
    with server.client() as client:
        fill(client)
        faults = "spare.cloned:kill,spare.begins:stop"
        assert client.call("DEBUG", "FAULT", faults) == b"+OK\r\n"
        kill_spares(server)  # the next one is a fork of the worker that has this plan
        assert save(client)["rdb_last_bgsave_status"] == "err"
        assert client.call("DEBUG", "FAULT", "") == b"+OK\r\n"
        kill_spares(server)
        spare = spare_of(keeper(server))
        assert children_of(keeper(server)) == [spare]
        assert save(client)["rdb_last_bgsave_status"] == "ok"


def test_what_a_spare_has_not_seen_comes_with_its_order(start_server: StartServer) -> None:
    """The policy decides what the file has of each key; the clock says for how long a key was idle."""
    server = start_server()
    with server.client() as client:
        spare_of(keeper(server))
        client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
        client.call("SET", "often", "1")
        for _ in range(50):
            client.call("GET", "often")
        frequency = int(parse(client.call("OBJECT", "FREQ", "often")))
        assert save(client)["rdb_last_bgsave_status"] == "ok"
        freq_then_string = bytes([0xF9, frequency, 0])
        assert freq_then_string + b"\x05often" in (server.dir / "dump.rdb").read_bytes()


def test_no_spare_outlives_its_worker(start_server: StartServer) -> None:
    server = start_server("--warm-restart", "no", workers=3)
    spares = [spare_of(worker) for worker in server.children()]
    os.kill(max(server.children()), signal.SIGKILL)
    wait_until(lambda: not is_alive(spares[-1]))
    server.stop()
    wait_until(lambda: not any(is_alive(pid) for pid in spares))


def test_full_disk_refuses_writes_until_a_snapshot_succeeds(start_server: StartServer) -> None:
    """The limit of file sizes stands for the disk: it is the worker's, so also its child's."""
    server = start_server()
    with server.client() as client:
        for i in range(300):
            client.call("SET", i, os.urandom(200))
        worker = keeper(server)
        usual = resource.prlimit(worker, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        assert save(client)["rdb_last_bgsave_status"] == "err"
        assert "File too large" in server.log() and "Background saving error" in server.log()
        assert no_leftovers(server)
        assert client.call("SET", "a", "b") == b"+OK\r\n"  # there are no save rules
        client.call("CONFIG", "SET", "save", "10000 1")
        assert client.call("SET", "a", "b") == MISCONF
        assert client.call("PING") == MISCONF
        assert client.call("GET", "a") == b"$1\r\nb\r\n"
        client.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        assert client.call("SET", "a", "b") == b"+OK\r\n"
        client.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
        assert client.call("SET", "a", "b") == MISCONF
        resource.prlimit(worker, resource.RLIMIT_FSIZE, usual)
        assert save(client)["rdb_last_bgsave_status"] == "ok"
        assert client.call("SET", "a", "b") == b"+OK\r\n"
        client.call("CONFIG", "SET", "save", "")


@pytest.mark.parametrize("workers", [1, 3])
def test_flushall_ends_a_snapshot_which_is_no_failure(
    start_server: StartServer, workers: int
) -> None:
    server = start_server("--rdb-key-save-delay", "100000", workers=workers)
    with server.client() as client:
        fill(client)
        assert client.call("BGSAVE") == STARTED
        assert client.call("FLUSHALL") == b"+OK\r\n"
        after = wait_saved(client)
        assert after["rdb_last_bgsave_status"] == "ok" and after["rdb_saves"] == "1"
        assert "Background saving terminated by signal 10" in server.log()
        assert no_leftovers(server)


def test_file_that_cannot_be_opened(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as client:
        in_the_way = server.dir / f"temp-{keeper(server)}.rdb"
        in_the_way.mkdir()
        assert client.call("SAVE") == b"-ERR\r\n"
        assert client.call("BGSAVE") == STARTED
        assert wait_saved(client)["rdb_last_bgsave_status"] == "err"
        assert "Failed opening the temp RDB file" in server.log()
        in_the_way.rmdir()
        assert client.call("SAVE") == b"+OK\r\n"
        assert info(client)["rdb_last_bgsave_status"] == "ok"


@pytest.mark.parametrize("workers", [1, 3])
def test_save_rule(start_server: StartServer, workers: int) -> None:
    """Enough changes in enough seconds; those of all workers count."""
    server = start_server(workers=workers)
    with server.client() as client:
        client.call("CONFIG", "SET", "save", "1 6")
        for i in range(6):
            client.call("SET", f"key{i}", i)
        wait_until((server.dir / "dump.rdb").exists)
        assert wait_saved(client)["rdb_saves"] == "1"
        assert "6 changes in 1 seconds. Saving..." in server.log()
        client.call("CONFIG", "SET", "save", "")
        with loaded(server.dir / "dump.rdb") as engine:
            assert engine.call("DBSIZE") == 6


@pytest.mark.parametrize("point", ["fork.frozen", "freeze.marked", "thaw.copied"])
def test_worker_that_dies_frozen_or_thawing_fails_the_snapshot_only(
    start_server: StartServer, point: str
) -> None:
    """One of three: the others go on, the next snapshot has all keys of theirs."""
    server = start_server("--rdb-key-save-delay", "1000", workers=3)
    with server.client() as client, server.client() as victim:
        fill(client)
        assert victim.call("SET", "foo", "bar") == b"+OK\r\n"  # of the last worker, where it moves
        assert victim.call("DEBUG", "FAULT", point) == b"+OK\r\n"
        before = set(server.children())
        with contextlib.suppress(ConnectionError):
            client.call("BGSAVE")
        wait_until(lambda: set(server.children()) != before and len(server.children()) == 3, 20)
    with server.client() as client:
        wait_until(lambda: client.call("SET", "foo", "again") == b"+OK\r\n", 20)
        wait_saved(client)
        client.call("CONFIG", "SET", "rdb-key-save-delay", "0")
        assert save(client)["rdb_last_bgsave_status"] == "ok"
        with loaded(server.dir / "dump.rdb") as engine:
            assert engine.call("DBSIZE") == int(parse(client.call("DBSIZE")))
            assert engine.call("GET", "foo") == b"again"
    assert no_leftovers(server)


def test_server_that_ends_leaves_no_child_and_no_temporary_file(start_server: StartServer) -> None:
    server = start_server("--rdb-key-save-delay", "1000000", workers=3)
    with server.client() as client:
        fill(client)
        assert client.call("BGSAVE") == STARTED
        children = [writer_of(worker) for worker in server.children()]
        server.stop()
    wait_until(lambda: not any(is_alive(pid) for pid in children))
    assert no_leftovers(server)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("words", [["BGSAVE"], ["BGSAVE", "SCHEDULE"]])
def test_in_a_transaction_it_is_scheduled(
    start_server: StartServer, workers: int, words: list[str]
) -> None:
    server = start_server(workers=workers)
    with server.client() as client:
        client.call("SET", "k", "v")
        client.call("MULTI")
        client.call(*words)
        assert client.call("EXEC") == b"*1\r\n+Background saving scheduled\r\n"
        wait_until(lambda: "Background saving terminated with success" in server.log())
        assert info(client)["rdb_saves"] == "1"
