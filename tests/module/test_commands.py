"""Commands of a module as clients see them, with one worker and three."""

from collections.abc import Iterator

import pytest

from tests.harness.resp import Client
from tests.harness.server import Server
from tests.workers.places import key_of


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with server.client() as connection:
        connection.call("FLUSHALL")
        yield connection


KEYS = [key_of(worker) for worker in range(3)]  # of different workers, if there are three


def test_arguments_of_loadmodule_arrive(client: Client) -> None:
    assert client.value("SAMPLE.GREET") == b"greeting"


@pytest.mark.parametrize("target", KEYS)
def test_it_runs_at_the_owner_of_its_keys(client: Client, target: str) -> None:
    client.call("SET", KEYS[0], 10)
    if target != KEYS[0]:
        assert client.value("SAMPLE.MOVE", KEYS[0], target, 4) == [b"6", 4]
        assert client.value("GET", target) == b"4"
    assert client.call("SAMPLE.MOVE", KEYS[0], target, 40) == b"-NOTENOUGH there is not so much\r\n"


def test_counted_keys(client: Client) -> None:
    client.call("MSET", *[word for i, key in enumerate(KEYS) for word in (key, i + 1)])
    assert client.value("SAMPLE.SUM", 3, *KEYS) == 6
    assert client.value("COMMAND", "GETKEYS", "SAMPLE.SUM", 2, "a", "b") == [b"a", b"b"]


def test_a_range_to_the_end(client: Client) -> None:
    client.call("MSET", *[word for key in KEYS for word in (key, 1)])
    assert client.value("SAMPLE.DROP", *KEYS, "none") == 3
    assert client.value("COMMAND", "GETKEYS", "SAMPLE.DROP", "a", "b", "c") == [b"a", b"b", b"c"]


def test_keys_that_were_not_declared(client: Client) -> None:
    assert client.value("SAMPLE.UNDECLARED", *KEYS) == [1, 1, 1]
    assert client.value("SAMPLE.UNDECLARED", *KEYS) == [2, 2, 2]
    assert client.value("MGET", *KEYS) == [b"2"] * 3


REPLIES = [
    ("ok", b"+OK\r\n", b"+OK\r\n"),
    ("simple", b"+text\r\n", b"+text\r\n"),
    ("int", b":42\r\n", b":42\r\n"),
    ("big", b"$22\r\n1180591620717411303424\r\n", b"(1180591620717411303424\r\n"),
    ("double", b"$3\r\n1.5\r\n", b",1.5\r\n"),
    ("bool", b":1\r\n", b"#t\r\n"),
    ("null", b"$-1\r\n", b"_\r\n"),
    (
        "nested",
        b"*3\r\n:1\r\n*2\r\n$3\r\ntwo\r\n$5\r\nthree\r\n$-1\r\n",
        b"*3\r\n:1\r\n*2\r\n$3\r\ntwo\r\n$5\r\nthree\r\n_\r\n",
    ),
    ("map", b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
    ("set", b"*2\r\n:1\r\n:2\r\n", b"~2\r\n:1\r\n:2\r\n"),
    ("verbatim", b"$5\r\nwords\r\n", b"=9\r\ntxt:words\r\n"),
    ("error", b"*1\r\n-ERR inside\r\n", b"*1\r\n-ERR inside\r\n"),
]


@pytest.mark.parametrize(("kind", "resp2", "resp3"), REPLIES, ids=[row[0] for row in REPLIES])
def test_replies(server: Server, kind: str, resp2: bytes, resp3: bytes) -> None:
    for version, expected in ((2, resp2), (3, resp3)):
        with server.client(version) as client:
            assert client.call("SAMPLE.REPLY", kind) == expected


def test_answers_of_commands_are_python_values(client: Client) -> None:
    expected = [3, [b"text", b"1", b"2.5"], 1, 1, {b"f": b"v"}, None, 1, 1.5, "PONG"]
    text = client.value("SAMPLE.ANSWERS", KEYS[1]).decode()
    assert text.startswith(repr(expected)[:-1])
    assert "CommandError('WRONGTYPE" in text


FAILURES = {
    "exception": "ERR module 'sample': ZeroDivisionError: integer division or modulo by zero",
    "exit": "ERR module 'sample': SystemExit: 3",
    "recursion": "ERR module 'sample': RecursionError: ",
    "type": "ERR module 'sample': TypeError: object is no reply",
    "words": "ERR module 'sample': TypeError: a command is made of",
    "lines": "ERR module 'sample': ValueError: two lines",
    "else": "WRONGTYPE Operation against a key",
}


@pytest.mark.parametrize("way", FAILURES)
@pytest.mark.parametrize("key", KEYS)
def test_failures_are_error_replies(client: Client, way: str, key: str) -> None:
    assert client.call("SAMPLE.FAIL", key, way).decode().startswith("-" + FAILURES[way])
    assert client.value("GET", key) == b"written"  # what was done stays done
    assert client.value("PING") == "PONG"


def test_a_context_is_of_no_use_later(client: Client) -> None:
    for _ in range(2):
        reply = client.call("SAMPLE.KEEP")
    assert b"RuntimeError: a Context is good" in reply


def test_in_a_transaction(client: Client) -> None:
    client.call("SET", KEYS[0], 5)
    client.call("MULTI")
    assert client.call("SAMPLE.MOVE", KEYS[0], KEYS[1], 2) == b"+QUEUED\r\n"
    client.call("SAMPLE.FAIL", KEYS[2], "exception")
    client.call("GET", KEYS[1])
    moved, failed, got = client.value("EXEC")
    assert (moved, got) == ([b"3", 2], b"2")
    assert "ZeroDivisionError" in str(failed)


def test_a_blocking_command_does_not_wait(client: Client) -> None:
    assert client.value("SAMPLE.WAIT", KEYS[2]) is None


def test_arity_is_checked(client: Client) -> None:
    assert b"wrong number of arguments for 'sample.greet'" in client.call("SAMPLE.GREET", "x")


def test_what_is_said_of_it(client: Client) -> None:
    (info,) = client.value("COMMAND", "INFO", "sample.move")
    assert info[:6] == [b"sample.move", 4, ["write", "denyoom", "module"], 1, 2, 1]
    assert info[6] == ["@write", "@string", "@slow"]
    docs = client.value("COMMAND", "DOCS", "sample.move")[1]
    facts = dict(zip(docs[::2], docs[1::2], strict=True))
    assert facts[b"summary"] == b"Moves an amount from one counter to another if there is enough."
    assert (facts[b"group"], facts[b"module"]) == (b"module", b"sample")
    names = client.value("COMMAND", "LIST", "FILTERBY", "MODULE", "sample")
    assert b"sample.sum" in names
    assert b"get" not in names
    assert b"name=sample,ver=7" in client.value("INFO", "modules")
    assert client.value("INFO", "commandstats").count(b"cmdstat_sample.greet") <= 1


def test_rights_of_users(client: Client, server: Server) -> None:
    client.call(
        "ACL", "SETUSER", "one", "on", "nopass", "~" + KEYS[0], "+sample.move", "+sample.sum"
    )
    with server.client() as other:
        other.call("AUTH", "one", "x")
        assert other.value("SAMPLE.SUM", 1, KEYS[0]) == 0
        assert other.call("SAMPLE.SUM", 1, KEYS[1]).startswith(
            b"-NOPERM No permissions to access a key"
        )
        assert other.call("SAMPLE.GREET").startswith(b"-NOPERM User one has no permissions")
    client.call("ACL", "DELUSER", "one")


def test_the_names_are_taken(client: Client) -> None:
    assert b"name already" not in client.call("SAMPLE.GREET")
    assert client.call("MODULE", "LOAD", __file__).startswith(b"-ERR Error loading the extension")
