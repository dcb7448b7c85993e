"""BACKUP: what is sealed is a whole append-only folder; who dies in the midst does no harm."""

import os
import shutil
import signal
import threading

import pytest

from tests.harness.processes import is_stopped
from tests.harness.resp import parse
from tests.harness.server import wait_until
from tests.persistence.children import writer_of
from tests.persistence.logged import LoggedServer
from tests.persistence.test_aof_server import fill
from tests.workers.places import connect_to

WORKERS = pytest.mark.parametrize("workers", [1, 3])
APPENDONLY = pytest.mark.parametrize("appendonly", ["no", "yes"])
NOT_READY = b"-ERR No backup ready to seal (must be in the incrementing state)\r\n"


def status(server: LoggedServer) -> dict[str, bytes]:
    flat = parse(server.call("BACKUP", "STATUS"))
    return {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}


def state(server: LoggedServer) -> str:
    return status(server)["state"].decode()


def begin(server: LoggedServer) -> None:
    """A backup that logs."""
    assert server.call("BACKUP", "START") == b"+OK\r\n"
    wait_until(lambda: state(server) == "incrementing")


def restored(server: LoggedServer, workers: int) -> bytes:
    """The digest of a new server that has nothing but the sealed folder."""
    server.kill()
    copy = server.dir / "restored"
    shutil.copytree(server.dir / "backupdir", copy)
    shutil.rmtree(server.dir / "appendonlydir", ignore_errors=True)
    server.start("--appenddirname", copy.name, workers=workers)
    return server.digest()


@WORKERS
@APPENDONLY
def test_a_sealed_backup_is_all_that_was_there(
    server: LoggedServer, workers: int, appendonly: str
) -> None:
    server.start("--appendonly", appendonly, workers=workers)
    fill(server)
    begin(server)
    assert server.info("backup_in_progress") == "1"
    assert server.info("aof_enabled") == "1"
    server.call("MSET", *(f"late{i}" for i in range(20)))
    server.call("DEL", "late0")
    assert server.call("BGREWRITEAOF").startswith(b"+Background append only file rewriting sched")
    digest = server.digest()
    assert server.call("BACKUP", "SEAL") == b"+OK\r\n"
    assert state(server) == "sealed"
    assert server.info("backup_in_progress") == "0"
    assert server.info("aof_enabled") == str(int(appendonly == "yes"))
    server.call("SET", "later", "1")
    assert restored(server, workers) == digest


@WORKERS
@APPENDONLY
def test_files_of_each_state(server: LoggedServer, workers: int, appendonly: str) -> None:
    server.start("--appendonly", appendonly, workers=workers)
    assert server.call("BACKUP", "LIST") == b"*0\r\n"
    begin(server)
    whole = server.dir.resolve() / "backupdir"
    folders = [whole / f"worker-{i}" for i in range(workers)] if workers > 1 else [whole]
    number = 2 if appendonly == "yes" else 1
    names = [f"appendonly.aof.{number}.base.rdb"]

    def listed() -> list[str]:
        return [path.decode() for path in parse(server.call("BACKUP", "LIST"))]

    assert listed() == [str(folder / name) for folder in folders for name in names]
    server.call("BACKUP", "SEAL")
    names += [f"appendonly.aof.{number}.incr.aof", "appendonly.aof.manifest"]
    assert listed() == [str(folder / name) for folder in folders for name in names]
    assert sorted(map(str, (p for p in whole.rglob("*") if p.is_file()))) == sorted(listed())
    if appendonly == "no":
        log = server.dir / "appendonlydir"
        wait_until(lambda: not any(path.is_file() for path in log.rglob("*")))
    assert server.call("BACKUP", "CLEANUP") == b"+OK\r\n"
    assert list(whole.iterdir()) == []
    assert status(server) == {"state": b"idle", "error": b"", "start_time": 0, "end_time": 0}


@WORKERS
def test_an_aborted_backup_leaves_nothing_but_the_log(server: LoggedServer, workers: int) -> None:
    server.start(workers=workers)
    fill(server)
    begin(server)
    server.call("SET", "while", "it runs")
    assert server.call("BACKUP", "ABORT") == b"+OK\r\n"
    assert (state(server), status(server)["error"]) == ("failed", b"aborted by user")
    assert list((server.dir / "backupdir").iterdir()) == []
    assert server.call("BACKUP", "ABORT") == b"-ERR No backup in progress\r\n"
    assert server.call("BACKUP", "SEAL") == NOT_READY
    begin(server)  # a failed one may be begun again
    assert server.call("BACKUP", "ABORT") == b"+OK\r\n"
    server.call("SET", "after", "it")
    server.rewrite()  # nothing holds files any more
    digest = server.digest()
    server.kill()
    server.start(workers=workers)
    assert server.digest() == digest


@WORKERS
def test_appendonly_may_be_switched_meanwhile(server: LoggedServer, workers: int) -> None:
    server.start("--appendonly", "no", workers=workers)
    fill(server)
    begin(server)
    assert server.call("CONFIG", "SET", "appendonly", "no") == b"+OK\r\n"  # as it is
    assert state(server) == "incrementing"
    assert server.call("CONFIG", "SET", "appendonly", "yes") == b"+OK\r\n"
    server.call("SET", "k", "v")
    digest = server.digest()
    assert server.call("BACKUP", "SEAL") == b"+OK\r\n"
    assert server.info("aof_enabled") == "1"
    server.kill()
    server.start(workers=workers)  # the log of the backup is the server's now
    assert server.digest() == digest
    shutil.rmtree(server.dir / "backupdir")
    begin(server)
    assert server.call("CONFIG", "SET", "appendonly", "no") == b"+OK\r\n"
    assert status(server)["error"] == b"appendonly is stopped"
    assert server.info("aof_enabled") == "0"


@WORKERS
def test_a_log_that_is_switched_on_while_a_backup_waits(server: LoggedServer, workers: int) -> None:
    """It is the server's, not the backup's, though nobody had begun it yet."""
    server.start("--appendonly", "no", "--appendfsync", "always", workers=workers)
    fill(server)
    server.call("CONFIG", "SET", "rdb-key-save-delay", 20000)
    assert server.call("BGSAVE") == b"+Background saving started\r\n"
    assert server.call("BACKUP", "START") == b"+OK\r\n"
    assert server.call("CONFIG", "SET", "appendonly", "yes") == b"+OK\r\n"
    server.call("CONFIG", "SET", "rdb-key-save-delay", 0)
    wait_until(lambda: state(server) == "incrementing")
    server.call("SET", "k", "v")
    digest = server.digest()
    server.kill()
    server.start(workers=workers)
    assert server.digest() == digest


@WORKERS
@APPENDONLY
def test_a_server_killed_in_the_midst(server: LoggedServer, workers: int, appendonly: str) -> None:
    server.start("--appendonly", appendonly, workers=workers)
    fill(server)
    digest = server.digest()
    begin(server)
    server.kill()
    server.start(workers=workers)
    empty = b"+" + b"0" * 40 + b"\r\n"  # without appendonly nothing was promised, nor is it stale
    assert server.digest() == (digest if appendonly == "yes" else empty)
    assert state(server) == "idle"
    refused = b"-ERR Backup directory backupdir is not empty, CLEANUP it first\r\n"
    assert server.call("BACKUP", "START") == refused
    assert server.call("BACKUP", "CLEANUP") == b"+OK\r\n"
    begin(server)
    assert server.call("BACKUP", "SEAL") == b"+OK\r\n"


@pytest.mark.parametrize("victim", [0, 2])
@APPENDONLY
def test_a_worker_that_dies_takes_the_backup_with_him(
    server: LoggedServer, victim: int, appendonly: str
) -> None:
    server.start("--appendonly", appendonly, "--warm-restart", "yes", workers=3)
    fill(server)
    digest = server.digest()
    begin(server)
    pid = server.workers()[victim]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid not in server.workers() and len(server.workers()) == 3)
    wait_until(lambda: server.answers() and server.info("backup_in_progress") == "0")
    assert server.call("BACKUP", "SEAL") == NOT_READY
    assert server.digest() == digest
    assert server.call("BACKUP", "CLEANUP") == b"+OK\r\n"
    begin(server)
    assert server.call("BACKUP", "SEAL") == b"+OK\r\n"
    assert restored(server, 3) == digest


def test_who_is_late_to_hear_of_the_end_leaves_no_folder(server: LoggedServer) -> None:
    """It puts a manifest in its folder after all others' and its own have been removed."""
    server.start("--appendonly", "no", workers=3)
    fill(server)
    begin(server)
    pid = server.workers()[2]
    with connect_to(server, 2, 3) as client:
        client.call("DEBUG", "FAULT", "backup.seal:stop:1")
    sealing = threading.Thread(target=server.call, args=("BACKUP", "SEAL"))
    sealing.start()
    wait_until(lambda: is_stopped(pid))
    assert server.call("BACKUP", "ABORT") == b"+OK\r\n"
    assert not (server.dir / "backupdir/worker-2").exists()
    os.kill(pid, signal.SIGCONT)
    sealing.join()
    wait_until(lambda: server.call("BACKUP", "START") == b"+OK\r\n")
    wait_until(lambda: state(server) == "incrementing")
    assert server.call("BACKUP", "SEAL") == b"+OK\r\n"


def test_all_logs_end_at_one_instant(server: LoggedServer) -> None:
    """What a client wrote later is not there without what it wrote before, wherever the keys are."""
    server.start("--appendonly", "no", workers=3)
    begin(server)
    done = threading.Event()
    counted = 0

    def write() -> None:
        nonlocal counted
        with server.client() as client:
            while not done.is_set():
                counted += 1
                for key in ("a", "b", "c"):
                    client.call("SET", key, counted)

    writer = threading.Thread(target=write)
    writer.start()
    wait_until(lambda: counted > 200)
    assert server.call("BACKUP", "SEAL") == b"+OK\r\n"
    done.set()
    writer.join()
    restored(server, 3)
    a, b, c = (int(value) for value in parse(server.call("MGET", "a", "b", "c")))
    assert a >= b >= c >= a - 1


def test_a_sealed_backup_goes_when_its_time_is_over(server: LoggedServer) -> None:
    server.start("--backup-sealed-ttl", "1")
    begin(server)
    assert server.call("BACKUP", "SEAL") == b"+OK\r\n"
    wait_until(lambda: state(server) == "idle")
    assert list((server.dir / "backupdir").iterdir()) == []


def test_a_child_that_is_killed(server: LoggedServer) -> None:
    server.start("--appendonly", "no")
    server.call("DEBUG", "POPULATE", "10")
    server.call("CONFIG", "SET", "rdb-key-save-delay", "1000000")
    assert server.call("BACKUP", "START") == b"+OK\r\n"
    (worker,) = server.workers()
    writer = writer_of(worker)
    assert state(server) == "snapshotting"
    assert server.call("BACKUP", "CLEANUP") == b"-ERR Backup is in progress\r\n"
    os.kill(writer, signal.SIGKILL)
    wait_until(lambda: state(server) == "failed")
    error = b"snapshot rewrite failed: child terminated by signal 9"
    assert status(server)["error"] == error
    assert server.info("aof_enabled") == "0"
    server.call("CONFIG", "SET", "rdb-key-save-delay", "0")
    begin(server)


def test_a_folder_that_cannot_be_made(server: LoggedServer) -> None:
    (server.dir / "backupdir").write_text("in the way")
    server.start()
    error = b"-ERR Can't create backup directory backupdir: Not a directory\r\n"
    assert server.call("BACKUP", "START") == error
    assert state(server) == "idle"


def test_only_what_is_a_backups_is_removed(server: LoggedServer) -> None:
    other = server.dir / "backupdir" / "mine"
    other.mkdir(parents=True)
    server.start()
    assert server.call("BACKUP", "CLEANUP") == b"+OK\r\n"
    assert other.is_dir()


def test_scripts_may_look(server: LoggedServer) -> None:
    server.start()
    told = server.call("EVAL", "return redis.call('BACKUP', 'STATUS')", "0")
    assert told == server.call("BACKUP", "STATUS")
    assert server.call("EVAL", "return redis.call('BACKUP', 'LIST')", "0") == b"*0\r\n"


def test_a_transaction_may_begin_and_seal(server: LoggedServer) -> None:
    server.start()
    fill(server)
    for words in ("START", "SEAL"):
        with server.client() as client:
            client.call("MULTI")
            client.call("SET", words, "1")
            client.call("BACKUP", words)
            assert client.call("EXEC") == b"*2\r\n+OK\r\n+OK\r\n"
        wait_until(lambda: state(server) in ("incrementing", "sealed"))
    assert state(server) == "sealed"
