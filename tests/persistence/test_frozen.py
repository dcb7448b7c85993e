"""A worker that is killed while its arena is frozen: that and the end of the log are all its data."""

import os
import re
import signal

import pytest

from tests.harness.resp import encode
from tests.harness.server import wait_until
from tests.persistence.logged import LoggedServer
from tests.workers.places import key_of, pid_of

WORKERS = pytest.mark.parametrize("workers", [1, 3])
OPTIONS = ("--appendfsync", "no", "--warm-restart", "yes", "--discard-shm", "no")
SLOW = ("rdb-key-save-delay", 1_000_000)  # the child is at it as long as it takes
VICTIM = 0
LOST = "as of the start of the last snapshot: what was written later is lost"


def fill(server: LoggedServer, name: str) -> None:
    """Changes in two databases, of one worker and of several; the last is not in database 0."""
    with server.client() as client:
        for i in range(60):
            client.call("SET", f"{name}:{i}", i)
            client.call("RPUSH", "list", name, i)
            client.call("INCR", f"counter:{i}")
        client.call("MSET", *(word for i in range(20) for word in (f"{name}:m{i}", i)))
        client.call("RENAME", f"{name}:1", f"{name}:renamed")
        client.call("SELECT", 5)
        for i in range(5):
            client.call("INCR", f"five:{i}")


def freeze(server: LoggedServer, command: str) -> None:
    """A child begins that does not come to its end."""
    server.call("CONFIG", "SET", *SLOW)
    assert server.call(command).startswith(b"+Background")
    field = "rdb_bgsave_in_progress" if command == "BGSAVE" else "aof_rewrite_in_progress"
    assert server.info(field) == "1"


def kill_one(server: LoggedServer) -> None:
    server.call("CONFIG", "SET", "rdb-key-save-delay", 0)  # for children to come
    with server.client() as client:
        os.kill(pid_of(client, VICTIM) or server.workers()[0], signal.SIGKILL)
    wait_until(lambda: f"Worker {VICTIM} is back: " in server.log, 20)


@WORKERS
@pytest.mark.parametrize("command", ["BGSAVE", "BGREWRITEAOF"])
def test_it_is_whole_again_without_the_whole_log(
    server: LoggedServer, workers: int, command: str
) -> None:
    server.start(*OPTIONS, workers=workers)
    fill(server, "before")
    freeze(server, command)
    fill(server, "after")
    digest = server.digest()
    kill_one(server)
    back = re.search(f"Worker {VICTIM} is back: (.*)", server.log)
    assert back and re.match("Re-attached 1 arena, .*, and what was logged since", back[1])
    assert server.digest() == digest
    fill(server, "later")
    digest = server.digest()
    server.kill()
    server.start("--discard-shm", workers=workers)
    assert server.digest() == digest


def test_dying_again_on_the_way_it_takes_the_files(server: LoggedServer) -> None:
    token = server.dir / "token"
    token.touch()
    server.start(*OPTIONS, faults=f"replay.command:kill:5:{token}")
    fill(server, "before")
    freeze(server, "BGSAVE")
    fill(server, "after")
    digest = server.digest()
    kill_one(server)
    assert not token.exists()
    assert "its worker ended inside a command" in server.log
    assert server.digest() == digest


@WORKERS
def test_dying_again_without_a_log_it_is_told_what_is_lost(
    server: LoggedServer, workers: int
) -> None:
    """The first successor has said so when it trusts the arena; to the second it is one like others."""
    token = server.dir / "token"
    token.touch()
    options = (*OPTIONS, "--appendonly", "no")
    server.start(*options, workers=workers, faults=f"recovery.trusted:kill:1:{token}")
    fill(server, "before")
    digest = server.digest()
    freeze(server, "BGSAVE")
    server.call("SET", key_of(VICTIM, workers), "later")
    kill_one(server)
    assert not token.exists()
    assert server.log.count(f"Arena {VICTIM} is {LOST}") == 1
    assert server.digest() == digest
    server.call("SET", key_of(VICTIM, workers), "later")
    digest = server.digest()
    server.kill()
    server.start(*options, workers=workers)
    assert server.digest() == digest


def test_a_whole_server_of_one_comes_back_so_too(server: LoggedServer) -> None:
    server.start(*OPTIONS)
    fill(server, "before")
    freeze(server, "BGSAVE")
    fill(server, "after")
    digest = server.digest()
    server.kill()
    server.start(*OPTIONS)
    assert "and what was logged since" in server.log
    assert server.digest() == digest


@WORKERS
def test_with_a_log_that_is_not_in_use_yet_the_arena_counts(
    server: LoggedServer, workers: int
) -> None:
    """Killed while the log is being switched on: what there is of files is older than the arena."""
    server.start(*OPTIONS, workers=workers)
    fill(server, "logged")
    server.call("CONFIG", "SET", "appendonly", "no")
    fill(server, "before")
    digest = server.digest()
    server.call("CONFIG", "SET", *SLOW)
    server.call("CONFIG", "SET", "appendonly", "yes")
    wait_until(lambda: server.info("aof_rewrite_in_progress") == "1")
    kill_one(server)
    assert LOST in server.log
    assert server.digest() == digest


@WORKERS
@pytest.mark.parametrize("way", ["pipeline", "transaction"])
def test_what_was_logged_in_the_turn_of_the_instant_is_not_done_twice(
    server: LoggedServer, workers: int, way: str
) -> None:
    """The arena has it, and it stands behind the place to which the log was written by then."""
    server.start(*OPTIONS, workers=workers)
    server.call("CONFIG", "SET", *SLOW)
    names = [f"n{i}" for i in range(20)]
    commands = [encode("INCR", name) for name in names] + [encode("BGSAVE")]
    if way == "transaction":
        commands = [encode("MULTI"), *commands, encode("EXEC")]
    with server.client() as client:
        client.send(b"".join(commands))
        for _ in commands:
            client.read()
    wait_until(lambda: server.info("rdb_bgsave_in_progress") == "1")
    kill_one(server)
    with server.client() as client:
        assert [client.call("GET", name) for name in names] == [b"$1\r\n1\r\n"] * len(names)
