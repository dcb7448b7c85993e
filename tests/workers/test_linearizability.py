"""Concurrent clients of a server of three workers see one database in one order."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.resp import encode, parse
from tests.harness.server import Server, wait_until
from tests.workers.linearizability import UNKNOWN, Operation, linearizable
from tests.workers.places import connect_to, key_of, worker_lines

WORKERS = 3
KEYS = [key_of(worker, prefix="reg") for worker in range(WORKERS)]
EMPTY = (None,) * WORKERS
Start = Callable[..., Server]


# --- the checker itself ---


def register(state: Any, what: tuple[Any, ...]) -> tuple[Any, Any]:
    return (what[1], "OK") if what[0] == "set" else (state, state)


def op(kind: str, value: Any, called: float, returned: float) -> Operation:
    if kind == "set":
        return Operation(("set", value), "OK", called, returned)
    return Operation(("get",), value, called, returned)


@pytest.mark.parametrize(
    ("clients", "fine"),
    [
        ([[op("set", 1, 0, 1), op("get", 1, 2, 3)]], True),
        ([[op("set", 1, 0, 1), op("get", None, 2, 3)]], False),  # a lost write
        ([[op("set", 1, 0, 3)], [op("get", None, 1, 2)]], True),  # at the same time
        ([[op("set", 1, 0, 3)], [op("get", 1, 1, 2), op("get", None, 2.1, 2.5)]], False),  # back in time
        ([[op("set", 1, 0, 1)], [op("set", 2, 0, 1)], [op("get", 1, 2, 3), op("get", 2, 4, 5)]], False),
        ([[op("set", 1, 0, 9)], [op("set", 2, 0, 9)], [op("get", 1, 2, 3), op("get", 2, 4, 5)]], True),
        ([[Operation(("set", 1), UNKNOWN, 0)], [op("get", None, 1, 2), op("get", 1, 3, 4)]], True),
        ([[Operation(("set", 1), UNKNOWN, 0)], [op("get", 1, 1, 2), op("get", None, 3, 4)]], False),
    ],
)  # fmt: skip
def test_the_checker(clients: list[list[Operation]], fine: bool) -> None:
    assert linearizable(clients, None, register) == fine


# --- histories of a real server ---


def database(state: Any, what: tuple[Any, ...]) -> tuple[Any, Any]:
    """The model: values of KEYS."""
    match what:
        case ("SET", i, value):
            return replaced(state, i, value), "OK"
        case ("APPEND", i, value):
            whole = (state[i] or b"") + value
            return replaced(state, i, whole), len(whole)
        case (("GET" | "STRLEN" | "EXISTS" | "GETRANGE") as kind, i, *where):
            return state, looked_at(kind, state[i], where)
        case ("GETDEL", i):
            return replaced(state, i, None), state[i]
        case ("MSET", value):
            return (value,) * WORKERS, "OK"
        case ("MGET",):
            return state, list(state)
        case ("DEL",):
            return EMPTY, sum(value is not None for value in state)
        case ("RENAME", i, j):
            if state[i] is None:
                return state, "no such key"
            return replaced(replaced(state, j, state[i]), i, None) if i != j else state, "OK"
        case ("COPY", i, j):
            return replaced(state, j, state[i]), "OK"
        case ("crash", i):
            return replaced(state, i, None), None
    raise AssertionError(what)


def looked_at(kind: str, value: bytes | None, where: list[int]) -> Any:
    if kind == "GET":
        return value
    if kind == "EXISTS":
        return int(value is not None)
    return len(value or b"") if kind == "STRLEN" else (value or b"")[where[0] : where[1] + 1]


def replaced(state: Any, i: int, value: Any) -> Any:
    return (*state[:i], value, *state[i + 1 :])


SINGLE = ["SET", "APPEND", "GET", "GET", "GETDEL"]
READS = ["GET", "STRLEN", "EXISTS", "GETRANGE"]  # served without a hop, mostly
SEVERAL = ["MSET", "MGET", "MGET", "DEL", "RENAME"]


def draw(rng: random.Random, kinds: list[str], i: int, tag: bytes) -> tuple[Any, ...]:
    """A command of one of the kinds, on key i if it is one of a single key."""
    match rng.choice(kinds):
        case "SET" | "APPEND" as kind:
            return (kind, i, tag)
        case "GET" | "GETDEL" | "STRLEN" | "EXISTS" as kind:
            return (kind, i)
        case "GETRANGE":
            return ("GETRANGE", i, 2, 5)
        case "MSET":
            return ("MSET", tag)
        case "RENAME":
            return ("RENAME", i, (i + 1) % WORKERS)
        case kind:
            return (kind,)


def request(what: tuple[Any, ...]) -> bytes:
    match what:
        case ("MSET", value):
            return encode("MSET", *[word for key in KEYS for word in (key, value)])
        case (("MGET" | "DEL") as kind,):
            return encode(kind, *KEYS)
        case ("RENAME", i, j):
            return encode("RENAME", KEYS[i], KEYS[j])
        case (kind, i, *value):
            return encode(kind, KEYS[i], *value)
    raise AssertionError(what)


def outcome(reply: bytes) -> Any:
    value = parse(reply)
    if not isinstance(value, ValueError):
        return value
    return "no such key" if "no such key" in str(value) else UNKNOWN


class Recorder(threading.Thread):
    """A client: `rounds` times some commands at once; history has what it saw."""

    def __init__(self, server: Server, number: int, seed: int, rounds: int, pipeline: int) -> None:
        super().__init__()
        self.client = connect_to(server, number % WORKERS)
        self.number, self.rounds, self.pipeline = number, rounds, pipeline
        self.rng = random.Random(seed * 100 + number)
        self.single, self.several = SINGLE, SEVERAL
        self.history: list[Operation] = []

    def run(self) -> None:
        for n in range(self.rounds):
            batch = self.draw_batch(n)
            called = time.monotonic()
            replies: list[bytes] = []
            try:
                self.client.send(b"".join(map(request, batch)))
                replies += [self.client.read() for _ in batch]
            except OSError:
                pass  # its worker has died
            self.note(batch, replies, called)
            if len(replies) < len(batch):
                return

    def draw_batch(self, n: int) -> list[tuple[Any, ...]]:
        """Commands whose order is kept in a pipeline: those of a single key have the same one."""
        key = self.rng.randrange(WORKERS)
        tags = [b"%d.%d.%d " % (self.number, n, i) for i in range(self.pipeline)]
        return [draw(self.rng, self.single + self.several, key, tag) for tag in tags]

    def note(self, batch: list[tuple[Any, ...]], replies: list[bytes], called: float) -> None:
        returned = time.monotonic()
        for i, what in enumerate(batch):
            result = outcome(replies[i]) if i < len(replies) else UNKNOWN
            if result is UNKNOWN:
                self.history.append(Operation(what, UNKNOWN, called))
            else:
                self.history.append(Operation(what, result, called, returned))


def record(threads: list[Recorder]) -> list[list[Operation]]:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
        thread.client.close()
    return [thread.history for thread in threads]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("clients", "pipeline"), [(5, 1), (3, 3), (4, 2), (3, 5)])
def test_histories(trio: Server, seed: int, clients: int, pipeline: int) -> None:
    with trio.client() as client:
        client.call("FLUSHALL")
    rounds = 120 // (clients * pipeline)
    history = record([Recorder(trio, i, seed, rounds, pipeline) for i in range(clients)])
    assert all(op.result is not UNKNOWN for ops in history for op in ops)
    assert linearizable(history, EMPTY, database)


@pytest.mark.parametrize("seed", range(6))
def test_histories_of_clients_that_read(trio: Server, seed: int) -> None:
    """Most reads find their key in the memory of another worker, most changes are of several."""
    with trio.client() as client:
        client.call("FLUSHALL")
        before = sum(int(line["peeks"]) for line in worker_lines(client))
    threads = [Recorder(trio, i, seed, 20, 2) for i in range(5)]
    for thread in threads[2:]:
        thread.single, thread.several = READS, ["MGET"]
    history = record(threads)
    with trio.client() as client:
        assert sum(int(line["peeks"]) for line in worker_lines(client)) > before
    assert all(op.result is not UNKNOWN for ops in history for op in ops)
    assert linearizable(history, EMPTY, database)


@pytest.mark.parametrize("pipeline", [1, 3])
@pytest.mark.parametrize("victim", range(WORKERS))
def test_histories_with_the_death_of_a_worker(
    start_server: Start, victim: int, pipeline: int
) -> None:
    server = start_server(workers=WORKERS)
    with connect_to(server, (victim + 1) % WORKERS) as client:
        pid = int(worker_lines(client)[victim]["pid"])
    threads = [Recorder(server, i, victim, 60, pipeline) for i in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.01)
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
        thread.client.close()
    with connect_to(server, (victim + 1) % WORKERS) as client:
        wait_until(lambda: not isinstance(client.value("GET", KEYS[victim]), ValueError))
        values = client.value("MGET", *KEYS)
    now = time.monotonic()
    histories = [history for thread in threads for history in with_unknowns(thread.history)]
    crash = [Operation(("crash", victim), UNKNOWN, killed, now)]  # its data may come back
    last = [Operation(("MGET",), values, now, now + 1)]
    assert linearizable([*histories, crash, last], EMPTY, database)


def with_unknowns(history: list[Operation]) -> list[list[Operation]]:
    """A client's history, and beside it what it got an error for: whole, at any time, or never."""
    known = [op for op in history if op.result is not UNKNOWN]
    unknown = [[op] for op in history if op.result is UNKNOWN]
    return [known, *unknown]


# --- moves ---


def test_members_are_always_in_one_set(trio: Server) -> None:
    names = [key_of(worker, prefix="set") for worker in range(WORKERS)]
    members = {b"m%d" % i for i in range(40)}
    with trio.client() as client:
        client.call("FLUSHALL")
        client.call("SADD", names[0], *members)

    def shuffle(number: int) -> None:
        rng = random.Random(number)
        with connect_to(trio, number % WORKERS) as mover:
            for _ in range(150):
                a, b = rng.sample(names, 2)
                mover.call("SMOVE", a, b, rng.choice(sorted(members)))

    threads = [threading.Thread(target=shuffle, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    with connect_to(trio, 1) as watcher:
        while any(thread.is_alive() for thread in threads):
            assert set(watcher.value("SUNION", *names)) == members
            assert watcher.value("SINTERCARD", 2, names[0], names[1]) == 0
    for thread in threads:
        thread.join()


def test_elements_are_moved_and_not_copied(trio: Server) -> None:
    names = [key_of(worker, prefix="list") for worker in range(WORKERS)]
    elements = [b"e%d" % i for i in range(60)]
    with trio.client() as client:
        client.call("FLUSHALL")
        client.call("RPUSH", names[0], *elements)

    def shuffle(number: int) -> None:
        rng = random.Random(number)
        with connect_to(trio, number % WORKERS) as mover:
            for _ in range(150):
                a, b = rng.choices(names, k=2)
                mover.call(
                    "LMOVE", a, b, rng.choice(["LEFT", "RIGHT"]), rng.choice(["LEFT", "RIGHT"])
                )

    threads = [threading.Thread(target=shuffle, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with trio.client() as client:
        left = [item for name in names for item in client.value("LRANGE", name, 0, -1)]
    assert sorted(left) == sorted(elements)
