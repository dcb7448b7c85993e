"""Commands that wait for keys: who is served, with what, in which order, with one worker and three."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.harness.resp import Client, encode, parse
from tests.harness.server import Server, wait_until

NULL = b"*-1\r\n"


@pytest.fixture
def clients(shared_server: Server) -> Iterator[Callable[[], Client]]:
    """Opens connections to the empty server; all are closed at the end."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(shared_server.client()).call("FLUSHALL")
        yield lambda: stack.enter_context(shared_server.client())


def waits(client: Client, number: int, *words: object) -> Client:
    """Has the client wait in a command; `number` clients wait then."""
    client.send(encode(*words))
    with_count = b"blocked_clients:%d\r" % number
    with Client(client.sock.getpeername()[1]) as other:
        wait_until(lambda: with_count in other.value("INFO", "clients"))
    return client


def reply_of(client: Client) -> object:
    return parse(client.read())


def test_the_longest_waiting_is_served_first(clients: Callable[[], Client]) -> None:
    pusher = clients()
    first = waits(clients(), 1, "BLPOP", "k", 0)
    second = waits(clients(), 2, "BRPOP", "k", 0)
    assert pusher.call("RPUSH", "k", 1, 2, 3) == b":3\r\n"
    assert reply_of(first) == [b"k", b"1"]
    assert reply_of(second) == [b"k", b"3"]
    assert parse(pusher.call("LRANGE", "k", 0, -1)) == [b"2"]


@pytest.mark.parametrize(
    "words",
    [
        ("BLPOP", "a", "b", "c", 0.05),
        ("BRPOP", "a", 0.05),
        ("BLMOVE", "a", "b", "LEFT", "LEFT", 0.05),
        ("BLMOVEM", "a", "b", "LEFT", "LEFT", 0.05),
        ("BRPOPLPUSH", "a", "b", 0.05),
        ("BLMPOP", 0.05, 3, "a", "b", "c", "LEFT"),
        ("BZPOPMIN", "a", "b", "c", 0.05),
        ("BZPOPMAX", "a", 0.05),
        ("BZMPOP", 0.05, 2, "a", "b", "MIN"),
    ],
)
def test_time_is_up(clients: Callable[[], Client], words: tuple[object, ...]) -> None:
    assert clients().call(*words) == NULL


@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        ("x", b"-ERR timeout is not a float or out of range\r\n"),
        ("-1", b"-ERR timeout is negative\r\n"),
        ("1e30", b"-ERR timeout is out of range\r\n"),
    ],
)
def test_timeouts_that_are_none(clients: Callable[[], Client], timeout: str, error: bytes) -> None:
    client = clients()
    assert client.call("BLPOP", "k", timeout) == error
    assert client.call("BZPOPMIN", "k", timeout) == error
    assert client.call("BLMOVE", "k", "l", "LEFT", "LEFT", timeout) == error
    assert client.call("BLMPOP", timeout, 1, "k", "LEFT") == error


def test_a_chain_of_moves(clients: Callable[[], Client]) -> None:
    """Each served client makes a key that the next one waits for, whoever owns it."""
    pusher = clients()
    chain = [
        waits(clients(), 1, "BLMOVE", "x1", "x2", "LEFT", "RIGHT", 0),
        waits(clients(), 2, "BLMOVE", "x2", "x3", "LEFT", "RIGHT", 0),
        waits(clients(), 3, "BRPOPLPUSH", "x3", "x4", 0),
        waits(clients(), 4, "BLPOP", "x4", 0),
    ]
    pusher.call("RPUSH", "x1", "v")
    assert [reply_of(client) for client in chain] == [b"v", b"v", b"v", [b"x4", b"v"]]
    assert pusher.call("EXISTS", "x1", "x2", "x3", "x4") == b":0\r\n"


def test_keys_of_several_workers(clients: Callable[[], Client]) -> None:
    pusher = clients()
    keys = ("y1", "y2", "y3", "y4")
    pair = [waits(clients(), n, "BLPOP", *keys, 0) for n in (1, 2)]
    pusher.call("RPUSH", "y3", 1, 2)
    assert sorted(reply_of(client) for client in pair) == [[b"y3", b"1"], [b"y3", b"2"]]
    waiting = waits(clients(), 1, "BZPOPMIN", *keys, 0)
    pusher.call("ZADD", "y2", 1, "m")
    assert reply_of(waiting) == [b"y2", b"m", b"1"]
    waiting = waits(clients(), 1, "BLMPOP", 0, 4, *keys, "LEFT", "COUNT", 2)
    pusher.call("RPUSH", "y4", 1, 2, 3)
    assert reply_of(waiting) == [b"y4", [b"1", b"2"]]
    assert pusher.call("LLEN", "y4") == b":1\r\n"


def test_a_key_of_another_type_is_an_error_at_first_and_nothing_later(
    clients: Callable[[], Client],
) -> None:
    pusher = clients()
    pusher.call("SET", "s", 1)
    assert clients().call("BLPOP", "t", "s", 0).startswith(b"-WRONGTYPE")
    waiting = waits(clients(), 1, "BLPOP", "w", 0)
    pusher.call("SET", "w", "x")
    pusher.call("DEL", "w")
    pusher.call("RPUSH", "w", "y")
    assert reply_of(waiting) == [b"w", b"y"]


def test_a_transaction_is_over_before_anybody_is_served(clients: Callable[[], Client]) -> None:
    pusher = clients()
    waiting = waits(clients(), 1, "BLPOP", "m", 0)
    for words in (("MULTI",), ("RPUSH", "m", 1), ("DEL", "m"), ("EXEC",)):
        pusher.call(*words)
    for words in (("MULTI",), ("RPUSH", "m", 1), ("LPUSH", "m", 0)):
        pusher.call(*words)
    assert parse(pusher.call("EXEC")) == [1, 2]
    assert reply_of(waiting) == [b"m", b"0"]


def test_in_a_transaction_nobody_waits(clients: Callable[[], Client]) -> None:
    client = clients()
    client.call("MULTI")
    client.call("BLPOP", "m", 0)
    client.call("BLMOVE", "m", "n", "LEFT", "LEFT", 0)
    assert client.call("EXEC") == b"*2\r\n*-1\r\n$-1\r\n"


def test_what_a_client_sends_while_it_waits_comes_after(clients: Callable[[], Client]) -> None:
    pusher = clients()
    waiting = waits(clients(), 1, "BLPOP", "p", 0)
    waiting.send(encode("PING") + encode("GET", "nothing"))
    pusher.call("RPUSH", "p", 1)
    assert reply_of(waiting) == [b"p", b"1"]
    assert waiting.read() == b"+PONG\r\n"
    assert waiting.read() == b"$-1\r\n"


@pytest.mark.parametrize("keys", [("u",), ("u1", "u2", "u3", "u4")])
def test_client_unblock(clients: Callable[[], Client], keys: tuple[str, ...]) -> None:
    other, client = clients(), clients()
    number = parse(client.call("CLIENT", "ID"))
    waits(client, 1, "BLPOP", *keys, 0)
    assert other.call("CLIENT", "UNBLOCK", number) == b":1\r\n"
    assert client.read() == NULL
    waits(client, 1, "BLPOP", *keys, 0)
    assert other.call("CLIENT", "UNBLOCK", number, "ERROR") == b":1\r\n"
    assert client.read() == b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
    assert other.call("CLIENT", "UNBLOCK", number) == b":0\r\n"


@pytest.mark.parametrize("keys", [("g",), ("g", "g2", "g3", "g4")])
def test_who_has_gone_takes_nothing(clients: Callable[[], Client], keys: tuple[str, ...]) -> None:
    pusher = clients()
    waits(clients(), 1, "BLPOP", *keys, 0).close()
    wait_until(lambda: b"blocked_clients:0\r" in pusher.value("INFO", "clients"))
    assert pusher.call("RPUSH", "g", 1) == b":1\r\n"
    assert pusher.call("LLEN", "g") == b":1\r\n"


def test_keys_that_come_by_other_ways(clients: Callable[[], Client]) -> None:
    other = clients()
    waiting = waits(clients(), 1, "BLPOP", "r", 0)
    other.call("RPUSH", "r2", 1)
    other.call("RENAME", "r2", "r")
    assert reply_of(waiting) == [b"r", b"1"]
    waiting = waits(clients(), 1, "BLPOP", "s", 0)
    other.call("SELECT", 1)
    other.call("RPUSH", "s", 2)
    other.call("SWAPDB", 0, 1)
    assert reply_of(waiting) == [b"s", b"2"]


def test_blmovem_exactly_waits_for_all(clients: Callable[[], Client]) -> None:
    other = clients()
    waiting = waits(clients(), 1, "BLMOVEM", "q", "x", "LEFT", "LEFT", 0, "EXACTLY", 2, "OBO")
    other.call("RPUSH", "q", 1)
    assert b"blocked_clients:1\r" in other.value("INFO", "clients")
    other.call("RPUSH", "q", 2)
    assert reply_of(waiting) == [b"2", b"1"]
    assert other.call("LLEN", "q") == b":0\r\n"
