"""What a server that was killed has left and what has not ended yet: the next one, or the front, waits."""

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

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
