"""DEBUG RELOAD, LOADAOF, RESTART, CRASH-AND-RECOVER, SET-SKIP-CHECKSUM-VALIDATION."""

import pytest

from tests.harness.server import wait_until
from tests.persistence.place import SAVES, Place, place
from tests.persistence.test_restart import fill_place
from tests.workers.places import connect_to

OK = b"+OK\r\n"


@pytest.mark.parametrize("workers", [1, 3])
def test_reload(workers: int) -> None:
    with place(workers=workers) as here:
        before = fill_place(here)
        with here.client() as client:
            assert client.call("DEBUG", "RELOAD") == OK
            assert here.digest() == before
            client.call("SET", "late", 1)
            assert client.call("DEBUG", "RELOAD", "NOSAVE") == OK
            assert here.digest() == before
            client.call("SET", "late", 1)
            client.call("SET", "key:1", "changed")
            assert client.call("DEBUG", "RELOAD", "MERGE", "NOFLUSH", "NOSAVE") == OK
            assert client.call("GET", "key:1") == b"$1\r\n1\r\n"
            assert client.call("GET", "late") == b"$1\r\n1\r\n"
            assert client.call("DEBUG", "RELOAD", "SOMETHING").startswith(
                b"-ERR DEBUG RELOAD only supports"
            )
        assert "DB reloaded by DEBUG RELOAD" in here.log()


def test_a_file_that_cannot_be_loaded() -> None:
    with place() as here:
        fill_place(here)
        (here.dir / "dump.rdb").write_bytes(b"REDIS0011 and nonsense")
        with here.client() as client:
            failed = b"-ERR Error trying to load the RDB dump, check server logs.\r\n"
            assert client.call("DEBUG", "RELOAD", "NOSAVE") == failed
            assert client.call("SET", "k", "v") == OK


@pytest.mark.parametrize("workers", [1, 3])
def test_loadaof(workers: int) -> None:
    with place("--appendonly", "yes", workers=workers) as here:
        before = fill_place(here)
        with here.client() as client:
            assert client.call("DEBUG", "LOADAOF") == OK
            assert here.digest() == before
            client.call("SET", "late", 1)
            after = here.digest()
            assert client.call("DEBUG", "LOADAOF") == OK
        assert here.digest() == after


def run_id(here: Place) -> bytes:
    """Empty: it does not answer."""
    try:
        with here.client() as client:
            text: bytes = client.value("INFO", "server")
    except (OSError, TypeError):
        return b""
    return text.split(b"run_id:")[1].split()[0] if b"run_id:" in text else b""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("how", ["RESTART", "CRASH-AND-RECOVER"])
def test_the_server_starts_again(how: str, workers: int) -> None:
    with place(workers=workers) as here:
        before, old = fill_place(here), run_id(here)
        with here.client() as client:
            client.send(f"DEBUG {how} 10\r\n".encode())
            assert client.closed()
        wait_until(lambda: run_id(here) not in (b"", old))
        here.wait_ready()
        assert here.digest() == before
        assert here.process.poll() is None
        assert ("DB saved on disk" in here.log()) == (how == "RESTART")


def test_checksums_of_payloads_can_be_left_out() -> None:
    with place(workers=2) as here, here.client() as client:
        client.call("SET", "k", "v")
        payload = client.value("DUMP", "k")
        broken = payload[:-1] + bytes([payload[-1] ^ 1])
        refused = b"-ERR DUMP payload version or checksum are wrong\r\n"
        assert client.call("RESTORE", "copy", 0, broken) == refused
        assert client.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1) == OK
        assert client.call("RESTORE", "copy", 0, broken) == OK
        assert client.call("GET", "copy") == b"$1\r\nv\r\n"
        assert client.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 0) == OK
        assert client.call("RESTORE", "other", 0, broken) == refused


def test_the_log_goes_with_an_arena_that_is_taken_over() -> None:
    with place("--appendonly", "yes", workers=2) as here:
        before = fill_place(here)
        here.end()
        here.again(*SAVES, "--appendonly", "yes", workers=2)
        assert here.chosen().startswith("Re-attached 2 arenas")
        assert here.digest() == before
        with here.client() as client:
            client.call("MSET", "a", 1, "b", 2, "c", 3)
        after = here.digest()
        here.end()
        here.again(*SAVES, "--appendonly", "yes", "--discard-shm", workers=2)
        assert here.chosen().startswith("DB loaded from append only file: ")
        assert here.digest() == after


def test_no_worker_loads_when_one_has_no_log_to_load() -> None:
    with place("--appendonly", "yes", workers=3) as here, connect_to(here, 0) as client:
        before = fill_place(here)
        file = here.dir / "appendonlydir" / "worker-1" / "appendonly.aof.1.incr.aof"
        file.rename(file.with_suffix(".away"))
        failed = b"-ERR Error trying to load the AOF files, check server logs.\r\n"
        assert client.call("DEBUG", "LOADAOF") == failed
        assert here.digest() == before
        assert "Append Only File loaded by DEBUG LOADAOF" not in here.log()
        file.with_suffix(".away").rename(file)
        assert client.call("DEBUG", "LOADAOF") == OK
        assert here.digest() == before


def test_without_any_log_nothing_is_emptied() -> None:
    with place(workers=2) as here, here.client() as client:
        before = fill_place(here)
        failed = b"-ERR Error trying to load the AOF files, check server logs.\r\n"
        assert client.call("DEBUG", "LOADAOF") == failed
        assert here.digest() == before
