"""Commands over several workers happen at one instant, whatever the order in which workers run."""

import random

import pytest

from tests.harness.resp import parse
from tests.workers.fleet import Client, Fleet, new_fleet

SEEDS = range(12)


class Actor:
    """A client that sends its next command when the last one is answered."""

    def __init__(self, fleet: Fleet, worker: int) -> None:
        self.client = Client(fleet, worker)
        self.asked: list[object] | None = None

    def answered(self) -> object:
        """The reply to the last command, or None while there is none."""
        if self.asked is None or not self.client.received:
            return None
        self.asked = None
        return parse(self.client.take())

    def ask(self, *words: object) -> None:
        self.asked = list(words)
        self.client.send(*words)


def run_step(fleet: Fleet, chance: random.Random) -> None:
    fleet.drain(chance.randrange(fleet.n))


@pytest.mark.parametrize("seed", SEEDS)
def test_readers_never_see_half_a_command(seed: int) -> None:
    """Writers keep three keys of three workers equal by MSET; MGET from anywhere finds them equal."""
    chance = random.Random(seed)
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        Client(fleet, 0).call("MSET", *[word for key in keys for word in (key, 0)])
        writers = [Actor(fleet, chance.randrange(3)) for _ in range(2)]
        readers = [Actor(fleet, worker) for worker in range(3)]
        reads = number = 0
        while reads < 120:
            for writer in writers:
                if writer.asked is None or writer.answered() is not None:
                    number += 1
                    writer.ask("MSET", *[word for key in keys for word in (key, number)])
            for reader in readers:
                values = reader.answered()
                if values is not None:
                    assert len(set(values)) == 1, values
                    reads += 1
                if reader.asked is None:
                    reader.ask("MGET", *chance.sample(keys, 3))
            run_step(fleet, chance)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_answered_is_seen_by_the_next(seed: int) -> None:
    """After MSET is answered, or one of its values was seen, a GET of any of its keys finds it."""
    chance = random.Random(seed)
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        writer = Actor(fleet, 0)
        readers = [Actor(fleet, worker) for worker in range(3)]
        known = number = 0  # what an answer has told some client
        least = {id(reader): 0 for reader in readers}
        for _ in range(1500):
            if writer.asked is None or writer.answered() is not None:
                known, number = max(known, number), number + 1
                writer.ask("MSET", *[word for key in keys for word in (key, number)])
            for reader in readers:
                value = reader.answered()
                if value is not None:
                    assert int(value) >= least[id(reader)]
                    known = max(known, int(value))
                if reader.asked is None and known:
                    least[id(reader)] = known
                    reader.ask("GET", chance.choice(keys))
            run_step(fleet, chance)


@pytest.mark.parametrize("seed", SEEDS)
def test_members_move_and_are_never_two_or_none(seed: int) -> None:
    """SMOVE, LMOVE and RENAME between workers against staged and plain commands: the sum stays."""
    chance = random.Random(seed)
    with new_fleet(3) as fleet:
        sets, lists = fleet.owned_by_each("set"), fleet.owned_by_each("list")
        Client(fleet, 0).call("SADD", sets[0], *range(10))
        Client(fleet, 0).call("RPUSH", lists[0], *range(10))
        actors = [Actor(fleet, i % 3) for i in range(5)]
        for _ in range(2000):
            for actor in actors:
                reply = actor.answered()
                if reply is not None and isinstance(reply, list):
                    assert sorted(reply, key=int) == [b"%d" % i for i in range(10)]
                if actor.asked is None:
                    actor.ask(*_move(chance, sets, lists))
            run_step(fleet, chance)
        fleet.settle()
        check = Client(fleet, 1)
        assert sum(parse(check.call("SCARD", key)) for key in sets) == 10
        assert sum(parse(check.call("LLEN", key)) for key in lists) == 10


def _move(chance: random.Random, sets: list[str], lists: list[str]) -> list[object]:
    source, target = chance.sample(sets, 2)
    left, right = chance.sample(lists, 2)
    return chance.choice(
        [
            ["SMOVE", source, target, chance.randrange(10)],
            ["LMOVE", left, right, chance.choice(["LEFT", "RIGHT"]), "LEFT"],
            ["SUNION", *sets],
            ["EXISTS", *sets, *lists],
            ["TOUCH", *lists],
        ]
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_conditions_hold_over_workers(seed: int) -> None:
    """Of several MSETNX on the same keys of three workers exactly one wins."""
    chance = random.Random(seed)
    with new_fleet(3) as fleet:
        for turn in range(5):
            keys = fleet.owned_by_each(f"turn{turn}-")
            actors = [Actor(fleet, i % 3) for i in range(4)]
            for number, actor in enumerate(actors):
                actor.ask("MSETNX", *[word for key in keys for word in (key, number)])
            won = []
            while any(actor.asked for actor in actors):
                run_step(fleet, chance)
                for number, actor in enumerate(actors):
                    if actor.asked and actor.answered() == 1:
                        won.append(number)
            assert len(won) == 1
            values = parse(Client(fleet, 0).call("MGET", *keys))
            assert values == [b"%d" % won[0]] * 3


@pytest.mark.parametrize("seed", SEEDS)
def test_commands_about_all_keys_happen_at_one_instant(seed: int) -> None:
    """Three keys of three workers come and go together, whether or not holds are in the way."""
    chance = random.Random(seed)
    with new_fleet(3) as fleet:
        keys, lists = fleet.owned_by_each(), fleet.owned_by_each("list")
        pairs = [word for key in keys for word in (key, "value")]
        actors = [Actor(fleet, i % 3) for i in range(5)]
        seen = set()
        for _ in range(1500):
            for actor in actors:
                reply = actor.answered()
                if isinstance(reply, int):
                    assert reply in (0, 3)
                    seen.add(reply)
                elif isinstance(reply, list):
                    assert sorted(reply) in ([], sorted(key.encode() for key in keys))
                if actor.asked is None:
                    left, right = chance.sample(lists, 2)
                    actor.ask(
                        *chance.choice(
                            [
                                ["MSET", *pairs],
                                ["DEL", *keys],
                                ["FLUSHALL"],
                                ["DBSIZE"],
                                ["KEYS", "*"],
                                ["LMOVE", left, right, "LEFT", "LEFT"],
                            ]
                        )
                    )
            run_step(fleet, chance)
        fleet.settle()
        assert seen == {0, 3}


def test_a_flush_that_meets_a_hold_empties_all_workers() -> None:
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        client, other = Client(fleet, 0), Client(fleet, 2)
        client.call("MSET", *[word for key in keys for word in (key, "value")])
        client.send("RENAME", keys[1], keys[2])
        for worker in (2, 1):  # 2 executes it and waits for the hold that 1 has given
            fleet.drain(worker)
        other.send("FLUSHALL")
        fleet.settle()
        assert (client.take(), other.take()) == (b"+OK\r\n", b"+OK\r\n")
        assert [fleet.own_keys(worker) for worker in range(3)] == [[], [], []]
