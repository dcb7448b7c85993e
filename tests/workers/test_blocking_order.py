"""Clients of several workers that wait for keys are served as one worker would serve them: who came first.

The same clients send the same commands to a fleet and to a single worker; after each step everybody
must have received the same from both.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from shmredis._core import lib
from tests.harness.resp import encode, parse
from tests.workers.fleet import Client, Fleet, new_fleet

WORKERS = 3
STEPS = 150


def any_of(chance: random.Random, keys: list[str]) -> list[str]:
    return chance.sample(keys, chance.randrange(1, len(keys) + 1))


class Keys:
    """Of each type one key that belongs to each worker, and one more of the first.

    Where clients wait to move elements on, there are no gifts of several at once: who waits for them
    at the other end may be quicker than the next move.
    """

    def __init__(self, fleet: Fleet, *, moves: bool) -> None:
        self._moves = moves
        self.lists, self.zsets, self.streams = (
            [*fleet.owned_by_each(prefix), fleet.keys(0, 2, prefix)[1]] for prefix in "lzs"
        )
        self._entries: Iterator[int] = count(1)

    def wait(self, chance: random.Random) -> list[object]:
        """A command that may block."""
        lists, zsets = any_of(chance, self.lists), any_of(chance, self.zsets)
        streams = any_of(chance, self.streams)
        ends = ["LEFT", "RIGHT"]
        group = ["XREADGROUP", "GROUP", "g", "me", "BLOCK", 0, "STREAMS"]
        commands: list[list[object]] = [
            ["BLPOP", *lists, 0],
            ["BRPOP", *lists, 0],
            ["BLMPOP", 0, len(lists), *lists, chance.choice(ends), "COUNT", chance.randrange(1, 3)],
            ["BZPOPMIN", *zsets, 0],
            ["BZPOPMAX", *zsets, 0],
            ["BZMPOP", 0, len(zsets), *zsets, "MIN"],
            ["XREAD", "BLOCK", 0, "STREAMS", *streams, *["$"] * len(streams)],
            [*group, *streams, *[">"] * len(streams)],
        ]
        if self._moves:
            to = chance.choice(self.lists)
            commands.append(["BLMOVE", lists[0], to, *chance.choices(ends, k=2), 0])
            commands.append(["BRPOPLPUSH", lists[0], to, 0])
        return chance.choice(commands)

    def give(self, chance: random.Random) -> list[object]:
        """A command that somebody may wait for."""
        number = next(self._entries)
        commands: list[list[object]] = [
            ["LPUSH", chance.choice(self.lists), number],
            ["LMOVE", *chance.choices(self.lists, k=2), "LEFT", "RIGHT"],
            ["LPOP", chance.choice(self.lists)],
            ["LLEN", chance.choice(self.lists)],
            ["ZADD", chance.choice(self.zsets), number, f"m{number}"],
            ["ZRANGESTORE", *chance.choices(self.zsets, k=2), 0, -1],
            ["XADD", chance.choice(self.streams), f"{number}-1", "f", number],
        ]
        if not self._moves:
            several = range(number, number + chance.randrange(1, 4))
            commands.append(["RPUSH", chance.choice(self.lists), *several])
            commands.append(["RENAME", *chance.choices(self.lists, k=2)])
        return chance.choice(commands)


class Pair:
    """One client, in the fleet and alone."""

    def __init__(self, fleet: Fleet, alone: Fleet, worker: int) -> None:
        self.both = (Client(fleet, worker), Client(alone, 0))
        self.waits = False

    def send(self, *words: object) -> None:
        for client in self.both:
            client.send(*words)
        self.waits = True

    def compare(self) -> None:
        got, expected = (client.take() for client in self.both)
        assert got == expected
        self.waits = self.waits and not expected

    def close(self) -> None:
        for client in self.both:
            client.close()


class Scene:
    """Some clients, and keys of all types."""

    def __init__(self, fleet: Fleet, alone: Fleet, chance: random.Random, *, moves: bool) -> None:
        self.fleets = (fleet, alone)
        self.keys = Keys(fleet, moves=moves)
        self.pairs = [Pair(fleet, alone, chance.randrange(WORKERS)) for _ in range(8)]
        self.settle()
        for stream in self.keys.streams:
            self.step(self.pairs[0], ["XGROUP", "CREATE", stream, "g", "$", "MKSTREAM"])

    def settle(self) -> None:
        for fleet in self.fleets:
            fleet.settle()
        for pair in self.pairs:
            pair.compare()

    def step(self, pair: Pair, words: list[object]) -> None:
        pair.send(*words)
        self.settle()


@pytest.fixture
def fleets() -> Iterator[tuple[Fleet, Fleet]]:
    with new_fleet(WORKERS) as fleet, new_fleet(1) as alone:
        yield fleet, alone


@pytest.mark.parametrize("seed", range(12))
def test_as_one_worker_would_serve_them(fleets: tuple[Fleet, Fleet], seed: int) -> None:
    chance = random.Random(seed)
    scene = Scene(*fleets, chance, moves=seed % 2 == 0)
    for _ in range(STEPS):
        free = [pair for pair in scene.pairs if not pair.waits]
        if len(free) > 1 and chance.random() < 0.5:
            scene.step(chance.choice(free), scene.keys.wait(chance))
        elif free:
            scene.step(chance.choice(free), scene.keys.give(chance))
        if len(free) < 2 and chance.random() < 0.3:
            leaving = chance.choice(scene.pairs)
            leaving.close()
            scene.pairs.remove(leaving)
            scene.pairs.append(Pair(*fleets, chance.randrange(WORKERS)))
            scene.settle()
    for pair in scene.pairs:
        pair.close()
    fleets[0].settle()
    assert lib.wb_claims_used(fleets[0].front) == 0


def hold_back(fleet: Fleet, *workers: int) -> Callable[[], None]:
    """Lets all the others come to rest."""

    def run() -> None:
        for _ in range(20):
            for worker in set(range(fleet.n)) - set(workers):
                fleet.drain(worker)

    return run


@pytest.mark.parametrize(("first", "second"), [(2, 0), (0, 2)])
def test_who_came_first_although_the_owner_hears_of_it_later(first: int, second: int) -> None:
    with new_fleet(WORKERS) as fleet, ExitStack() as stack:
        key = fleet.keys(1, 1)[0]
        clients = [Client(fleet, worker) for worker in (first, second)]
        for client in clients:
            stack.callback(client.close)
        fleet.settle()
        others = hold_back(fleet, 1)
        for client in clients:
            client.send("BLPOP", key, 0)
            others()
        fleet.settle()
        Client(fleet, 1).call("RPUSH", key, "a")
        assert parse(clients[0].take()) == [key.encode(), b"a"]
        assert clients[1].take() == b""


def test_nobody_sees_what_a_waiting_client_gets() -> None:
    """An element is gone with the command that brings it, as it is in one worker."""
    with new_fleet(WORKERS) as fleet:
        fleet.settle()
        keys = fleet.owned_by_each()
        waiting = Client(fleet, 0)
        waiting.send("BLPOP", *keys, 0)
        fleet.settle()
        giver = Client(fleet, 2)
        giver.feed(encode("RPUSH", keys[2], "x") + encode("LLEN", keys[2]))
        fleet.settle()
        assert giver.take() == b":1\r\n:0\r\n"
        assert parse(waiting.take()) == [keys[2].encode(), b"x"]


@pytest.mark.parametrize("command", ["BLPOP", "BLMOVE"])
@pytest.mark.parametrize("dead", range(WORKERS))
def test_they_wait_on_when_an_owner_is_brought_back(command: str, dead: int) -> None:
    with new_fleet(WORKERS) as fleet:
        fleet.settle()
        keys = fleet.owned_by_each()
        asker, other = (dead + 1) % WORKERS, (dead + 2) % WORKERS
        waiting = Client(fleet, asker)
        words = [*keys, 0] if command == "BLPOP" else [keys[dead], keys[other], "LEFT", "LEFT", 0]
        waiting.send(command, *words)
        fleet.settle()
        fleet.kill(dead)
        fleet.revive(dead)
        fleet.settle()
        assert waiting.take() == b""
        Client(fleet, other).call("RPUSH", keys[dead], "x")
        assert b"x" in waiting.take()
