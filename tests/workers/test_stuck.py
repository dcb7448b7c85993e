"""A worker that is stopped in the middle of something delays only what needs it, and goes on."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.harness.processes import is_stopped
from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until
from tests.workers.places import connect_to, key_of, pid_of, sure_pid_of

Start = Callable[..., Server]
WORKERS = 3
STUCK = 1
KEYS = [key_of(worker, prefix="st") for worker in range(WORKERS)]
OTHERS = [KEYS[0], KEYS[2]]

# Where it stops, and what has it come there, asked by a client of worker 0.
PLACES: list[tuple[str, list[str]]] = [
    ("remote.before_execute", ["SET", KEYS[1], "new"]),
    ("stage.kept", ["MSET", KEYS[0], "new", KEYS[1], "new", KEYS[2], "new"]),
    ("cross.granted", ["COPY", KEYS[1], KEYS[0], "REPLACE"]),  # held by worker 0
    ("cross.holding", ["COPY", KEYS[0], KEYS[1], "REPLACE"]),  # it holds worker 0
    ("cross.holding", ["MSETNX", KEYS[1], "n", KEYS[0], "n", KEYS[2], "n"]),  # it holds both
    ("ring.before_take", ["APPEND", KEYS[1], "more"]),
    ("links.before_bell", ["MGET", *KEYS]),
]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """It goes on at the end, whatever happens."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def bring_there(asker: Client, words: list[str], pid: int) -> int:
    """Asks until the worker has stopped: one that happens to be awake needs no bell. How often."""
    asked = 0

    def asks() -> bool:
        nonlocal asked
        asker.send(encode(*words))
        asked += 1
        with suppress(AssertionError):
            wait_until(lambda: is_stopped(pid), 1)
        return is_stopped(pid)

    wait_until(asks, 20)
    return asked


def use_others(server: Server) -> None:
    """All that does not need the stuck worker is answered, and rightly."""
    for worker in (0, 2):
        with connect_to(server, worker) as client:
            for n in range(5):
                a, b = OTHERS if n % 2 else OTHERS[::-1]
                assert client.call("DEL", a, b)[:1] == b":"
                assert client.call("SET", a, f"v{n}") == b"+OK\r\n"
                assert client.call("RENAME", a, b) == b"+OK\r\n"
                assert client.value("MGET", a, b) == [None, f"v{n}".encode()]
                assert client.call("MSET", a, "x", b, "y") == b"+OK\r\n"
                assert client.value("GET", a) == b"x"
                assert client.call("COPY", a, b, "REPLACE") == b":1\r\n"
                assert client.value("EXISTS", a, b) == 2


@pytest.mark.parametrize(("point", "words"), PLACES, ids=[f"{p} {w[0]}" for p, w in PLACES])
def test_only_what_needs_it_waits(start_server: Start, point: str, words: list[str]) -> None:
    server = start_server(workers=WORKERS)
    asker = connect_to(server, 0)
    pid = sure_pid_of(asker, STUCK)
    with stopped(pid), asker:
        asker.call("MSET", *[word for key in KEYS for word in (key, "old")])
        with connect_to(server, STUCK) as client:
            assert client.call("DEBUG", "FAULT", f"{point}:stop") == b"+OK\r\n"
        asked = bring_there(asker, words, pid)
        use_others(server)
        assert is_stopped(pid)
        os.kill(pid, signal.SIGCONT)
        for _ in range(asked):
            reply = asker.read()
            assert not reply.startswith(b"-"), reply
        assert asker.call("PING") == b"+PONG\r\n"
        for worker in range(WORKERS):
            with connect_to(server, worker) as client:
                assert client.call("MSET", *[w for key in KEYS for w in (key, "z")]) == b"+OK\r\n"
                assert client.call("RENAME", KEYS[worker], KEYS[STUCK]) == b"+OK\r\n"
                assert client.value("GET", KEYS[STUCK]) == b"z"


def test_what_needs_a_stuck_worker_ends_with_an_error_and_changes_nothing(
    start_server: Start,
) -> None:
    server = start_server(workers=WORKERS)
    with connect_to(server, 0) as client, connect_to(server, 2) as other:
        client.call("MSET", *[word for key in KEYS for word in (key, "old")])
        pid = sure_pid_of(client, STUCK)
        with stopped(pid):
            os.kill(pid, signal.SIGSTOP)
            client.send(encode("COPY", KEYS[STUCK], KEYS[0], "REPLACE"))
            other.send(encode("FLUSHALL"))
            late = b"-ERR timed out waiting for other workers\r\n"
            assert (client.read(), other.read()) == (late, late)
        assert client.value("MGET", *KEYS) == [b"old"] * WORKERS
        assert client.call("COPY", KEYS[STUCK], KEYS[0], "REPLACE") == b":1\r\n"


def clients_that_die(server: Server) -> list[Client]:
    """Each has sent something that the stuck worker owes a reply."""
    commands = (["GET", KEYS[STUCK]], ["MGET", *KEYS], ["RENAME", KEYS[STUCK], KEYS[0]])
    clients = []
    for words in commands * 3:
        client = connect_to(server, 0)
        client.send(encode(*words))
        clients.append(client)
    return clients


def test_clients_may_leave_while_they_wait_for_it(start_server: Start) -> None:
    server = start_server(workers=WORKERS)
    with connect_to(server, 0) as client:
        pid = sure_pid_of(client, STUCK)
        with stopped(pid):
            os.kill(pid, signal.SIGSTOP)
            for waiting in clients_that_die(server):
                waiting.close()
            use_others(server)
        wait_until(lambda: client.value("INFO", "clients").count(b"connected_clients:1\r") == 1)
        assert client.value("MGET", *KEYS)[STUCK] is None


def test_it_may_be_killed_while_it_is_stopped_with_a_full_ring(start_server: Start) -> None:
    server = start_server(workers=WORKERS)
    with connect_to(server, 0) as client, connect_to(server, 2) as watcher:
        pid = sure_pid_of(watcher, STUCK)
        with stopped(pid):
            os.kill(pid, signal.SIGSTOP)
            commands = [["SET", KEYS[STUCK], "x" * 50_000] for _ in range(40)]  # rings take 256 KB
            commands += [["SET", key_of(0, prefix="last"), n] for n in range(3)]
            client.send(b"".join(encode(*words) for words in commands))
            use_others(server)
            os.kill(pid, signal.SIGKILL)
        replies = [client.read() for _ in commands]
        assert replies[-3:] == [b"+OK\r\n"] * 3
        assert {reply[:1] for reply in replies} <= {b"+", b"-"}
        wait_until(lambda: pid_of(watcher, STUCK) not in (0, pid))
        assert client.call("SET", KEYS[STUCK], "y") == b"+OK\r\n"
