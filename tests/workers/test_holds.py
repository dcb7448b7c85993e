"""Holds on workers: in ascending order, in the order of asking, none starves, none outlives its holder."""

import random
from collections import Counter

import pytest

from tests.harness.resp import parse
from tests.workers.fleet import Client, Fleet, new_fleet
from tests.workers.test_atomicity import Actor


def held_by(fleet: Fleet, worker: int) -> bool:
    """Whether the worker lets a client wait for its own key."""
    probe = Client(fleet, worker)
    probe.send("EXISTS", fleet.keys(worker, 1, "probe")[0])
    waits = probe.waiting
    fleet.settle()
    probe.close()
    return waits


@pytest.mark.parametrize(
    ("steps", "held"),
    [([0], []), ([0, 2], []), ([0, 2, 0], [0]), ([0, 2, 0, 2], [0]), ([0, 2, 0, 2, 1], [0, 1])],
)
def test_they_are_taken_in_ascending_order(steps: list[int], held: list[int]) -> None:
    """Worker 2 executes; 0 is held first, 1 only when 0 has said so."""
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        client = Client(fleet, 0)
        client.call("SET", keys[0], "a")
        client.send("MSETNX", keys[2], 1, keys[1], 1, keys[0], 1)
        for step in steps:
            fleet.drain(step)
        waiting = []
        for worker in (0, 1):
            probe = Client(fleet, worker)
            probe.send("EXISTS", keys[worker])
            if probe.waiting:
                waiting.append(worker)
        assert waiting == held
        fleet.settle()
        assert client.take() == b":0\r\n"


def test_opposite_orders_do_not_block_each_other() -> None:
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        clients = [Client(fleet, i % 3) for i in range(30)]
        for i, client in enumerate(clients):
            a, b, c = (keys[(i + k) % 3] for k in range(3))
            client.send("MSETNX", a, i, b, i, c, i)
        fleet.settle()
        assert Counter(client.take() for client in clients) == {b":1\r\n": 1, b":0\r\n": 29}


@pytest.mark.parametrize("seed", range(6))
def test_nobody_starves(seed: int) -> None:
    """Single commands, staged ones and those under holds all get their turns beside each other."""
    chance = random.Random(seed)
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        pairs = [word for key in keys for word in (key, "v")]
        kinds: list[list[object]] = [
            ["MSETNX", *pairs],
            ["COPY", keys[0], keys[2], "REPLACE"],
            ["COPY", keys[1], keys[0], "REPLACE"],
            ["MSET", *pairs],
            ["MGET", *keys],
            ["FLUSHALL"],
            ["INCR", fleet.keys(2, 1, "n")[0]],
            ["GET", keys[1]],
        ]
        actors = [Actor(fleet, i % 3) for i in range(2 * len(kinds))]
        answered: Counter[int] = Counter()
        for _ in range(6000):
            for i, actor in enumerate(actors):
                if actor.answered() is not None or actor.asked is None:
                    answered[i] += 1
                    actor.ask(*kinds[i % len(kinds)])
            fleet.drain(chance.randrange(3))
        assert len(answered) == len(actors)
        in_turns = [answered[i] for i in range(len(actors)) if i % len(kinds) < 6]
        assert min(in_turns) > 10
        assert max(in_turns) <= 2 * min(in_turns), answered
        others = [answered[i] for i in range(len(actors)) if i % len(kinds) >= 6]
        assert min(others) > max(in_turns), "a single command waits only for the present hold"


@pytest.mark.parametrize("dies", [0, 1, 2])
@pytest.mark.parametrize("steps", range(1, 9))
def test_none_outlives_its_holder(dies: int, steps: int) -> None:
    """At any step of a command over three workers, whichever of them dies."""
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        Client(fleet, 2).send("MSETNX", keys[2], 1, keys[1], 1, keys[0], 1)
        for step in range(steps):
            fleet.drain((0, 2, 0, 2, 1, 2)[step % 6])
        fleet.kill(dies)
        fleet.revive(dies)
        fleet.settle()
        for worker in range(3):
            assert not held_by(fleet, worker)
            client = Client(fleet, worker)
            assert client.call("MSET", *[w for key in keys for w in (key, "x")]) == b"+OK\r\n"
            assert client.call("RENAME", keys[0], keys[worker]) == b"+OK\r\n"
            assert parse(client.call("GET", keys[worker])) == b"x"
