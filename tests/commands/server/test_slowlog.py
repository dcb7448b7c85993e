"""SLOWLOG: what is kept, what is never shown, what is counted."""

import re

import pytest

from tests.commands.python_commands import FakeClient, FakeServer


def test_slowlog_keeps_trimmed_commands_newest_first(server: FakeServer) -> None:
    client = server.connect()
    server.engine.set_option("slowlog_log_slower_than", 0)
    client.call("CLIENT", "SETNAME", "me")
    client.call("SLOWLOG", "RESET")
    client.call("SET", "k", "x" * 200)
    client.call("DEL", *[str(i) for i in range(40)])
    newest, older, oldest = server.engine.slowlog(10)
    assert newest.argv[:3] == (b"DEL", b"0", b"1")
    assert newest.argv[31:] == (b"... (10 more arguments)",)
    assert (len(newest.argv), newest.argc) == (32, 41)
    assert older.argv == (b"SET", b"k", b"x" * 128 + b"... (72 more bytes)")
    assert oldest.argv == (b"SLOWLOG", b"RESET")
    assert (older.addr, older.name, older.argc) == (client.addr.encode(), b"me", 3)
    assert newest.id == older.id + 1
    server.engine.set_option("slowlog_log_slower_than", -1)
    assert client.call("SLOWLOG", "LEN") == b":3\r\n"
    assert re.fullmatch(
        rb"\*1\r\n\*7\r\n:3\r\n:\d+\r\n:\d+\r\n\*32\r\n\$3\r\nDEL.*\$15\r\n127\.0\.0\.1:50001\r\n"
        rb"\$2\r\nme\r\n:41\r\n",
        client.call("SLOWLOG", "GET", "1"),
        re.DOTALL,
    )


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["AUTH", "u", "p"], [b"AUTH", b"(redacted)", b"(redacted)"]),
        (
            ["HELLO", "3", "AUTH", "u", "p", "SETNAME", "q"],
            [b"HELLO", b"3", b"AUTH", b"(redacted)", b"(redacted)", b"SETNAME", b"q"],
        ),
        (
            ["CONFIG", "SET", "hz", "10", "requirepass", "p"],
            [b"CONFIG", b"SET", b"hz", b"10", b"requirepass", b"(redacted)"],
        ),
        (["ACL", "GETUSER", "u"], [b"ACL", b"GETUSER", b"(redacted)"]),
    ],
)
def test_slowlog_never_shows_secrets(
    server: FakeServer, words: list[str], kept: list[bytes]
) -> None:
    server.engine.set_option("slowlog_log_slower_than", 0)
    server.connect().call(*words)
    assert list(server.engine.slowlog(1)[0].argv) == kept


def test_slowlog_is_bounded_and_counts_all(server: FakeServer) -> None:
    client = server.connect()
    server.engine.set_option("slowlog_log_slower_than", 0)
    server.engine.set_option("slowlog_max_len", 20)
    for i in range(100):
        client.call("SET", "k", str(i))
    assert [entry.argv[2] for entry in server.engine.slowlog(2)] == [b"99", b"98"]
    assert server.engine.slowlog_length == 20
    assert server.engine.slowlog_totals().count == 100
    server.engine.set_option("slowlog_max_len", 0)
    client.call("PING")
    assert server.engine.slowlog_length == 0


def test_slowlog_leaves_out_commands_that_did_not_run(server: FakeServer) -> None:
    client = server.connect()
    server.engine.set_option("slowlog_log_slower_than", 0)
    client.call("GET")
    client.call("NOSUCH")
    assert server.engine.slowlog_length == 0


@pytest.mark.parametrize("count", ["-2", "x", ""])
def test_slowlog_get_count_is_checked(client: FakeClient, count: str) -> None:
    error = b"-ERR count should be greater than or equal to -1\r\n"
    assert client.call("SLOWLOG", "GET", count) == error
    assert client.call("SLOWLOG", "GET", "1", "2") == (
        b"-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.\r\n"
    )
