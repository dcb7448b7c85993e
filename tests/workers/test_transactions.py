"""Transactions over several workers: all or nothing for every observer, watches that miss no change."""

import random
from collections.abc import Iterator

import pytest

from tests.harness.resp import parse
from tests.workers.fleet import Client, Fleet, new_fleet

SEEDS = range(8)


class Actor:
    """A client that does the same again and again, a step whenever it is told to."""

    def __init__(self, fleet: Fleet, worker: int) -> None:
        self.client = Client(fleet, worker)
        self._steps: Iterator[None] = iter(())

    def go_on(self) -> None:
        """Looks whether what was asked is answered, and if so asks the next."""
        if next(self._steps, self) is self:
            self._steps = self.attempt()
            next(self._steps, None)

    def attempt(self) -> Iterator[None]:
        """One round; yields while an answer is missing."""
        raise NotImplementedError

    def ask(self, *words: object) -> Iterator[None]:
        """One command; its reply is in `reply` then."""
        self.client.send(*words)
        while not self.client.received:
            yield
        self.reply = self.client.take()

    def transact(self, *commands: tuple[object, ...]) -> Iterator[None]:
        """A transaction in one go; the reply of EXEC is in `reply` then, None if it gave up."""
        for command in (("MULTI",), *commands, ("EXEC",)):
            self.client.send(*command)
        while not self._complete(len(commands)):
            yield
        _, _, body = self.client.take().partition(b"*")
        self.reply = None if body == b"-1\r\n" else parse(b"*" + body)

    def _complete(self, commands: int) -> bool:
        """All queued, and as many one-line replies as commands, or the word that it gave up."""
        queued, _, body = self.client.received.partition(b"*")
        return queued.count(b"\r\n") == 1 + commands and (
            body == b"-1\r\n" or body.count(b"\r\n") == 1 + commands
        )


class Buyer(Actor):
    """Adds one to a counter by WATCH, GET, MULTI, SET, EXEC."""

    def __init__(self, fleet: Fleet, worker: int, key: str) -> None:
        super().__init__(fleet, worker)
        self.key = key
        self.successes = self.failures = 0

    def attempt(self) -> Iterator[None]:
        yield from self.ask("WATCH", self.key)
        assert self.reply == b"+OK\r\n"
        yield from self.ask("GET", self.key)
        value = int(parse(self.reply) or 0)
        yield from self.transact(("SET", self.key, value + 1))
        self.successes += self.reply is not None
        self.failures += self.reply is None


class Payer(Actor):
    """Moves money from one account to another."""

    def __init__(self, fleet: Fleet, worker: int, keys: list[str], chance: random.Random) -> None:
        super().__init__(fleet, worker)
        self._keys, self._chance = keys, chance

    def attempt(self) -> Iterator[None]:
        source, target = self._chance.sample(self._keys, 2)
        yield from self.transact(("DECRBY", source, 7), ("INCRBY", target, 7))


class Auditor(Actor):
    """Adds up all accounts, by MGET and in transactions."""

    def __init__(self, fleet: Fleet, worker: int, keys: list[str]) -> None:
        super().__init__(fleet, worker)
        self._keys = keys
        self.sums: list[int] = []

    def attempt(self) -> Iterator[None]:
        yield from self.ask("MGET", *self._keys)
        self.sums.append(sum(map(int, parse(self.reply))))
        yield from self.transact(*[("INCRBY", key, 0) for key in self._keys])
        self.sums.append(sum(self.reply))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_watched_key_lets_nobody_overtake(seed: int) -> None:
    chance = random.Random(seed)
    with new_fleet(3) as fleet:
        key = chance.choice(fleet.owned_by_each())
        buyers = [Buyer(fleet, worker, key) for worker in (0, 1, 2, 0)]
        while sum(buyer.successes for buyer in buyers) < 40:
            chance.choice(buyers).go_on()
            fleet.drain(chance.randrange(fleet.n))
        fleet.settle()
        for buyer in buyers:
            buyer.go_on()  # whoever was about to succeed hears of it
        total = int(parse(Client(fleet, 0).call("GET", key)))
        assert sum(buyer.successes for buyer in buyers) == total
        assert any(buyer.failures for buyer in buyers)


@pytest.mark.parametrize("seed", SEEDS)
def test_transfers_between_workers_keep_the_sum(seed: int) -> None:
    chance = random.Random(seed)
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        Client(fleet, 0).call("MSET", *[word for key in keys for word in (key, 1000)])
        payers = [Payer(fleet, worker, keys, chance) for worker in range(3)]
        auditors = [Auditor(fleet, worker, keys) for worker in range(3)]
        while sum(len(auditor.sums) for auditor in auditors) < 60:
            chance.choice([*payers, *auditors]).go_on()
            fleet.drain(chance.randrange(fleet.n))
        assert {total for auditor in auditors for total in auditor.sums} == {3000}


def test_a_worker_that_dies_has_its_watched_keys_count_as_changed() -> None:
    with new_fleet(3) as fleet:
        key = fleet.keys(1, 1)[0]
        client = Client(fleet, 0)
        assert client.call("WATCH", key) == b"+OK\r\n"
        fleet.kill(1)
        fleet.revive(1)
        fleet.settle()
        client.call("MULTI")
        client.call("SET", key, 1)
        assert client.call("EXEC") == b"*-1\r\n"


def test_a_client_that_goes_while_its_transaction_waits_harms_nobody() -> None:
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        client = Client(fleet, 0)
        for words in (("MULTI",), *[("INCR", key) for key in keys], ("EXEC",)):
            client.send(*words)
        client.close()
        fleet.settle()
        values = parse(Client(fleet, 1).call("MGET", *keys))
        assert values in ([None] * 3, [b"1"] * 3)


@pytest.mark.parametrize("spread", [("KEYS", "k*"), ("FLUSHALL",), ("SCAN", 0), ("DBSIZE",)])
@pytest.mark.parametrize("turns", range(12))
def test_a_client_that_goes_before_a_command_of_all_workers(
    turns: int, spread: tuple[object, ...]
) -> None:
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        client = Client(fleet, 0)
        sets = [("SET", key, 1) for key in keys]
        for words in (("MULTI",), *sets, spread, *sets, ("EXEC",)):
            client.send(*words)
        for _ in range(turns):
            for worker in range(3):
                fleet.drain(worker)
        client.close()
        fleet.settle()
        other = Client(fleet, 1)
        assert parse(other.call("DBSIZE")) in (0, 3)
        assert other.call("MSET", *[word for key in keys for word in (key, 2)]) == b"+OK\r\n"


@pytest.mark.parametrize("resp", [2, 3])
def test_subscriptions_begin_and_end_at_their_place(resp: int) -> None:
    """The same bytes as from a single worker: what is published before is not heard, what follows is."""
    received = []
    for workers in (1, 3):
        with new_fleet(workers) as fleet:
            client = Client(fleet, 0, resp)
            client.call("MULTI")
            for i in range(9):
                client.call("SET", f"key{i}", i)
            client.call("PUBLISH", "news", "too early")
            client.call("SUBSCRIBE", "news")
            client.call("PUBLISH", "news", "heard")
            client.call("GET", "key1")
            client.call("UNSUBSCRIBE", "news")
            client.call("PUBLISH", "news", "too late")
            received.append(client.call("EXEC") + client.call("PUBLISH", "news", "after"))
    assert received[0] == received[1]
    assert received[0].count(b"heard") == 1
    assert b"too" not in received[0]
