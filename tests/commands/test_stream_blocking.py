"""Reads that wait for entries of streams, with one worker and three."""

from collections.abc import Callable

from tests.commands.test_blocking import NULL, clients, reply_of, waits
from tests.harness.resp import Client
from tests.harness.server import Server

__all__ = ["clients"]

NO_GROUP = "NOGROUP No such key 's2' or consumer group 'g' in XREADGROUP with GROUP option"
KEYS = ("s1", "s2", "s3")  # of different workers


def test_all_that_wait_get_a_new_entry(clients: Callable[[], Client]) -> None:
    writer = clients()
    readers = [
        waits(clients(), n, "XREAD", "BLOCK", 0, "STREAMS", *KEYS, "$", "$", "$") for n in (1, 2)
    ]
    writer.call("XADD", "s2", "5-1", "a", "b")
    for reader in readers:
        assert reply_of(reader) == [[b"s2", [[b"5-1", [b"a", b"b"]]]]]


def test_the_last_id_is_that_of_the_beginning(clients: Callable[[], Client]) -> None:
    writer = clients()
    writer.call("XADD", "s1", "1-1", "a", "b")
    for keys in (("s1",), KEYS):
        number = writer.value("XLEN", "s1") + 1
        reader = waits(clients(), 1, "XREAD", "BLOCK", 0, "STREAMS", *keys, *("$" for _ in keys))
        writer.call("XGROUP", "CREATE", "s1", f"of {len(keys)}", 0)  # changes the key, adds nothing
        writer.call("XADD", "s1", f"{number}-1", "c", "d")
        assert reply_of(reader) == [[b"s1", [[b"%d-1" % number, [b"c", b"d"]]]]]


def test_each_entry_goes_to_one_consumer(clients: Callable[[], Client]) -> None:
    writer = clients()
    for key in KEYS:
        writer.call("XGROUP", "CREATE", key, "g", "$", "MKSTREAM")
    read = ("XREADGROUP", "GROUP", "g")
    first = waits(clients(), 1, *read, "c1", "BLOCK", 0, "STREAMS", "s1", ">")
    second = waits(clients(), 2, *read, "c2", "BLOCK", 0, "STREAMS", "s1", ">")
    writer.call("XADD", "s1", "1-1", "a", 1)
    assert reply_of(first) == [[b"s1", [[b"1-1", [b"a", b"1"]]]]]
    writer.call("XADD", "s1", "1-2", "a", 2)
    assert reply_of(second) == [[b"s1", [[b"1-2", [b"a", b"2"]]]]]
    assert writer.value("XPENDING", "s1", "g")[3] == [[b"c1", b"1"], [b"c2", b"1"]]


def test_a_group_that_goes_ends_the_wait(clients: Callable[[], Client]) -> None:
    writer = clients()
    for end in (("XGROUP", "DESTROY", "s2", "g"), ("DEL", "s2")):
        for key in KEYS:
            writer.call("XGROUP", "CREATE", key, "g", "$", "MKSTREAM")
        words = ("GROUP", "g", "c", "BLOCK", 0, "STREAMS", *KEYS, ">", ">", ">")
        reader = waits(clients(), 1, "XREADGROUP", *words)
        writer.call(*end)
        assert str(reply_of(reader)) == NO_GROUP
        writer.call("FLUSHALL")


def test_time_is_up(clients: Callable[[], Client]) -> None:
    client = clients()
    assert client.call("XREAD", "BLOCK", 30, "STREAMS", "s1", "$") == NULL
    assert client.call("XREAD", "BLOCK", 30, "STREAMS", *KEYS, 0, "$", "+") == NULL
    client.call("MULTI")
    client.call("XREAD", "BLOCK", 0, "STREAMS", "s1", "$")
    assert client.call("EXEC") == b"*1\r\n" + NULL


def test_claim_is_woken_when_an_entry_has_been_pending_for_long_enough(
    shared_server: Server,
) -> None:
    """No key changes meanwhile. Redis 8.10.2 does so, too."""
    with shared_server.client() as alice, shared_server.client() as bob:
        alice.call("FLUSHALL")
        alice.call("XADD", "s", "1-1", "f", "v")
        alice.call("XGROUP", "CREATE", "s", "g", "0")
        alice.call("XREADGROUP", "GROUP", "g", "alice", "STREAMS", "s", ">")
        wanted = ("GROUP", "g", "bob", "BLOCK", "0", "CLAIM", "120", "STREAMS", "s", ">")
        [[name, [entry]]] = bob.value("XREADGROUP", *wanted)
        assert (name, entry[:2]) == (b"s", [b"1-1", [b"f", b"v"]])
        assert entry[2] >= 120
        assert alice.value("XPENDING", "s", "g")[3] == [[b"bob", b"1"]]
