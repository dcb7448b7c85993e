"""kill -9 of one worker of three where it hurts: at named points, under load, again and again.

Clients of the others get a reply to each command, if only an error; the worker is back; holds and
parts of commands that it had are gone. What its successor knows of the data is not asserted here.
"""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from tests.harness.resp import Client, encode, parse
from tests.harness.server import Server, wait_until
from tests.workers.places import connect_to, key_of, pid_of, sure_pid_of, worker_lines

WORKERS = 3
KEYS = [key_of(worker, prefix="kp") for worker in range(WORKERS)]
BIG = b"b" * 300_000  # larger than a ring, so it goes in pieces
SETS = [key_of(worker, prefix="kps") for worker in range(WORKERS)]

POINTS = [
    "ring.filled",
    "ring.sent",
    "ring.begun",
    "ring.before_take",
    "ring.before_starved",
    "links.piece",
    "links.before_bell",
    "links.awake",
    "remote.before_execute",
    "remote.executed",
    "stage.asked",
    "stage.kept",
    "stage.before_commit",
    "stage.committed",
    "stage.before_execute",
    "stage.executed",
    "cross.granted",
    "cross.holding",
    "cross.claimed",
    "cross.executed",
    "cross.shipped",
    "cross.taken_back",
]


class Load(threading.Thread):
    """A client of a worker that lives on: sends commands until it is told to stop, checks replies."""

    def __init__(self, server: Server, worker: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.client = connect_to(server, worker)
        self.rng = random.Random(seed)
        self.stopping = threading.Event()
        self.rounds = 0
        self.failure = ""

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.one_round()
                self.rounds += 1
        except (OSError, AssertionError) as error:
            self.failure = repr(error)
        self.client.close()

    def one_round(self) -> None:
        batch = [self.draw() for _ in range(self.rng.choice((1, 8)))]
        self.client.send(b"".join(encode(*words) for words in batch))
        for words in batch:
            self.check(words, parse(self.client.read()))

    def draw(self) -> list[bytes | str]:
        rng, key = self.rng, self.rng.choice(KEYS)
        value = rng.choice([b"a" * 10, BIG]) if rng.random() < 0.2 else b"c"
        pairs = [word for each in KEYS for word in (each, value[:100])]
        return rng.choice(
            [
                ["SET", key, value],
                ["GET", key],
                ["STRLEN", key],
                ["MSET", *pairs],
                ["MGET", *KEYS],
                ["DEL", *KEYS],
                ["RENAME", key, rng.choice(KEYS)],
                ["COPY", key, rng.choice(KEYS), "REPLACE"],
                ["SADD", rng.choice(SETS), str(rng.randrange(9))],
                ["SUNIONSTORE", *rng.sample(SETS, 3)],
                ["DBSIZE"],
                ["SCAN", "0", "COUNT", "100"],
            ]
        )

    def check(self, words: list[bytes | str], reply: object) -> None:
        if words[0] == "GET" and isinstance(reply, bytes):
            assert reply in (b"a" * 10, b"a" * 100, b"b" * 100, b"c", BIG), "a torn value"
        if words[0] == "SCAN" and isinstance(reply, list):
            assert reply[0] == b"0", "a small database in several pages"


def loaded(server: Server, victim: int, seed: int) -> list[Load]:
    loads = [
        Load(server, worker, seed * 10 + i)
        for i, worker in enumerate([(victim + 1) % WORKERS, (victim + 2) % WORKERS] * 2)
    ]
    for load in loads:
        load.start()
    return loads


def finish(loads: list[Load]) -> None:
    """All of them still get replies; then they stop."""
    for load in loads:
        goal = load.rounds + 20
        wait_until(lambda load=load, goal=goal: bool(load.failure) or load.rounds > goal)
        load.stopping.set()
    for load in loads:
        load.join(30)
        assert not load.is_alive()
        assert not load.failure


def arm(server: Server, victim: int, plan: str) -> None:
    with connect_to(server, victim) as client, suppress(OSError):  # it may be at once
        assert client.call("DEBUG", "FAULT", plan) == b"+OK\r\n"


def drive(server: Server, victim: int, gone: Callable[[], bool]) -> None:
    """A client of the victim itself: points are passed in the part of the asker, too."""
    rng = random.Random(victim)
    with suppress(OSError), connect_to(server, victim) as client:
        for n in range(3000):
            key, other = rng.sample(KEYS, 2)
            client.call("MSET", key, "c", other, "c")
            client.call("RENAME", key, other)
            client.call("SET", other, BIG)
            if n % 20 == 0 and gone():
                break
    wait_until(gone)


def is_new(watcher: Client, worker: int, before: int) -> bool:
    return pid_of(watcher, worker) not in (0, before)


def check_whole(server: Server, watcher: Client) -> None:
    """Nothing is held, kept or lost on the way any more."""
    for worker in range(WORKERS):
        with connect_to(server, worker) as client:
            assert client.call("MSET", *[w for key in KEYS for w in (key, "z")]) == b"+OK\r\n"
            assert client.value("MGET", *KEYS) == [b"z"] * WORKERS
            assert client.call("RENAME", KEYS[0], KEYS[1]) == b"+OK\r\n"
            assert client.call("RENAME", KEYS[1], KEYS[2]) == b"+OK\r\n"
            assert client.value("DEL", *KEYS) == 1
    assert len(worker_lines(watcher)) == WORKERS


@pytest.mark.parametrize("point", POINTS)
def test_a_death_at_any_point(trio: Server, point: str) -> None:
    number = POINTS.index(point)
    victim = number % WORKERS
    with connect_to(trio, (victim + 1) % WORKERS) as watcher:
        for again in range(2):  # the second time it has hardly begun
            before = sure_pid_of(watcher, victim)
            loads = loaded(trio, victim, number * 2 + again)
            try:
                arm(trio, victim, f"{point}:kill:{1 + 4 * again}")
                drive(trio, victim, partial(is_new, watcher, victim, before))
            finally:
                finish(loads)
            check_whole(trio, watcher)
