"""A disk that is full when files are put in place: it is told, what was there stays, later it works."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from shmredis.config import Config
from shmredis.persistence import removal
from shmredis.persistence.aof_layout import finish_layout
from tests.harness.server import wait_until
from tests.persistence.logged import LoggedServer
from tests.persistence.test_aof_server import fill
from tests.persistence.test_backup import begin, state, status
from tests.workers.places import connect_to

WORKERS = pytest.mark.parametrize("workers", [1, 3])
NO_ROOM = "No space left on device"


def arm(server: LoggedServer, workers: int, plan: str) -> None:
    """In the last worker, which leads nothing."""
    if workers == 1:
        server.call("DEBUG", "FAULT", plan)
        return
    with connect_to(server, workers - 1, workers) as client:
        client.call("DEBUG", "FAULT", plan)


def log_folder(server: LoggedServer, workers: int) -> Path:
    return server.files(None if workers == 1 else workers - 1)


def named(folder: Path) -> set[str]:
    """The files of the manifest, and itself."""
    manifest = folder / "appendonly.aof.manifest"
    return {line.split()[1] for line in manifest.read_text().splitlines()} | {manifest.name}


@WORKERS
@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("point", ["aof.base.rename", "aof.manifest.write"])
def test_a_rewrite_without_room(server: LoggedServer, workers: int, point: str, which: int) -> None:
    """The manifest is written when a rewrite begins and when its base is there."""
    which = 1 if point == "aof.base.rename" else which
    server.start("--appendfsync", "always", workers=workers)
    fill(server)
    arm(server, workers, f"{point}:fail:{which}")
    server.call("BGREWRITEAOF")
    wait_until(lambda: NO_ROOM in server.log)
    wait_until(lambda: server.info("aof_last_bgrewrite_status") == "err")
    server.call("SET", "later", "1")
    folder, digest = log_folder(server, workers), server.digest()
    wait_until(lambda: {path.name for path in folder.iterdir()} >= named(folder))
    server.kill()
    server.start("--appendfsync", "always", workers=workers)
    assert server.digest() == digest
    server.rewrite()
    assert server.info("aof_last_bgrewrite_status") == "ok"
    wait_until(lambda: {path.name for path in folder.iterdir()} == named(folder))
    server.kill()
    server.start("--appendfsync", "always", workers=workers)
    assert server.digest() == digest


def test_a_base_without_a_manifest_is_removed(server: LoggedServer) -> None:
    server.start()
    fill(server)
    server.call("DEBUG", "FAULT", "aof.manifest.write:fail:2")
    server.call("BGREWRITEAOF")
    wait_until(lambda: server.info("aof_last_bgrewrite_status") == "err")
    folder = server.files()
    wait_until(lambda: {path.name for path in folder.iterdir()} == named(folder))
    server.call("DEBUG", "FAULT", "")
    server.rewrite()  # in the same life
    wait_until(lambda: {path.name for path in folder.iterdir()} == named(folder))


@WORKERS
@pytest.mark.parametrize("appendonly", ["no", "yes"])
@pytest.mark.parametrize("point", ["backup.seal", "aof.manifest.write"])
def test_a_backup_that_cannot_be_sealed(
    server: LoggedServer, workers: int, appendonly: str, point: str
) -> None:
    server.start("--appendonly", appendonly, workers=workers)
    fill(server)
    begin(server)
    arm(server, workers, f"{point}:fail")
    server.call("BACKUP", "SEAL")
    wait_until(lambda: state(server) == "failed")
    assert NO_ROOM in status(server)["error"].decode()
    assert f"BACKUP: failed: {status(server)['error'].decode()}" in server.log
    arm(server, workers, "")
    wait_until(lambda: server.info("aof_enabled") == str(int(appendonly == "yes")))
    server.call("SET", "later", "1")
    digest = server.digest()
    # a worker may be in the midst of linking what it has to remove again
    wait_until(lambda: server.call("BACKUP", "START") == b"+OK\r\n")
    wait_until(lambda: state(server) == "incrementing")
    assert server.call("BACKUP", "SEAL") == b"+OK\r\n"
    wait_until(lambda: state(server) == "sealed")
    if appendonly == "yes":
        server.kill()
        server.start(workers=workers)
        assert server.digest() == digest


def test_large_files_are_freed_in_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = threading.Event()
    threads: list[threading.Thread] = []

    def close(fd: int) -> None:
        assert os.fstat(fd).st_nlink == 0  # its name was gone before
        threads.append(threading.current_thread())
        real_close(fd)
        closed.set()

    real_close = os.close
    monkeypatch.setattr(removal.os, "close", close)
    (tmp_path / "folder").mkdir()
    large = tmp_path / "folder" / "base"
    large.write_bytes(b"x" * (2 << 20))
    (tmp_path / "folder" / "small").write_bytes(b"x")
    removal.remove_folder(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
    assert closed.wait(20)
    assert threads[0] is not threading.main_thread()
    removal.remove(large)  # it is gone already


def test_logs_of_another_number_of_workers_are_freed_in_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients wait already when the front is at it. A worker that it forks meanwhile keeps no copy."""
    begun: list[tuple[int]] = []

    class Later:
        """A thread that does not come to its work."""

        def __init__(self, args: tuple[int], **_: object) -> None:
            self.args = args

        def start(self) -> None:
            begun.append(self.args)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(removal.threading, "Thread", Later)
    left = tmp_path / "appendonlydir.reshape" / "worker-0"
    left.mkdir(parents=True)
    (left / "base").write_bytes(b"x" * (2 << 20))
    finish_layout(Config())
    assert list(tmp_path.iterdir()) == []
    ((fd,),) = begun
    assert os.fstat(fd).st_nlink == 0
    assert child_finds(lambda: is_open(fd)) is False
    removal._free(fd)


def is_open(fd: int) -> bool:
    with contextlib.suppress(OSError):
        os.fstat(fd)
        return True
    return False


def child_finds(condition: Callable[[], bool]) -> bool:
    pid = os.fork()
    if pid == 0:
        os._exit(condition())
    return bool(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
