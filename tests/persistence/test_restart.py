"""A server that was ended and is started again: what it finds, what it chooses, and what it says."""

import os
import signal
import struct

import pytest

from tests.harness.resp import Client
from tests.harness.server import is_alive, wait_until
from tests.persistence.place import SAVES, Place, place, worker_pids

NO_FILES = ("--save", "")
MANY = 3000


def fill(client: Client) -> None:
    """Something of every type, with expiry, in two databases."""
    call = client.call
    call("MSET", *(word for i in range(500) for word in (f"key:{i}", i)))
    call("SET", "large", "y" * 300_000)
    call("SET", "soon", "gone", "EX", 10_000)
    call("RPUSH", "list", *("z" * 50 for _ in range(1000)))
    call("SADD", "numbers", *range(40))
    call("SADD", "names", *(f"name-{i}" for i in range(MANY)))
    call("HSET", "hash", *(f"f{i}" for i in range(MANY)))
    call("HEXPIRE", "hash", 10_000, "FIELDS", 1, "f0")
    call("ZADD", "zset", *(word for i in range(MANY) for word in (i, f"m{i}")))
    call("SELECT", 2)
    call("SET", "elsewhere", "yes")
    call("SELECT", 0)


def fill_place(here: Place) -> bytes:
    with here.client() as client:
        fill(client)
    return here.digest()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_restart_in_order_finds_everything_in_memory(workers: int) -> None:
    with place(workers=workers) as here:
        before = fill_place(here)
        with here.client() as client:
            client.call("SET", "idle", "x")
        here.end()
        assert "DB saved on disk" in here.log()
        assert (here.dir / "dump.rdb").exists()
        here.again(*SAVES, workers=workers)
        plural = "s" if workers > 1 else ""
        assert here.chosen() == f"Re-attached {workers} arena{plural}, 509 keys, generation 1"
        with here.client() as client:
            client.call("DEL", "idle")
            assert int(client.call("TTL", "soon")[1:]) > 9_900
            assert client.call("HPEXPIRETIME", "hash", "FIELDS", 1, "f0") != b"*1\r\n:-1\r\n"
            assert b"rdb_changes_since_last_save:1\r\n" in client.value("INFO", "persistence")
        assert here.digest() == before


@pytest.mark.parametrize("workers", [1, 3])
def test_after_a_kill_of_everything_the_memory_is_taken_over(workers: int) -> None:
    with place(workers=workers) as here:
        before = fill_place(here)
        here.end(signal.SIGKILL)
        here.again(*SAVES, workers=workers)
        assert here.chosen().startswith(f"Re-attached {workers} arena")
        assert here.digest() == before


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_front_leaves_its_workers_arenas(workers: int) -> None:
    with place(workers=workers) as here:
        before = fill_place(here)
        pids = here.children()
        here.process.kill()
        here.process.wait(10)
        wait_until(lambda: not any(is_alive(pid) for pid in pids))
        here.again(*SAVES, workers=workers)
        assert here.chosen().startswith(f"Re-attached {workers} arena")
        assert here.digest() == before


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("switch", [("--discard-shm",), ("--warm-restart", "no")])
def test_files_are_loaded_if_so_wanted(workers: int, switch: tuple[str, ...]) -> None:
    with place(workers=workers) as here:
        before = fill_place(here)
        here.end()
        here.again(*SAVES, *switch, workers=workers)
        assert here.chosen().startswith("DB loaded from disk: ")
        assert "Done loading RDB, keys loaded: " in here.log()
        assert here.digest() == before


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 2), (2, 1)])
def test_another_number_of_workers_loads_the_files(before: int, after: int) -> None:
    with place(workers=before) as here:
        fill_place(here)
        values = here.values()
        assert len(values) == 508
        here.end()
        here.again(*SAVES, workers=after)
        assert here.chosen().startswith("DB loaded from disk: ")
        assert here.values() == values
        arenas = {path.name.rpartition(".")[2] for path in here.shm_objects()}
        assert arenas - {"control", "scripts"} == {str(i) for i in range(after)}


def test_nothing_is_kept_after_shutdown_nosave() -> None:
    with place() as here:
        fill_place(here)
        with here.client() as client:
            client.send(b"SHUTDOWN NOSAVE\r\n")
            assert client.closed()
        here.process.wait(10)
        assert not here.shm_objects()
        here.again(*SAVES)
        assert here.chosen() == ""
        with here.client() as client:
            assert client.call("DBSIZE") == b":0\r\n"


def test_nothing_is_kept_without_persistence_but_after_a_crash_it_is() -> None:
    with place(*NO_FILES) as here:
        before = fill_place(here)
        here.end(signal.SIGKILL)
        here.again(*NO_FILES)
        assert here.digest() == before
        here.end()
        assert not here.shm_objects()
        here.again(*NO_FILES)
        with here.client() as client:
            assert client.call("DBSIZE") == b":0\r\n"


def test_shutdown_save_keeps_the_data_without_save_rules() -> None:
    with place(*NO_FILES, workers=2) as here:
        before = fill_place(here)
        with here.client() as client:
            client.send(b"SHUTDOWN SAVE\r\n")
            assert client.closed()
        here.process.wait(10)
        assert (here.dir / "dump.rdb").exists()
        here.again(*NO_FILES, workers=2)
        assert here.chosen().startswith("Re-attached 2 arenas")
        assert here.digest() == before


def test_a_file_that_was_replaced_is_what_the_user_wants() -> None:
    with place() as here:
        with here.client() as client:
            client.call("SET", "old", "1")
            client.call("SAVE")
        backup = (here.dir / "dump.rdb").read_bytes()
        with here.client() as client:
            client.call("SET", "new", "1")
        here.end()
        (here.dir / "dump.rdb").write_bytes(backup)
        here.again(*SAVES)
        assert here.chosen().endswith("the RDB file is not the one it goes with)")
        with here.client() as client:
            assert client.call("KEYS", "*") == b"*1\r\n$3\r\nold\r\n"


def test_a_file_that_was_removed_is_a_wish_for_a_fresh_start() -> None:
    with place() as here:
        fill_place(here)
        here.end()
        (here.dir / "dump.rdb").unlink()
        here.again(*SAVES)
        assert here.chosen().startswith("Starting without data (the data in shared memory is")
        with here.client() as client:
            assert client.call("DBSIZE") == b":0\r\n"


def test_a_snapshot_of_a_crashed_server_does_not_hide_what_came_after_it() -> None:
    with place(workers=2) as here:
        fill_place(here)
        with here.client() as client:
            assert client.call("SAVE") == b"+OK\r\n"
            client.call("MSET", "late", 1, "later", 2, "latest", 3)
        wait_until(lambda: b"rdb_bgsave_in_progress:0" in info(here))
        before = here.digest()
        here.end(signal.SIGKILL)
        here.again(*SAVES, workers=2)
        assert here.chosen().startswith("Re-attached 2 arenas")
        assert here.digest() == before


def info(here: Place) -> bytes:
    with here.client() as client:
        return client.value("INFO", "persistence")


def test_another_directory_does_not_get_the_data() -> None:
    with place() as here:
        fill_place(here)
        here.end()
        elsewhere = here.dir / "elsewhere"
        elsewhere.mkdir()
        here.again(*SAVES, "--dir", str(elsewhere))
        assert "it belongs to a server with other files" in here.chosen()
        with here.client() as client:
            assert client.call("DBSIZE") == b":0\r\n"


PATCHES = {
    "checksum": (20, b"\xee" * 4, "its checksum is wrong"),
    "stamp": (40, b"\xee" * 16, "its superblock is damaged"),
    "layout": (8, struct.pack("<I", 999), "its layout is version 999 and not "),
    "busy": (12, struct.pack("<I", 1), "its worker ended inside a command"),
    "magic": (0, b"nonsense", "it is no arena"),
}


@pytest.mark.parametrize("which", PATCHES)
def test_a_damaged_arena_is_refused_with_the_reason(which: str) -> None:
    offset, data, reason = PATCHES[which]
    with place() as here:
        before = fill_place(here)
        here.end()
        (arena,) = here.arenas()
        with arena.open("r+b") as file:
            file.seek(offset)
            file.write(data)
        here.again(*SAVES)
        assert here.chosen().startswith("DB loaded from disk: ")
        assert reason in here.chosen()
        assert here.digest() == before


def test_a_file_that_is_damaged_ends_the_start_and_stays_as_it_is() -> None:
    with place() as here:
        fill_place(here)
        here.end()
        dump = here.dir / "dump.rdb"
        damaged = dump.read_bytes()[:-3000]
        dump.write_bytes(damaged)
        here.launch(*SAVES)
        assert here.process.wait(20) == 1
        assert "Fatal error loading the DB, check server logs. Exiting." in here.log()
        assert dump.read_bytes() == damaged
        assert not here.shm_objects()


def test_a_save_that_fails_keeps_the_server_going() -> None:
    with place() as here:
        fill_place(here)
        here.dir.chmod(0o500)
        (here.dir / "dump.rdb").mkdir(mode=0o700) if os.geteuid() == 0 else None
        try:
            with here.client() as client:
                reply = client.call("SHUTDOWN")
                assert reply == b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
                assert client.call("SET", "k", "v") == b"+OK\r\n"
            here.process.send_signal(signal.SIGTERM)
            line = "Errors trying to shut down the server. Check the logs for more information."
            wait_until(lambda: here.log().count(line) == 2)
            assert here.answers()
            with here.client() as client:
                client.send(b"SHUTDOWN FORCE\r\n")
                assert client.closed()
            assert here.process.wait(10) == 0
        finally:
            here.dir.chmod(0o700)


def test_clients_are_told_while_files_are_loaded() -> None:
    with place() as here:
        fill_place(here)
        here.end()
        slow = ("--key-load-delay", "3000", "--loading-process-events-interval-bytes", "1024")
        here.launch(*SAVES, "--discard-shm", *slow)
        wait_until(lambda: connects(here))
        loading = b"-LOADING Redis is loading the dataset in memory\r\n"
        with here.client() as client:
            assert client.call("PING") == loading
            assert client.call("GET", "key:1") == loading
            said = client.value("INFO", "persistence")
        assert b"\r\nloading:1\r\n" in said
        for field in (b"start_time", b"total_bytes", b"rdb_used_mem", b"loaded_bytes"):
            assert b"loading_" + field + b":" in said
        assert b"loading_loaded_perc:" in said
        assert b"loading_eta_seconds:" in said
        here.wait_ready()
        with here.client() as client:
            assert client.call("GET", "key:1") == b"$1\r\n1\r\n"
            said = client.value("INFO", "persistence")
        assert b"\r\nloading:0\r\n" in said
        assert b"rdb_last_load_keys_loaded:508\r\n" in said


def connects(here: Place) -> bool:
    try:
        here.client().close()
    except OSError:
        return False
    return True


def test_a_worker_that_died_inside_a_command_is_filled_from_the_file() -> None:
    with place(workers=3) as here:
        fill_place(here)
        with here.client() as client:
            assert client.call("SAVE") == b"+OK\r\n"
        before = here.digest()
        arena = next(path for path in here.shm_objects() if path.name.endswith(".1"))
        pid = worker_pids(here)[1]
        os.kill(pid, signal.SIGSTOP)
        with arena.open("r+b") as file:
            file.seek(PATCHES["busy"][0])
            file.write(PATCHES["busy"][1])
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: "Worker 1 is back: " in here.log())
        assert "DB loaded from disk: " in here.log()
        assert "its worker ended inside a command" in here.log()
        assert here.digest() == before
