"""What a server that was killed has left and what has not ended yet: the next one, or the front, waits."""

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.server import is_alive, wait_until
from tests.persistence.logged import LoggedServer, logged_server
from tests.persistence.place import SAVES, Place, place

WARM = ("--warm-restart", "yes")


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """They do nothing meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def kill_front(here: Place) -> None:
    here.process.kill()
    here.process.wait(20)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_start_waits_for_workers_of_a_front_that_was_killed(workers: int) -> None:
    with place(*WARM, workers=workers) as here:
        with here.client() as client:
            client.call("MSET", "a", 1, "b", 2, "c", 3)
        orphans = here.children()
        with stopped(orphans[-1]):
            kill_front(here)
            wait_until(lambda: not any(is_alive(pid) for pid in orphans[:-1]))
            here.launch(*SAVES, *WARM, workers=workers)
            wait_until(lambda: "Processes of a server that is gone still end" in here.log())
            assert here.process.poll() is None
        here.wait_ready()
        assert here.chosen().startswith(f"Re-attached {workers} arena")
        with here.client() as client:
            assert client.call("MGET", "a", "b", "c") == b"*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"


def test_a_worker_comes_back_when_the_last_process_of_its_predecessor_has_gone() -> None:
    """A child that takes long to die keeps the arena locked: that is no reason to end the server."""
    with place(*WARM) as here:
        with here.client() as client:
            client.call("SET", "a", 1)
        (worker,), (arena,) = here.children(), here.arenas()
        with stopped(here.process.pid), arena.open("rb") as lock:
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: not is_alive(worker))
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.kill(here.process.pid, signal.SIGCONT)
            wait_until(lambda: "Worker 0 cannot be brought back now" in here.log())
        wait_until(here.answers)
        with here.client() as client:
            assert client.call("GET", "a") == b"$1\r\n1\r\n"


@pytest.mark.parametrize("workers", [1, 3])
def test_two_servers_do_not_log_into_one_folder(workers: int) -> None:
    """The second one, of another port and name, changes nothing, whatever its number of workers is."""
    always = (
        "--appendfsync",
        "always",
    )  # with less, a write may wait for a sync when the kill comes
    with logged_server() as server:
        server.start(*always, workers=2)
        server.call("MSET", "a", 1, "b", 2)
        second = LoggedServer(server.dir)
        second.lives = 100
        said = second.fails_to_start(workers=workers)
        assert f"The append-only files in {server.dir}/appendonlydir belong to a running" in said
        server.call("MSET", "c", 3, "d", 4)
        server.kill()
        server.start(*always, workers=2)
        assert server.call("DBSIZE") == b":4\r\n"


def refused(name: str, folder: Path) -> bytes:
    why = f"The append-only files in {folder}/appendonlydir belong to a running server"
    return f"-ERR CONFIG SET failed (possibly related to argument '{name}') - {why}\r\n".encode()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_folder_is_locked_as_soon_as_a_log_goes_there(workers: int) -> None:
    movable = ("--enable-protected-configs", "yes")
    with logged_server() as first, logged_server() as second:
        first.start(*movable, workers=workers)
        second.start(*movable, "--appendonly", "no", workers=workers)
        assert second.call("CONFIG", "SET", "dir", first.dir) == b"+OK\r\n"  # it does not log
        assert second.call("CONFIG", "SET", "appendonly", "yes") == refused("appendonly", first.dir)
        assert second.call("CONFIG", "GET", "appendonly").endswith(b"no\r\n")
        assert second.call("CONFIG", "SET", "dir", second.dir) == b"+OK\r\n"
        assert second.call("CONFIG", "SET", "appendonly", "yes") == b"+OK\r\n"
        wait_until(lambda: second.info("aof_rewrite_in_progress") == "0")
        assert second.call("CONFIG", "SET", "dir", first.dir) == refused("dir", first.dir)
        assert first.call("CONFIG", "SET", "dir", second.dir) == refused("dir", second.dir)
        assert first.call("SET", "a", 1) == second.call("SET", "a", 1) == b"+OK\r\n"


@pytest.mark.parametrize("workers", [1, 3])
def test_a_folder_that_a_log_has_left_is_free(workers: int) -> None:
    with logged_server() as first, logged_server() as second:
        first.start("--enable-protected-configs", "yes", workers=workers)
        for folder in ("sub", "other"):
            (first.dir / folder).mkdir()
            assert first.call("CONFIG", "SET", "dir", first.dir / folder) == b"+OK\r\n"
        for folder in (first.dir / "sub", first.dir):
            second.start("--dir", str(folder), workers=workers)
            second.kill()
        assert "belong to a running" in second.fails_to_start("--dir", str(first.dir / "other"))
        assert first.call("CONFIG", "SET", "appendonly", "no") == b"+OK\r\n"
        second.start("--dir", str(first.dir / "other"), workers=workers)
