"""What is trimmed about so much is logged as exactly so much: a replay takes the same entries away.

With references in the play single entries go, not whole nodes, and some stay among those that go.
"""

import random

import pytest

from tests.harness.resp import Client
from tests.persistence.logged import LoggedServer

GAMES = 60


def make(client: Client, rng: random.Random) -> int:
    """A stream with a group that has read some entries and acknowledged some of those; its length."""
    client.call("FLUSHALL")
    length = rng.randrange(1, 20)
    for i in range(1, length + 1):
        client.call("XADD", "s", f"{i}-0", "f", i)
    if rng.random() < 0.8:
        client.call("XGROUP", "CREATE", "s", "g", 0)
        read = rng.randrange(1, length + 1)
        client.call("XREADGROUP", "GROUP", "g", "c", "COUNT", read, "STREAMS", "s", ">")
        for i in rng.sample(range(1, read + 1), rng.randrange(read + 1)):
            client.call("XACK", "s", "g", f"{i}-0")
    for i in rng.sample(range(1, length + 1), rng.randrange(min(3, length))):
        client.call("XDEL", "s", f"{i}-0")
    return length


def trimming(rng: random.Random, length: int) -> list[object]:
    words: list[object] = [rng.choice(("MAXLEN", "MINID")), "~", rng.randrange(length + 2)]
    if rng.random() < 0.5:
        words += ["LIMIT", rng.randrange(length + 2)]
    return [*words, rng.choice(("KEEPREF", "DELREF", "ACKED"))]


@pytest.mark.parametrize("command", ["XTRIM", "XADD"])
def test_a_replay_trims_the_same(server: LoggedServer, command: str) -> None:
    rng = random.Random(f"trimmed by {command}")
    server.start("--stream-node-max-entries", "3")
    with server.client() as client:
        for _ in range(GAMES):
            length = make(client, rng)
            words = [command, "s", *trimming(rng, length)]
            words += ["100-0", "f", "last"] if command == "XADD" else []
            assert not client.call(*words).startswith(b"-"), words
            there = client.call("XRANGE", "s", "-", "+"), client.call("DEBUG", "DIGEST")
            client.call("DEBUG", "LOADAOF")
            assert client.call("XRANGE", "s", "-", "+") == there[0], words
            assert client.call("DEBUG", "DIGEST") == there[1], words


def test_what_is_wanted_stays_among_what_goes(server: LoggedServer) -> None:
    server.start()
    with server.client() as client:
        for i in range(1, 5):
            client.call("XADD", "s", f"{i}-0", "f", i)
        client.call("XGROUP", "CREATE", "s", "g", 0)
        client.call("XREADGROUP", "GROUP", "g", "c", "COUNT", 2, "STREAMS", "s", ">")
        client.call("XACK", "s", "g", "2-0")
        assert client.value("XTRIM", "s", "MINID", "~", 4, "ACKED") == 1
        client.call("DEBUG", "LOADAOF")
        assert [entry[0] for entry in client.value("XRANGE", "s", "-", "+")] == [
            b"1-0",
            b"3-0",
            b"4-0",
        ]
