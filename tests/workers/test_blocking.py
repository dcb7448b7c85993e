"""Clients that wait for keys of several workers: every element goes to exactly one of them."""

import random
from collections.abc import Callable

import pytest

from tests.harness.resp import parse
from tests.harness.server import Server
from tests.workers.fleet import Client, new_fleet
from tests.workers.places import connect_to, key_of

ELEMENTS = 40


class Consumer:
    """Waits for the first element of some keys, again and again."""

    def __init__(self, client: Client, keys: list[str], chance: random.Random) -> None:
        self.client, self._keys, self._chance = client, keys, chance
        self.wanted: list[str] = []
        self.popped: list[int] = []

    def go_on(self) -> None:
        """Takes what it has got, and asks for more."""
        if self.wanted and not self.client.received:
            return
        if self.wanted:
            reply = parse(self.client.take())
            assert isinstance(reply, list), reply
            self.popped.append(int(reply[1]))
        self.wanted = self._chance.sample(self._keys, self._chance.randrange(1, 4))
        self.client.send(self._chance.choice(["BLPOP", "BRPOP"]), *self.wanted, 0)


@pytest.mark.parametrize("seed", range(8))
def test_each_element_is_popped_once(seed: int) -> None:
    chance = random.Random(seed)
    with new_fleet(3) as fleet:
        fleet.settle()
        keys = fleet.owned_by_each()
        consumers = [Consumer(Client(fleet, chance.randrange(3)), keys, chance) for _ in range(5)]
        producer = Client(fleet, chance.randrange(3))
        pushed = 0
        while pushed < ELEMENTS:
            chance.choice(consumers).go_on()
            if chance.random() < 0.2:
                producer.send("RPUSH", chance.choice(keys), pushed)
                pushed += 1
            fleet.drain(chance.randrange(fleet.n))
        fleet.settle()
        while any(consumer.client.received for consumer in consumers):
            for consumer in consumers:
                consumer.go_on()
            fleet.settle()
        producer.take()
        left = {key: parse(producer.call("LRANGE", key, 0, -1)) for key in keys}
        for consumer in consumers:  # nobody waits for what is there
            assert not any(left[key] for key in consumer.wanted)
        found = [n for consumer in consumers for n in consumer.popped]
        found += [int(n) for elements in left.values() for n in elements]
        assert sorted(found) == list(range(ELEMENTS))


def test_entries_that_have_been_pending_for_long_come_from_streams_of_all_workers(
    start_server: Callable[..., Server],
) -> None:
    """XREADGROUP … CLAIM waits for a time, not for a key, at each owner."""
    server = start_server(workers=3)
    with connect_to(server, 0) as client, connect_to(server, 1) as other:
        streams = [key_of(worker, prefix="claim") for worker in range(3)]
        read = ["XREADGROUP", "GROUP", "g"]
        for stream in streams:
            client.call("XGROUP", "CREATE", stream, "g", "$", "MKSTREAM")
            assert client.call("XADD", stream, "1-1", "f", "v")[:1] == b"$"
            assert len(client.value(*read, "one", "STREAMS", stream, ">")) == 1
        words = [*read, "two", "BLOCK", "60000", "CLAIM", "200", "STREAMS", *streams, *">>>"]
        seen: set[bytes] = set()
        while len(seen) < 3:
            for stream, entries in other.value(*words):
                assert entries[0][0] == b"1-1" and entries[0][1] == [b"f", b"v"]
                seen.add(stream)
        assert seen == {stream.encode() for stream in streams}
