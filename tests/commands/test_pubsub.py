"""Channels: subscribing, publishing, what subscribers may do, events of keys; one worker and three."""

import contextlib
import random
from collections.abc import Callable, Iterator

import pytest

from tests.harness.resp import Client, encode, parse
from tests.harness.server import Server, wait_until

Open = Callable[..., Client]


@pytest.fixture
def connect(shared_server: Server) -> Iterator[Open]:
    """Opens connections, several of which are at different workers; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_one(resp: int = 2, key: str = "k") -> Client:
            client = stack.enter_context(shared_server.client(resp))
            client.call("EXISTS", key)  # by its first key a connection finds its worker
            return client

        yield open_one


def read(client: Client, count: int) -> list[object]:
    return [parse(client.read()) for _ in range(count)]


@pytest.mark.parametrize("resp", [2, 3])
def test_a_message_reaches_channels_and_patterns(connect: Open, resp: int) -> None:
    subscriber, publisher = connect(resp, "a"), connect(2, "c")
    head = b">" if resp == 3 else b"*"
    assert subscriber.call("SUBSCRIBE", "x", "y") == (
        head + b"3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"
    )
    assert read(subscriber, 1) == [[b"subscribe", b"y", 2]]
    assert parse(subscriber.call("PSUBSCRIBE", "x*")) == [b"psubscribe", b"x*", 3]
    assert parse(subscriber.call("SSUBSCRIBE", "x")) == [b"ssubscribe", b"x", 1]
    assert publisher.call("PUBLISH", "x", "hello") == b":2\r\n"
    assert read(subscriber, 2) == [
        [b"message", b"x", b"hello"],
        [b"pmessage", b"x*", b"x", b"hello"],
    ]
    assert publisher.call("PUBLISH", "z", "nobody") == b":0\r\n"
    assert publisher.call("SPUBLISH", "x", "shard") == b":1\r\n"
    assert read(subscriber, 1) == [[b"smessage", b"x", b"shard"]]


def test_every_subscriber_of_every_worker_gets_it_once(connect: Open) -> None:
    subscribers = [connect(2, key) for key in "abcdef"]
    for subscriber in subscribers:
        subscriber.call("SUBSCRIBE", "news")
    publisher = connect()
    assert publisher.call("PUBLISH", "news", "1") == b":6\r\n"
    assert publisher.call("PUBLISH", "news", "2") == b":6\r\n"
    for subscriber in subscribers:
        assert read(subscriber, 2) == [[b"message", b"news", b"1"], [b"message", b"news", b"2"]]


def test_unsubscribing(connect: Open) -> None:
    client = connect()
    for words in (("SUBSCRIBE", "x"), ("PSUBSCRIBE", "p*"), ("SSUBSCRIBE", "s")):
        client.call(*words)
    assert parse(client.call("UNSUBSCRIBE", "no")) == [b"unsubscribe", b"no", 2]
    assert parse(client.call("UNSUBSCRIBE")) == [b"unsubscribe", b"x", 1]
    assert parse(client.call("PUNSUBSCRIBE")) == [b"punsubscribe", b"p*", 0]
    assert client.call("GET", "k").startswith(b"-ERR Can't execute 'get': only (P|S)SUBSCRIBE")
    assert parse(client.call("SUNSUBSCRIBE")) == [b"sunsubscribe", b"s", 0]
    assert parse(client.call("UNSUBSCRIBE")) == [b"unsubscribe", None, 0]
    assert client.call("PING") == b"+PONG\r\n"


def test_what_a_subscriber_may_do(connect: Open) -> None:
    old, new = connect(2), connect(3)
    for client in (old, new):
        client.call("SUBSCRIBE", "x")
    assert old.call("PING") == b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
    assert old.call("PING", "hi") == b"*2\r\n$4\r\npong\r\n$2\r\nhi\r\n"
    assert old.call("CLIENT", "INFO").startswith(b"-ERR Can't execute 'client|info'")
    assert new.call("PING") == b"+PONG\r\n"
    assert b" flags=P db=0 sub=1 psub=0 ssub=0 " in new.call("CLIENT", "INFO")
    assert old.call("RESET") == b"+RESET\r\n"
    assert connect().call("PUBLISH", "x", "v") == b":1\r\n"


def test_a_message_to_oneself_comes_after_the_reply(connect: Open) -> None:
    client = connect(3)
    client.call("SUBSCRIBE", "me")
    assert client.call("PUBLISH", "me", "v") == b":1\r\n"
    assert read(client, 1) == [[b"message", b"me", b"v"]]


def test_a_message_does_not_come_inside_the_reply_of_exec(connect: Open) -> None:
    """With commands of Python, which wait for other workers, in the middle of the transaction."""
    client, other = connect(3), connect(3, "b")
    client.call("SUBSCRIBE", "mine")
    for words in (("MULTI",), ("PUBLISH", "mine", "v"), ("CONFIG", "RESETSTAT"), ("PING",)):
        client.call(*words)
    client.send(encode("EXEC"))
    assert other.call("PING") == b"+PONG\r\n"
    replies = read(client, 2)  # the message comes first when EXEC waits for other workers
    assert [1, "OK", "PONG"] in replies
    assert [b"message", b"mine", b"v"] in replies
    assert other.call("PING") == b"+PONG\r\n"


def test_a_channel_may_hold_zero_bytes(connect: Open) -> None:
    client, name = connect(3), b"a\0" + b"b" * 5000
    client.call("SUBSCRIBE", name)
    assert parse(client.call("UNSUBSCRIBE")) == [b"unsubscribe", name, 0]


def test_who_has_gone_is_no_subscriber(connect: Open, shared_server: Server) -> None:
    with shared_server.client() as gone:
        gone.call("SUBSCRIBE", "left")
    publisher = connect()
    wait_until(lambda: publisher.call("PUBLISH", "left", "v") == b":0\r\n")


def test_pubsub_tells_of_all_workers(connect: Open) -> None:
    clients = [connect(3, key) for key in "abc"]
    for client in clients:
        client.call("SUBSCRIBE", "one")
    clients[0].call("SUBSCRIBE", "two")
    clients[1].call("PSUBSCRIBE", "t*")
    clients[2].call("PSUBSCRIBE", "t*")
    clients[2].call("SSUBSCRIBE", "three")
    asker = connect()
    assert sorted(parse(asker.call("PUBSUB", "CHANNELS"))) == [b"one", b"two"]
    assert parse(asker.call("PUBSUB", "CHANNELS", "t*")) == [b"two"]
    assert parse(asker.call("PUBSUB", "NUMSUB", "one", "no")) == [b"one", 3, b"no", 0]
    assert asker.call("PUBSUB", "NUMPAT") == b":1\r\n"
    assert parse(asker.call("PUBSUB", "SHARDCHANNELS")) == [b"three"]
    assert parse(asker.call("PUBSUB", "SHARDNUMSUB", "three")) == [b"three", 1]
    assert asker.call("PUBSUB", "CHANNELS", "a", "b").startswith(b"-ERR unknown subcommand or")


def test_events_of_keys(connect: Open, start_server: Callable[..., Server]) -> None:
    server = start_server("--notify-keyspace-events", "KEA", workers=3)
    with server.client() as subscriber, server.client() as client:
        subscriber.call("PSUBSCRIBE", "__key*__:*")
        for words in (("SET", "a", 1), ("LPUSH", "b", 1), ("SELECT", 3), ("SET", "c", 1)):
            client.call(*words)
        client.call("DEL", "c")
        events = {(event[2], event[3]) for event in read(subscriber, 8)}
    assert events == {
        (b"__keyspace@0__:a", b"set"),
        (b"__keyevent@0__:set", b"a"),
        (b"__keyspace@0__:b", b"lpush"),
        (b"__keyevent@0__:lpush", b"b"),
        (b"__keyspace@3__:c", b"set"),
        (b"__keyevent@3__:set", b"c"),
        (b"__keyspace@3__:c", b"del"),
        (b"__keyevent@3__:del", b"c"),
    }


def test_a_subscriber_that_does_not_read_is_dropped(start_server: Callable[..., Server]) -> None:
    server = start_server("--client-output-buffer-limit", "pubsub 1mb 0 0")
    with server.client() as slow, server.client() as publisher:
        slow.call("SUBSCRIBE", "flood")
        message = "x" * 100_000
        wait_until(lambda: publisher.call("PUBLISH", "flood", message) == b":0\r\n")


def test_one_session_with_very_many_subscriptions(client: Client) -> None:
    """Against a set: each message comes once, and only where it should."""
    rng = random.Random(3)
    names = [f"channel:{i}" for i in range(3000)]
    held: set[str] = set()
    with_messages = client.call("HELLO", "3")
    assert with_messages.startswith(b"%")
    for _ in range(4):
        chosen = rng.sample(names, 1500)
        client.send(encode("SUBSCRIBE", *chosen))
        for name in chosen:
            held.add(name)
            assert parse(client.read()) == [b"subscribe", name.encode(), len(held)]
        dropped = rng.sample(names, 1000)
        client.send(encode("UNSUBSCRIBE", *dropped))
        for name in dropped:
            held.discard(name)
            assert parse(client.read()) == [b"unsubscribe", name.encode(), len(held)]
        for name in rng.sample(names, 40):
            count = client.value("PUBLISH", name, "x")
            assert count == int(name in held)
            if count:
                assert parse(client.read()) == [b"message", name.encode(), b"x"]
    client.send(encode("UNSUBSCRIBE"))
    left = [parse(client.read()) for _ in range(len(held))]
    assert {name.decode() for _, name, _ in left} == held
    assert left[-1][2] == 0
