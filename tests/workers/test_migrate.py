"""MIGRATE: keys to another server, by one worker and by several, and what goes wrong on the way."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.harness.ports import free_port
from tests.harness.resp import Client
from tests.harness.server import Server, running

REFUSED = b"-ERR Target instance replied with error: "
OK = b"+OK\r\n"


@pytest.fixture(scope="module")
def target() -> Iterator[Server]:
    with running(workers=2) as server:
        yield server


@pytest.fixture
def here(client: Client) -> Client:
    """At the shared server, which is empty."""
    return client


@pytest.fixture
def there(target: Server) -> Iterator[Client]:
    with target.client() as client:
        client.call("FLUSHALL")
        yield client
        client.call("CONFIG", "SET", "requirepass", "")


def migrate(here: Client, port: int, key: str, *options: str, db: int = 0, ms: int = 5000) -> bytes:
    return here.call("MIGRATE", "127.0.0.1", port, key, db, ms, *options)


def test_a_key_moves_with_its_time(here: Client, there: Client, target: Server) -> None:
    here.call("SET", "k", "v", "PX", 100_000)
    assert migrate(here, target.port, "k") == OK
    assert here.value("EXISTS", "k") == 0
    assert there.value("GET", "k") == b"v"
    assert 0 < there.value("PTTL", "k") <= 100_000


def test_keys_of_all_types_move_at_once(here: Client, there: Client, target: Server) -> None:
    here.call("RPUSH", "list", *range(300))
    here.call("SADD", "set", "a", "b")
    here.call("ZADD", "zset", "1.5", "m")
    here.call("HSET", "hash", "f", "v")
    here.call("XADD", "stream", "1-1", "f", "v")
    here.call("SET", "string", b"\0\r\n" * 100)
    here.call("ARSET", "array", 5000, "a", 1, 2.5, "more than seven bytes")
    names = ["list", "set", "zset", "hash", "stream", "array", "string"]
    before = [here.value("DEBUG", "DIGEST-VALUE", name) for name in names]
    assert migrate(here, target.port, "", "KEYS", *names, "nokey", db=3) == OK
    assert here.value("DBSIZE") == 0
    there.call("SELECT", "3")
    assert [there.value("DEBUG", "DIGEST-VALUE", name) for name in names] == before


def test_a_copy_stays_and_replaces(here: Client, there: Client, target: Server) -> None:
    here.call("SET", "k", "new")
    there.call("SET", "k", "old")
    busy = REFUSED + b"BUSYKEY Target key name already exists.\r\n"
    assert migrate(here, target.port, "k") == busy
    assert migrate(here, target.port, "k", "COPY", "REPLACE") == OK
    assert here.value("GET", "k") == there.value("GET", "k") == b"new"


def test_what_was_accepted_is_gone_although_another_key_was_not(
    here: Client, there: Client, target: Server
) -> None:
    here.call("MSET", "a", "1", "b", "2", "c", "3")
    there.call("SET", "b", "other")
    assert migrate(here, target.port, "", "KEYS", "a", "b", "c").startswith(REFUSED + b"BUSYKEY")
    assert here.value("MGET", "a", "b", "c") == [None, b"2", None]
    assert there.value("MGET", "a", "b", "c") == [b"1", b"other", b"3"]


def test_a_target_that_wants_a_password(here: Client, there: Client, target: Server) -> None:
    here.call("MSET", "a", "1", "b", "2", "c", "3")
    there.call("CONFIG", "SET", "requirepass", "secret")
    assert migrate(here, target.port, "a", "AUTH", "wrong").startswith(REFUSED + b"WRONGPASS")
    assert migrate(here, target.port, "a", "AUTH", "secret") == OK
    assert migrate(here, target.port, "b", "AUTH2", "default", "secret") == OK
    assert here.value("MGET", "a", "b", "c") == [None, None, b"3"]


def test_no_database_of_that_number(here: Client, there: Client, target: Server) -> None:
    here.call("SET", "k", "v")
    error = REFUSED + b"ERR DB index is out of range\r\n"
    assert migrate(here, target.port, "k", db=99) == error
    assert there.value("DBSIZE") == 0
    assert here.value("GET", "k") == b"v"


def test_in_a_transaction(here: Client, there: Client, target: Server) -> None:
    for words in (
        ["MULTI"],
        ["SET", "k", "v"],
        ["MIGRATE", "127.0.0.1", target.port, "k", 0, 5000],
        ["GET", "k"],
    ):
        here.call(*words)
    assert here.value("EXEC") == ["OK", "OK", None]
    assert there.value("GET", "k") == b"v"


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("nokey 0 100", b"+NOKEY\r\n"),
        ("k x 100", b"-ERR value is not an integer or out of range\r\n"),
        ("k 0 x", b"-ERR value is not an integer or out of range\r\n"),
        ("k 0 100 FOO", b"-ERR syntax error\r\n"),
        ("k 0 100 AUTH", b"-ERR syntax error\r\n"),
        ("k 0 100 AUTH2 a", b"-ERR syntax error\r\n"),
        (
            "k 0 100 KEYS a",
            b"-ERR When using MIGRATE KEYS option, the key argument must be set to the empty "
            b"string\r\n",
        ),
        ("k 0 100", b"-IOERR error or timeout writing to target instance\r\n"),
    ],
)
def test_errors(here: Client, words: str, reply: bytes) -> None:
    here.call("SET", "k", "v")
    assert here.call("MIGRATE", "127.0.0.1", free_port(), *words.split()) == reply
    assert here.value("GET", "k") == b"v"


def test_a_host_without_an_address(here: Client) -> None:
    here.call("SET", "k", "v")
    reply = here.call("MIGRATE", "no host", 1, "k", 0, 100)
    assert reply == b"-IOERR error or timeout connecting to the client\r\n"


def test_the_keys_are_found(here: Client) -> None:
    words = ["COMMAND", "GETKEYS", "MIGRATE", "h", "1"]
    assert here.value(*words, "k", "0", "1") == [b"k"]
    assert here.value(*words, "", "0", "1", "KEYS", "a", "b") == [b"a", b"b"]


@pytest.mark.parametrize("answer", [b"", b"+O"], ids=["silent", "half a line"])
def test_a_target_that_does_not_answer(here: Client, answer: bytes) -> None:
    """The key stays, and the next command of the same client is served."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_one() -> None:
            sock, _ = listener.accept()
            with sock:
                while sock.recv(4096):
                    sock.sendall(answer)

        thread = threading.Thread(target=answer_one)
        thread.start()
        here.call("SET", "k", "v")
        reply = migrate(here, listener.getsockname()[1], "k", ms=100)
        assert reply == b"-IOERR error or timeout reading to target instance\r\n"
        assert here.value("GET", "k") == b"v"
        thread.join()


def test_a_target_that_was_restarted(here: Client, there: Client, target: Server) -> None:
    """A connection that was kept and is gone is made anew."""
    here.call("MSET", "a", "1", "b", "2")
    assert migrate(here, target.port, "a") == OK
    there.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert migrate(here, target.port, "b") == OK
    assert there.value("MGET", "a", "b") == [b"1", b"2"]
