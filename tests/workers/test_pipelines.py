"""Staged commands of one connection are on their way together, and happen in the order of the client."""

import random

import pytest

from tests.harness.resp import encode, parse
from tests.workers.fleet import Client, Fleet, new_fleet
from tests.workers.test_atomicity import Actor
from tests.workers.test_deaths import replies_in

SEEDS = range(12)
WORKERS = 3


def pairs(keys: list[str], value: object) -> list[object]:
    return [word for key in keys for word in (key, value)]


def some_steps(fleet: Fleet, chance: random.Random) -> None:
    for _ in range(chance.randrange(4)):
        fleet.drain(chance.randrange(WORKERS))


def cross(fleet: Fleet, lists: list[str], worker: int) -> None:
    """Holds that are asked for meanwhile make owners refuse parts."""
    Client(fleet, worker).send("LMOVE", lists[worker], lists[worker - 1], "LEFT", "RIGHT")


def test_they_do_not_wait_for_each_other() -> None:
    with new_fleet(WORKERS) as fleet:
        keys = fleet.owned_by_each()
        client = Client(fleet, 0)
        client.feed(b"".join(encode("MSET", *pairs(keys, n)) for n in range(8)))
        for worker in (1, 2, 0):  # they are asked, they answer, all are committed
            fleet.drain(worker)
        assert parse(Client(fleet, 0).call("GET", keys[0])) == b"7"
        assert client.take() == b"+OK\r\n" * 8


def test_what_follows_waits_until_they_are_committed_not_for_replies() -> None:
    with new_fleet(WORKERS) as fleet:
        keys = fleet.owned_by_each()
        client = Client(fleet, 0)
        client.feed(encode("MSET", *pairs(keys, 1)) + encode("APPEND", keys[0], "x"))
        assert fleet.own_keys(0) == []
        for worker in (1, 2, 0):
            fleet.drain(worker)
        assert client.take() == b""  # 1 and 2 have not executed their parts
        assert parse(Client(fleet, 0).call("GET", keys[0])) == b"1x"


def test_a_watch_that_follows_does_not_take_them_for_changes() -> None:
    with new_fleet(WORKERS) as fleet:
        keys = fleet.owned_by_each()
        client = Client(fleet, 0)
        client.feed(encode("MSET", *pairs(keys, 1)) + encode("WATCH", *keys))
        fleet.settle()
        client.feed(encode("MULTI") + encode("INCR", keys[1]) + encode("EXEC"))
        fleet.settle()
        assert client.take().endswith(b"+QUEUED\r\n*1\r\n:2\r\n")


@pytest.mark.parametrize("seed", SEEDS)
def test_replies_are_those_of_one_worker(seed: int) -> None:
    """Each client has keys of its own, so whatever others do, its replies are known."""
    chance = random.Random(seed)
    with new_fleet(WORKERS) as fleet, new_fleet(1) as model:
        lists = fleet.owned_by_each("list")
        Client(fleet, 0).call("RPUSH", lists[0], *range(9))
        clients = [Client(fleet, i % WORKERS) for i in range(5)]
        keys = [fleet.owned_by_each(f"own{i}-") for i in range(5)]
        script = [b""] * 5
        for _ in range(40):
            for i, client in enumerate(clients):
                batch = b"".join(encode(*draw(chance, keys[i])) for _ in range(chance.randrange(9)))
                client.feed(batch)
                script[i] += batch
            if chance.random() < 0.3:
                cross(fleet, lists, chance.randrange(WORKERS))
            some_steps(fleet, chance)
        fleet.settle()
        for i, client in enumerate(clients):
            single = Client(model, 0)
            single.feed(script[i])
            model.settle()
            assert client.take() == single.take()


def draw(chance: random.Random, keys: list[str]) -> list[object]:
    key, number = chance.choice(keys), chance.randrange(100)
    two = chance.sample(keys, 2)
    return chance.choice(
        [
            ["MSET", *pairs(keys, number)],
            ["MSET", *pairs(two, number)],
            ["MGET", *keys],
            ["DEL", *two],
            ["EXISTS", *keys],
            ["SET", key, number],
            ["APPEND", key, number],
            ["GET", key],
            ["RENAME", *two],
            ["SELECT", number % 2],
            ["NONESUCH"],
            ["MSET", *keys, *keys[:2]],
        ]
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_readers_see_them_whole_and_in_order(seed: int) -> None:
    """Writers count up in pipelines, holds come between: all keys equal, and none goes back."""
    chance = random.Random(seed)
    with new_fleet(WORKERS) as fleet:
        lists = fleet.owned_by_each("list")
        Client(fleet, 0).call("RPUSH", lists[0], *range(9))
        writers = [Client(fleet, i) for i in range(WORKERS)]
        keys = [fleet.owned_by_each(f"of{i}-") for i in range(WORKERS)]
        readers = [Actor(fleet, i) for i in range(WORKERS)]
        for i in range(WORKERS):
            writers[i].call("MSET", *pairs(keys[i], 0))
        seen, sent = [0] * WORKERS, [0] * WORKERS
        for _ in range(150):
            for i, writer in enumerate(writers):
                if chance.random() < 0.5:
                    sent[i] += 4
                    numbers = range(sent[i] - 3, sent[i] + 1)
                    writer.feed(b"".join(encode("MSET", *pairs(keys[i], n)) for n in numbers))
            for i, reader in enumerate(readers):
                values = reader.answered()
                if values is not None:
                    assert len(set(values)) == 1, values
                    assert int(values[0]) >= seen[i]
                    seen[i] = int(values[0])
                if reader.asked is None:
                    reader.ask("MGET", *keys[i])
            if chance.random() < 0.1:
                cross(fleet, lists, chance.randrange(WORKERS))
            for _ in range(6):
                fleet.drain(chance.randrange(WORKERS))
        fleet.settle()
        assert all(seen)
        for i, writer in enumerate(writers):
            assert replies_in(writer.take()) == sent[i]
            assert parse(Client(fleet, 0).call("MGET", *keys[i])) == [b"%d" % sent[i]] * WORKERS


@pytest.mark.parametrize("seed", SEEDS)
def test_a_client_that_goes_leaves_the_first_of_them(seed: int) -> None:
    """Those that happened are the first ones, each whole; whoever waits for the owners goes on."""
    chance = random.Random(seed)
    with new_fleet(WORKERS) as fleet:
        lists = fleet.owned_by_each("list")
        Client(fleet, 0).call("RPUSH", lists[0], *range(9))
        for turn in range(10):
            keys = fleet.owned_by_each(f"turn{turn}-")
            client = Client(fleet, chance.randrange(WORKERS))
            client.feed(b"".join(encode("MSET", *pairs(keys, n)) for n in range(6)))
            for _ in range(2):
                cross(fleet, lists, chance.randrange(WORKERS))
                some_steps(fleet, chance)
            client.close()
            some_steps(fleet, chance)
            fleet.settle()
            values = parse(Client(fleet, 0).call("MGET", *keys))
            assert len(set(values)) == 1
            assert Client(fleet, 1).call("SET", keys[1], "x") == b"+OK\r\n"


@pytest.mark.parametrize("seed", SEEDS)
def test_all_are_answered_when_an_owner_dies(seed: int) -> None:
    chance = random.Random(seed)
    with new_fleet(WORKERS) as fleet:
        lists = fleet.owned_by_each("list")
        keys = fleet.owned_by_each()
        clients = [Client(fleet, 0) for _ in range(3)]
        victim = chance.choice([1, 2])
        for n in range(40):
            for client in clients:
                client.feed(encode("MSET", *pairs(keys, n)) * chance.randrange(4))
                client.send("MGET", *keys)
            if chance.random() < 0.3:
                cross(fleet, lists, 0)
            some_steps(fleet, chance)
            if n == 20:
                fleet.kill(victim)
            if n == 25:
                fleet.revive(victim)
        fleet.settle()
        for client in clients:
            client.send("PING")
            assert client.take().endswith(b"+PONG\r\n")
        assert Client(fleet, 0).call("MSET", *pairs(keys, "z")) == b"+OK\r\n"
        assert parse(Client(fleet, victim).call("MGET", *keys)) == [b"z"] * WORKERS
