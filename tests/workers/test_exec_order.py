"""EXEC over several workers: every command runs at its place, and all of them or none."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.harness.resp import Client, encode, parse
from tests.harness.server import Server, running, wait_until
from tests.workers.places import connect_to, key_of

Start = Callable[..., Server]
WORKERS = 3
KEYS = [key_of(worker, prefix="ex") for worker in range(WORKERS)]


@pytest.fixture(scope="module")
def clients() -> Iterator[list[Client]]:
    with running(workers=WORKERS) as server, ExitStack() as stack:
        yield [stack.enter_context(connect_to(server, worker)) for worker in range(WORKERS)]


@pytest.fixture(params=range(WORKERS))
def client(clients: list[Client], request: pytest.FixtureRequest) -> Client:
    """Of each worker; nothing is there."""
    clients[0].call("FLUSHALL")
    found: Client = clients[request.param]
    return found


def transact(client: Client, *commands: list[str]) -> list[object]:
    client.call("MULTI")
    for words in commands:
        assert client.call(*words) == b"+QUEUED\r\n"
    replies: list[object] = client.value("EXEC")
    return replies


def keys_in(info: object) -> int:
    """Of database 0, as INFO keyspace says."""
    text = bytes(info).decode() if isinstance(info, bytes) else str(info)
    return int(text.partition("db0:keys=")[2].partition(",")[0] or 0)


def test_info_shows_what_was_done_before_it(client: Client) -> None:
    info, size = ["INFO", "keyspace"], ["DBSIZE"]
    sets = [["SET", key, "x"] for key in KEYS]
    replies = transact(
        client, info, sets[0], info, sets[1], size, sets[2], info, ["FLUSHALL"], info
    )
    assert [keys_in(replies[i]) for i in (0, 2, 6, 8)] == [0, 1, 3, 0]
    assert replies[4] == 2


def test_a_setting_holds_from_its_place_on(client: Client) -> None:
    """CONFIG SET is of Python, OBJECT ENCODING tells which setting a value was made under."""
    option = "hash-max-listpack-entries"
    before = client.value("CONFIG", "GET", option)
    names = [f"h{key}" for key in KEYS]
    commands = [["HSET", name, *"a1b2"] for name in names]
    replies = transact(
        client,
        commands[0],
        ["CONFIG", "SET", option, "1"],
        commands[1],
        ["CONFIG", "GET", option],
        ["CONFIG", "SET", option, before[1].decode()],
        commands[2],
        *[["OBJECT", "ENCODING", name] for name in names],
    )
    assert replies[3] == [option.encode(), b"1"]
    assert replies[-3:] == [b"listpack", b"hashtable", b"listpack"]


def test_a_function_can_be_called_behind_its_library(client: Client) -> None:
    twice = "function(k) return redis.call('INCRBY', k[1], 2) end"
    code = f"#!lua name=order\nredis.register_function('twice', {twice})"
    calls = [["FCALL", "twice", "1", key] for key in KEYS]
    replies = transact(
        client, ["FUNCTION", "LOAD", "REPLACE", code], *calls, ["FUNCTION", "DELETE", "order"]
    )
    assert replies == [b"order", 2, 2, 2, "OK"]


def test_replies_are_in_order_whatever_the_commands(client: Client) -> None:
    replies = transact(
        client,
        ["PING"],
        ["SET", KEYS[0], "1"],
        ["ECHO", "here"],
        ["CLIENT", "SETNAME", "me"],
        ["INCR", KEYS[0]],
        ["CLIENT", "GETNAME"],
        ["SELECT", "1"],
        ["SET", KEYS[1], "2"],
        ["DBSIZE"],
        ["SELECT", "0"],
        ["MGET", *KEYS],
        ["CONFIG", "SET", "nonsense", "1"],
        ["DEL", KEYS[0]],
    )
    assert isinstance(replies[11], ValueError)
    assert replies[:11] == [
        "PONG", "OK", b"here", "OK", 2, b"me", "OK", "OK", 1, "OK", [b"2", None, None],
    ]  # fmt: skip
    assert replies[12] == 1
    assert client.value("DBSIZE") == 0


def test_nobody_sees_it_half_done(clients: list[Client]) -> None:
    """Others read while a transaction is in the hands of Python."""
    clients[0].call("FLUSHALL")
    client, *others = clients
    for n in range(30):
        words = [["SET", KEYS[0], str(n)], ["INFO", "all"], ["SET", KEYS[1], str(n)], ["DBSIZE"]]
        sent = [encode("MULTI"), *[encode(*each) for each in words], encode("SET", KEYS[2], str(n))]
        client.send(b"".join([*sent, encode("EXEC")]))
        for other in others:
            values = other.value("MGET", *KEYS)
            assert len(set(values)) == 1, values
        replies = [parse(client.read()) for _ in range(len(words) + 3)]
        assert replies[-1][0] == "OK"


def test_a_client_that_leaves_has_had_all_of_it_executed(start_server: Start) -> None:
    server = start_server(workers=WORKERS)
    with connect_to(server, 1) as watcher:
        for n in range(20):
            client = connect_to(server, 0)
            words = [
                ["SET", KEYS[0], str(n)],
                ["INFO"],
                ["DBSIZE"],
                ["SET", KEYS[1], str(n)],
                ["INFO"],
            ]
            sent = [encode("MULTI"), *[encode(*each) for each in words]]
            client.send(b"".join([*sent, encode("SET", KEYS[2], str(n)), encode("EXEC")]))
            client.close()
            wait_until(
                lambda: watcher.value("INFO", "clients").count(b"connected_clients:1\r") == 1
            )
            values = watcher.value("MGET", *KEYS)
            assert len(set(values)) == 1, values
