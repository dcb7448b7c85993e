"""The blocking connection: replies, and errors while filling."""

import pytest

from shmredis.benchmark.connection import Connection, ReplyError, encode
from tests.harness.resp import Client
from tests.harness.server import Server


def test_replies_are_read_whole(client: Client, shared_server: Server) -> None:
    client.call("RPUSH", "list", "a", "")
    with Connection(shared_server.port) as connection:
        assert connection.call(b"LRANGE", b"list", b"0", b"-1") == b"*2\r\n$1\r\na\r\n$0\r\n\r\n"
        assert connection.call(b"GET", b"none") == b"$-1\r\n"


def test_an_error_reply_is_raised(shared_server: Server) -> None:
    with Connection(shared_server.port) as connection, pytest.raises(ReplyError, match="unknown"):
        connection.call(b"NOSUCH")


def test_an_error_while_filling_is_raised(client: Client, shared_server: Server) -> None:
    data = encode(b"SET", b"key", b"text") + encode(b"INCR", b"key")
    with Connection(shared_server.port) as connection, pytest.raises(ReplyError, match="integer"):
        connection.pour([(data, 2)])


def test_info_gives_fields(shared_server: Server) -> None:
    with Connection(shared_server.port) as connection:
        assert int(connection.info("memory")["used_memory"]) > 0
