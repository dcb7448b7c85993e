"""CONFIG SET dir: where files go from then on, what goes on with those that are being written."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.resp import Client
from tests.harness.server import Server, wait_until
from tests.persistence.place import Place, place
from tests.persistence.test_snapshot import loaded, save, wait_saved

StartServer = Callable[..., Server]
OK = b"+OK\r\n"
MOVABLE = ("--enable-protected-configs", "yes")


@pytest.fixture(params=[1, 3], ids=["1 worker", "3 workers"])
def server(request: pytest.FixtureRequest, start_server: StartServer) -> Server:
    """With a folder `sub` in its directory."""
    started = start_server(*MOVABLE, workers=request.param)
    (started.dir / "sub" / "deep").mkdir(parents=True)
    return started


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with server.client() as connection:
        yield connection


def go(client: Client, folder: str | Path) -> bytes:
    return client.call("CONFIG", "SET", "dir", str(folder))


def where(client: Client) -> Path:
    return Path(os.fsdecode(client.value("CONFIG", "GET", "dir")[1]))


def test_a_snapshot_goes_where_dir_leads(server: Server, client: Client) -> None:
    home = server.dir.resolve()
    client.call("MSET", "a", 1, "b", 2, "c", 3)
    for step, folder in (("sub", "sub"), ("deep", "sub/deep"), ("../..", ""), ("./sub", "sub")):
        assert go(client, step) == OK
        assert where(client) == home / folder
        assert client.call("SAVE") == OK
        (home / folder / "dump.rdb").unlink()
        save(client)
        with loaded(home / folder / "dump.rdb") as engine:
            assert engine.call("DBSIZE") == 3
    assert not list(home.rglob("temp-*"))


def test_what_cannot_be_changes_nothing(server: Server, client: Client) -> None:
    begin = "-ERR CONFIG SET failed (possibly related to argument"
    refused = f"{begin} 'dir') - No such file or directory\r\n".encode()
    assert go(client, "nowhere") == refused
    assert client.call("CONFIG", "SET", "dir", "sub", "dbfilename", "a/b").startswith(
        f"{begin} 'dbfilename')".encode()
    )
    assert where(client) == server.dir.resolve()
    assert client.call("SAVE") == OK
    assert (server.dir / "dump.rdb").exists()


def test_a_snapshot_under_way_ends_where_it_began(server: Server, client: Client) -> None:
    for i in range(50):
        client.call("SET", f"k{i}", i)
    client.call("CONFIG", "SET", "rdb-key-save-delay", 2000)
    client.call("BGSAVE")
    assert go(client, "sub") == OK
    assert wait_saved(client)["rdb_last_bgsave_status"] == "ok"
    with loaded(server.dir / "dump.rdb") as engine:
        assert engine.call("DBSIZE") == 50
    assert not list(server.dir.rglob("temp-*"))
    assert not (server.dir / "sub" / "dump.rdb").exists()


@pytest.mark.parametrize("workers", [1, 3])
def test_the_log_goes_along(workers: int) -> None:
    with place(*MOVABLE, "--appendonly", "yes", workers=workers) as here:
        sub = here.dir / "sub"
        sub.mkdir()
        with here.client() as client:
            client.call("MSET", *(word for i in range(20) for word in (f"early{i}", i)))
            assert go(client, sub) == OK
            client.call("MSET", *(word for i in range(20) for word in (f"late{i}", i)))
            kill_a_worker(here)
        with here.client() as client:
            assert client.value("DBSIZE") == 40
            client.call("SET", "last", 1)
        before = here.values()
        here.end(signal.SIGKILL)
        here.again("--dir", str(sub), "--appendonly", "yes", "--discard-shm", workers=workers)
        assert here.chosen().startswith("DB loaded from append only file")
        assert here.values() == before


def kill_a_worker(here: Place) -> None:
    """And waits until it is back."""
    pid = here.children()[-1]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: here.answers() and pid not in here.children())


def test_a_log_that_cannot_go_along_stays(start_server: StartServer) -> None:
    server = start_server(*MOVABLE, "--appendonly", "yes", "--warm-restart", "no")
    sub = server.dir / "sub"
    sub.mkdir()
    (sub / "appendonlydir").write_text("no folder")
    with server.client() as client:
        begin = (
            b"-ERR CONFIG SET failed (possibly related to argument 'dir') - The append only file"
        )
        assert go(client, sub).startswith(begin)
        assert where(client) == server.dir.resolve()
        client.call("SET", "key", "value")
    log = server.dir / "appendonlydir" / "appendonly.aof.1.incr.aof"
    wait_until(lambda: b"value" in log.read_bytes())
    assert not list(sub.glob("temp-*"))


def test_a_directory_that_was_removed(start_server: StartServer) -> None:
    server = start_server(*MOVABLE, "--save", "3600 1", "--warm-restart", "no")
    gone = server.dir / "gone"
    gone.mkdir()
    with server.client() as client:
        assert go(client, gone) == OK
        gone.rmdir()
        assert client.call("SET", "a", 1) == OK
        assert client.call("SAVE") == b"-ERR\r\n"
        assert save(client)["rdb_last_bgsave_status"] == "err"
        assert client.call("SET", "a", 2).startswith(b"-MISCONF ")
        assert client.call("BGREWRITEAOF").startswith(
            b"-ERR Can't execute an AOF background rewriting"
        )
        assert client.call("SHUTDOWN") == b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
        assert "(in server root dir unknown)" in server.log()
        assert go(client, server.dir) == OK
        assert save(client)["rdb_last_bgsave_status"] == "ok"
        assert client.call("SET", "a", 2) == OK


def test_a_rewrite_without_a_place_fails_at_once(start_server: StartServer) -> None:
    server = start_server()
    (server.dir / "appendonlydir").write_text("no folder")
    with server.client() as client:
        assert client.call("BGREWRITEAOF").startswith(
            b"-ERR Can't execute an AOF background rewriting"
        )
        begin = b"-ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to turn on"
        assert client.call("CONFIG", "SET", "appendonly", "yes").startswith(begin)
        assert client.value("CONFIG", "GET", "appendonly") == [b"appendonly", b"no"]


def test_a_server_without_a_name_for_its_snapshots(start_server: StartServer) -> None:
    with start_server("--dbfilename", "").client() as client:
        assert client.call("SET", "a", 1) == OK
        assert client.call("SAVE") == b"-ERR\r\n"
