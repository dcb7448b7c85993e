"""Histories of transactions, watched keys, scripts, commands of modules and blocking pops have one order.

What clients of a server of three workers saw is explained by some order of their operations on a model: the
values of three keys, one of each worker, how often each was changed, and what each client watches.
"""

import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.harness.resp import Client
from tests.harness.server import Server, running, wait_until
from tests.module.conftest import SOURCE
from tests.workers.linearizability import Operation, linearizable
from tests.workers.places import connect_to, key_of

WORKERS = 3
KEYS = [key_of(worker, prefix="tx") for worker in range(WORKERS)]
CHAIN = """
local value = redis.call('GET', KEYS[1]) or ''
redis.call('SET', KEYS[2], value .. ARGV[1])
return value
"""
LISTS = [key_of(worker, prefix="queue") for worker in range(WORKERS)]


@pytest.fixture(scope="module")
def trio() -> Iterator[Server]:
    with running("--loadmodule", str(SOURCE), workers=WORKERS) as server:
        yield server


@pytest.fixture
def empty(trio: Server) -> Server:
    with trio.client() as client:
        client.call("FLUSHALL")
    return trio


# --- the model of strings ---


@dataclass(slots=True, frozen=True)
class State:
    """`changes` counts them by key; `watched` has, by client, what the counts were, None: nothing."""

    values: tuple[bytes | None, ...]
    changes: tuple[int, ...]
    watched: tuple[tuple[int, ...] | None, ...]

    @classmethod
    def empty(cls, clients: int) -> "State":
        return cls((None,) * WORKERS, (0,) * WORKERS, (None,) * clients)

    def put(self, i: int, value: bytes | None) -> "State":
        changes = (*self.changes[:i], self.changes[i] + 1, *self.changes[i + 1 :])
        return replace(
            self, values=(*self.values[:i], value, *self.values[i + 1 :]), changes=changes
        )

    def watch(self, client: int, counts: tuple[int, ...] | None) -> "State":
        watched = (*self.watched[:client], counts, *self.watched[client + 1 :])
        return replace(self, watched=watched)


def strings(state: State, what: tuple[Any, ...]) -> tuple[State, Any]:
    match what:
        case ("GET", i):
            return state, state.values[i]
        case ("SET", i, value):
            return state.put(i, value), "OK"
        case ("APPEND", i, value):
            whole = (state.values[i] or b"") + value
            return state.put(i, whole), len(whole)
        case ("GETDEL", i):
            value = state.values[i]
            return (state if value is None else state.put(i, None)), value
        case ("MGET",):
            return state, list(state.values)
        case ("CHAIN", i, j, value):
            whole = state.values[i] or b""
            return state.put(j, whole + value), whole
        case ("WATCH", client, i, j):
            return state.watch(client, (i, state.changes[i], j, state.changes[j])), "OK"
        case ("EXEC", client, *commands):
            return transaction(state, client, commands)
    raise AssertionError(what)


def transaction(state: State, client: int, commands: list[tuple[Any, ...]]) -> tuple[State, Any]:
    match state.watched[client]:
        case (i, before_i, j, before_j) if (before_i, before_j) != (
            state.changes[i],
            state.changes[j],
        ):
            return state.watch(client, None), None
    results = []
    state = state.watch(client, None)
    for command in commands:
        state, result = strings(state, command)
        results.append(result)
    return state, results


# --- clients ---


class Player(threading.Thread):
    """A client that does what `turn` says, over and over, and keeps what it saw."""

    def __init__(self, server: Server, number: int, seed: int, rounds: int) -> None:
        super().__init__()
        self.client = connect_to(server, number % WORKERS)
        self.number, self.rounds = number, rounds
        self.rng = random.Random(seed * 100 + number)
        self.history: list[Operation] = []
        self.failure: Exception | None = None
        self.tags = 0

    def run(self) -> None:
        try:
            for _ in range(self.rounds):
                self.turn()
        except Exception as error:
            self.failure = error
        self.client.close()

    def turn(self) -> None:
        raise NotImplementedError

    def tag(self) -> bytes:
        self.tags += 1
        return b"%d.%d " % (self.number, self.tags)

    def do(self, what: tuple[Any, ...]) -> Any:
        called = time.monotonic()
        result = perform(self.client, what)
        assert not isinstance(result, ValueError), (what, result)
        self.history.append(Operation(what, result, called, time.monotonic()))
        return result


def perform(client: Client, what: tuple[Any, ...]) -> Any:
    match what:
        case ("MGET",):
            return client.value("MGET", *KEYS)
        case ("WATCH", _, i, j):
            return client.value("WATCH", KEYS[i], KEYS[j])
        case ("EXEC", _, *commands):
            client.call("MULTI")
            for command in commands:
                assert client.call(*words_of(command)) == b"+QUEUED\r\n"
            return client.value("EXEC")
    return client.value(*words_of(what))


def words_of(what: tuple[Any, ...]) -> list[bytes | str | int]:
    match what:
        case ("MGET",):
            return ["MGET", *KEYS]
        case ("CHAIN", i, j, value) if value.endswith(b"1 "):
            return ["SAMPLE.CHAIN", KEYS[i], KEYS[j], value]
        case ("CHAIN", i, j, value):
            return ["EVAL", CHAIN, 2, KEYS[i], KEYS[j], value]
        case (kind, i, *value):
            return [kind, KEYS[i], *value]
    raise AssertionError(what)


class Dealer(Player):
    """Single commands, transactions, and transactions on what it has watched and read."""

    def turn(self) -> None:
        kind = self.rng.choice(["single", "multi", "watch", "watch", "chain"])
        if kind == "single":
            self.do(self.command())
        elif kind == "chain":
            self.do(("CHAIN", *self.rng.choices(range(WORKERS), k=2), self.tag()))
        elif kind == "multi":
            self.do(("EXEC", self.number, *(self.command() for _ in range(3))))
        else:
            i, j = self.rng.choices(range(WORKERS), k=2)
            self.do(("WATCH", self.number, i, j))
            self.do(("GET", i))
            self.do(("EXEC", self.number, ("SET", i, self.tag()), ("GET", j), ("MGET",)))

    def command(self) -> tuple[Any, ...]:
        i = self.rng.randrange(WORKERS)
        match self.rng.choice(["GET", "SET", "APPEND", "GETDEL", "MGET", "CHAIN"]):
            case "MGET":
                return ("MGET",)
            case "CHAIN":
                return ("CHAIN", i, self.rng.randrange(WORKERS), self.tag())
            case "GET" | "GETDEL" as kind:
                return (kind, i)
            case kind:
                return (kind, i, self.tag())


def record(players: list[Any]) -> list[list[Operation]]:
    for player in players:
        player.start()
    for player in players:
        player.join()
    for player in players:
        if player.failure:
            raise player.failure
    return [player.history for player in players]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("clients", [3, 4])
def test_transactions_and_watched_keys(empty: Server, seed: int, clients: int) -> None:
    history = record([Dealer(empty, i, seed, 60 // clients) for i in range(clients)])
    assert linearizable(history, State.empty(clients), strings)


def test_the_model_refuses_a_transaction_that_should_have_failed() -> None:
    def op(what: tuple[Any, ...], result: Any, at: float) -> Operation:
        return Operation(what, result, at, at + 1)

    watcher = [op(("WATCH", 0, 0, 1), "OK", 0), op(("EXEC", 0, ("GET", 2)), [None], 4)]
    writer = [op(("SET", 1, b"x"), "OK", 2)]
    assert not linearizable([watcher, writer], State.empty(2), strings)
    failed = [watcher[0], op(("EXEC", 0, ("GET", 2)), None, 4)]
    assert linearizable([failed, writer], State.empty(2), strings)
    assert not linearizable([failed], State.empty(2), strings)


def test_a_key_that_is_watched_twice_is_forgotten_as_a_whole(empty: Server) -> None:
    with empty.client() as client:
        client.call("WATCH", *KEYS, *KEYS)
        client.call("WATCH", *KEYS)
        assert watched_keys(client) > 0
        client.call("UNWATCH")
        wait_until(lambda: watched_keys(client) == 0)


def watched_keys(client: Client) -> int:
    """By all workers."""
    text = client.value("INFO", "clients").decode()
    return int(re.findall(r"total_watched_keys:(\d+)", text)[0])


# --- lists ---

Queues = tuple[tuple[bytes, ...], ...]


def queues(state: Queues, what: tuple[Any, ...]) -> tuple[Queues, Any]:
    match what:
        case ("RPUSH", i, *items):
            fresh = (*state[i], *items)
            return (*state[:i], fresh, *state[i + 1 :]), len(fresh)
        case ("BLPOP", *order):
            for i in order:
                if state[i]:
                    return (*state[:i], state[i][1:], *state[i + 1 :]), (i, state[i][0])
            return state, None
        case ("PUSHES", i, first, j, second):
            state, a = queues(state, ("RPUSH", i, first))
            state, b = queues(state, ("RPUSH", j, second))
            return state, [a, b]
        case ("LMOVE", i, j):
            if not state[i]:
                return state, None
            item = state[i][0]
            state = (*state[:i], state[i][1:], *state[i + 1 :])
            return queues(state, ("RPUSH", j, item))[0], item
    raise AssertionError(what)


class Pusher(Player):
    """Pushes elements, one or two at once, and moves some."""

    def turn(self) -> None:
        i, j = self.rng.choices(range(WORKERS), k=2)
        match self.rng.choice(["RPUSH", "PUSHES", "LMOVE"]):
            case "RPUSH":
                self.note(("RPUSH", i, self.tag(), self.tag()), "RPUSH", LISTS[i])
            case "PUSHES":
                what = ("PUSHES", i, self.tag(), j, self.tag())
                called = time.monotonic()
                self.client.call("MULTI")
                self.client.call("RPUSH", LISTS[i], what[2])
                self.client.call("RPUSH", LISTS[j], what[4])
                result = self.client.value("EXEC")
                self.history.append(Operation(what, result, called, time.monotonic()))
            case _:
                what = ("LMOVE", i, j)
                called = time.monotonic()
                result = self.client.value("LMOVE", LISTS[i], LISTS[j], "LEFT", "RIGHT")
                self.history.append(Operation(what, result, called, time.monotonic()))

    def note(self, what: tuple[Any, ...], *words: str) -> None:
        called = time.monotonic()
        result = self.client.value(*words, *what[2:])
        self.history.append(Operation(what, result, called, time.monotonic()))


class Popper(Player):
    """Waits for elements of several lists, for a short time."""

    def turn(self) -> None:
        order = self.rng.sample(range(WORKERS), self.rng.randint(1, WORKERS))
        called = time.monotonic()
        popped = self.client.value("BLPOP", *[LISTS[i] for i in order], "0.02")
        result = popped and (LISTS.index(popped[0].decode()), popped[1])
        self.history.append(Operation(("BLPOP", *order), result, called, time.monotonic()))


@pytest.mark.parametrize("seed", range(10))
def test_blocking_pops(empty: Server, seed: int) -> None:
    players: list[Player] = [Pusher(empty, i, seed, 12) for i in range(2)]
    players += [Popper(empty, i, seed, 14) for i in (2, 3)]
    assert linearizable(record(players), ((),) * WORKERS, queues)
