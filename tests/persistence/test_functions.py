"""Libraries of functions come back like data: from each kind of file, with an arena, from other workers."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.harness.resp import Client
from tests.harness.server import wait_until
from tests.persistence.logged import LoggedServer
from tests.persistence.test_restart import PATCHES
from tests.workers.places import key_of, pid_of, sure_pid_of

WORKERS = pytest.mark.parametrize("workers", [1, 3])
WARM = ("--warm-restart", "yes", "--discard-shm", "no")
LIBRARY = "#!lua name=%s\nredis.register_function('%s', function(keys) return '%s' end)"


def load(client: Client, name: str, value: str) -> None:
    text = LIBRARY % (name, f"f_{name}", value)
    assert client.call("FUNCTION", "LOAD", "REPLACE", text) == b"$%d\r\n%s\r\n" % (
        len(name),
        name.encode(),
    )


def load_some(server: LoggedServer) -> None:
    """Two stay: one was replaced, one was deleted, one restored."""
    with server.client() as client:
        load(client, "first", "old")
        load(client, "gone", "gone")
        load(client, "second", "2")
        payload = client.value("FUNCTION", "DUMP")
        client.call("FUNCTION", "FLUSH")
        client.call("FUNCTION", "RESTORE", payload)
        client.call("FUNCTION", "DELETE", "gone")
        load(client, "first", "1")


def check(server: LoggedServer) -> None:
    """Every worker has them."""
    with server.client() as client:
        for worker in range(3):
            key = key_of(worker)
            assert client.value("FCALL", "f_first", 1, key) == b"1"
            assert client.value("FCALL", "f_second", 1, key) == b"2"
            assert client.call("FCALL", "f_gone", 1, key) == b"-ERR Function not found\r\n"


@WORKERS
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_out_of_the_log_and_its_base(server: LoggedServer, workers: int, preamble: str) -> None:
    options = ("--appendfsync", "no", "--aof-use-rdb-preamble", preamble)
    server.start(*options, workers=workers)
    load_some(server)
    server.kill()
    server.start(*options, workers=workers)
    check(server)
    server.rewrite()
    server.kill()
    server.start(*options, workers=workers)
    check(server)


def test_out_of_the_logs_of_another_number_of_workers(server: LoggedServer) -> None:
    server.start("--appendfsync", "no", workers=3)
    load_some(server)
    server.kill()
    server.start(workers=2)
    check(server)
    server.kill()
    server.start(workers=1)
    check(server)


@WORKERS
def test_out_of_dump_rdb(server: LoggedServer, workers: int) -> None:
    server.start("--appendonly", "no", workers=workers)
    load_some(server)
    assert server.call("SAVE") == b"+OK\r\n"
    assert server.call("FUNCTION", "FLUSH") == b"+OK\r\n"
    assert server.call("DEBUG", "RELOAD", "NOSAVE") == b"+OK\r\n"
    check(server)
    server.kill()
    server.start("--appendonly", "no", workers=workers)
    check(server)


@WORKERS
def test_with_the_arena(server: LoggedServer, workers: int) -> None:
    options = ("--appendonly", "no", "--save", "3600 1000", *WARM)
    server.start(*options, workers=workers)
    load_some(server)
    server.kill()
    server.start(*options, workers=workers)
    assert "Re-attached" in server.log
    check(server)
    with server.client() as client:
        os.kill(pid_of(client, 1) or server.workers()[0], signal.SIGKILL)
    wait_until(lambda: "is back: Re-attached" in server.log)
    check(server)


def test_an_empty_worker_asks_the_others(server: LoggedServer) -> None:
    server.start("--appendonly", "no", *WARM, workers=3)
    load_some(server)
    with server.client() as client:
        pid = sure_pid_of(client, 1)
    os.kill(pid, signal.SIGSTOP)
    with Path(f"/dev/shm/{server.shm_name}.1").open("r+b") as arena:
        arena.seek(PATCHES["busy"][0])
        arena.write(PATCHES["busy"][1])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "it is empty" in server.log)

    def is_there() -> bool:
        with contextlib.suppress(AssertionError, OSError, ValueError, IndexError):
            check(server)
            return True
        return False

    wait_until(is_there)
