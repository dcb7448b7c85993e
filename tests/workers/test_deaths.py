"""A worker dies at any point: nobody waits for ever, nobody else is harmed, half a command is none."""

import random

import pytest

from tests.harness.resp import parse
from tests.workers.fleet import Client, new_fleet


def replies_in(data: bytes) -> int:
    """How many replies of one line or one bulk string or array of bulk strings there are."""
    count = 0
    while data:
        head, _, data = data.partition(b"\r\n")
        parts = 0
        if head[:1] == b"*":
            parts = int(head[1:])
        elif head[:1] == b"$" and head != b"$-1":
            data = data[int(head[1:]) + 2 :]
        for _ in range(parts):
            item, _, data = data.partition(b"\r\n")
            if item[:1] == b"$" and item != b"$-1":
                data = data[int(item[1:]) + 2 :]
        count += 1
    return count


COMMANDS = [
    lambda keys, n: ["SET", keys[n % 3], n],
    lambda keys, n: ["GET", keys[n % 3]],
    lambda keys, n: ["MSET", *[word for key in keys for word in (key, n)]],
    lambda keys, n: ["MGET", *keys],
    lambda keys, n: ["RENAME", keys[n % 3], keys[(n + 1) % 3]],
    lambda keys, n: ["MSETNX", *[word for key in keys for word in (key, n)]],
    lambda keys, n: ["DBSIZE"],
    lambda keys, n: ["SET", keys[n % 3], "x" * 200_000],
]


@pytest.mark.parametrize("seed", range(40))
def test_every_command_is_answered_when_a_worker_dies(seed: int) -> None:
    chance = random.Random(seed)
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        clients = [Client(fleet, worker) for worker in (0, 0, 1, 2)]
        victim = chance.randrange(3)
        sent = {client.id: 0 for client in clients}
        for n in range(60):
            for client in clients:
                if client.id in fleet.clients and not client.waiting:
                    client.send(*chance.choice(COMMANDS)(keys, n))
                    sent[client.id] += 1
            for _ in range(chance.randrange(3)):
                fleet.drain(chance.randrange(3))
            if n == 30:
                fleet.kill(victim)
            if n == 45:
                fleet.revive(victim)
        fleet.settle()
        for client in clients:
            if client.worker != victim:
                assert not client.waiting
                assert replies_in(client.take()) == sent[client.id]
        assert Client(fleet, victim).call("SET", keys[victim], 1) == b"+OK\r\n"
        fleet.check()


@pytest.mark.parametrize("steps", range(12))
def test_a_command_whose_asker_dies_happens_whole_or_not_at_all(steps: int) -> None:
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        asker = Client(fleet, 0)
        asker.send("MSET", keys[1], "new", keys[2], "new")
        for step in range(steps):
            fleet.drain((1, 2, 0)[step % 3])
        fleet.kill(0)
        fleet.revive(0)
        fleet.settle()
        values = parse(Client(fleet, 1).call("MGET", keys[1], keys[2]))
        assert values in ([None, None], [b"new", b"new"])


@pytest.mark.parametrize("steps", range(14))
def test_a_hold_ends_with_its_holder(steps: int) -> None:
    with new_fleet(3) as fleet:
        keys = fleet.owned_by_each()
        other = Client(fleet, 1)
        other.call("SET", keys[1], "value")
        Client(fleet, 0).send("COPY", keys[1], keys[0])  # executed by worker 0, holding worker 1
        for step in range(steps):
            fleet.drain(step % 2)
        fleet.kill(0)
        fleet.revive(0)
        fleet.settle()
        assert other.call("GET", keys[1]) == b"$5\r\nvalue\r\n"
