"""Encoding of replies, arguments, and how the table executes handlers."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Iterator

import pytest
from hypothesis import given, strategies as st

from shmredis.commands.arguments import integer
from shmredis.commands.context import Context
from shmredis.commands.registry import CommandTable, Flag, Row
from shmredis.commands.resp import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    CommandError,
    Push,
    Reply,
    Set,
    Verbatim,
    encode,
    encode_error,
)
from tests.commands.python_commands import FakeClient, FakeServer


@pytest.mark.parametrize(
    ("reply", "resp2", "resp3"),
    [
        (7, b":7\r\n", b":7\r\n"),
        (-(2**63), b":-9223372036854775808\r\n", b":-9223372036854775808\r\n"),
        (b"a\r\nb", b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n"),
        ("é\udcff", b"$3\r\n\xc3\xa9\xff\r\n", b"$3\r\n\xc3\xa9\xff\r\n"),
        (True, b":1\r\n", b"#t\r\n"),
        (False, b":0\r\n", b"#f\r\n"),
        (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
        (3.0, b"$1\r\n3\r\n", b",3\r\n"),
        (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
        (math.nan, b"$3\r\nnan\r\n", b",nan\r\n"),
        (1e30, b"$5\r\n1e+30\r\n", b",1e+30\r\n"),
        (None, b"$-1\r\n", b"_\r\n"),
        (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
        (OK, b"+OK\r\n", b"+OK\r\n"),
        ([1, [b"a"], ()], b"*3\r\n:1\r\n*1\r\n$1\r\na\r\n*0\r\n", None),
        ({"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        (Set([1]), b"*1\r\n:1\r\n", b"~1\r\n:1\r\n"),
        (Push([1]), b"*1\r\n:1\r\n", b">1\r\n:1\r\n"),
        (Verbatim(b"x"), b"$1\r\nx\r\n", b"=5\r\ntxt:x\r\n"),
        ([CommandError("ERR no")], b"*1\r\n-ERR no\r\n", None),
    ],
)
def test_replies_in_both_protocols(reply: Reply, resp2: bytes, resp3: bytes | None) -> None:
    assert encode(reply, 2) == resp2
    assert encode(reply, 3) == (resp2 if resp3 is None else resp3)


@given(st.text())
def test_an_error_is_always_one_line(text: str) -> None:
    data = encode_error("ERR " + "".join(c for c in text if not 0xD800 <= ord(c) <= 0xDFFF))
    assert data.startswith(b"-ERR ")
    assert data.count(b"\n") == data.count(b"\r") == 1
    assert data.endswith(b"\r\n")


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_64_bit_integer_is_read(value: int) -> None:
    assert integer(str(value).encode()) == value


@pytest.mark.parametrize(
    "text",
    [b"", b"+1", b" 1", b"1 ", b"01", b"-0", b"1.0", b"x", b"9223372036854775808", b"\xb2"],
)
def test_what_is_no_integer_is_refused(text: bytes) -> None:
    with pytest.raises(CommandError, match="ERR value is not an integer or out of range"):
        integer(text)


# --- execution ---


@pytest.fixture
def client() -> Iterator[FakeClient]:
    server = FakeServer()
    yield server.connect()
    server.close()


def execute(client: FakeClient, name: str, handler: object) -> bytes | Awaitable[bytes]:
    row = Row(name, "server", 1, Flag.NONE, "", (), handler)  # type: ignore[arg-type]
    table = CommandTable(client.server.engine, [row])
    ctx = Context(client.server, client, [name.encode()])
    return table.execute(ctx, client.server.engine.find_command(name.lower().encode()))


def test_a_handler_may_wait(client: FakeClient) -> None:
    async def wait(ctx: Context) -> Reply:
        await asyncio.sleep(0)
        return "done"

    result = execute(client, "WAITING", wait)
    assert not isinstance(result, bytes)
    assert asyncio.run(result) == b"$4\r\ndone\r\n"  # type: ignore[arg-type]


def test_a_waiting_handler_may_fail(client: FakeClient) -> None:
    async def fail(ctx: Context) -> Reply:
        await asyncio.sleep(0)
        raise CommandError("ERR late")

    result = execute(client, "FAILING", fail)
    assert asyncio.run(result) == b"-ERR late\r\n"  # type: ignore[arg-type]


def test_no_reply_is_no_bytes(client: FakeClient) -> None:
    assert execute(client, "SILENT", lambda ctx: NO_REPLY) == b""


def test_a_bug_is_an_error_reply_and_a_log_line(
    client: FakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert execute(client, "BROKEN", lambda ctx: 1 // 0) == b"-ERR internal error\r\n"
    assert "ZeroDivisionError" in caplog.text
