"""Scripts when more than maxmemory is in use; what was recorded of Redis 8.10.2."""

from collections.abc import Iterator

import pytest

from tests.harness.resp import Client
from tests.harness.server import Server

LINE = b"OOM command not allowed when used memory > 'maxmemory'."
SET = "return redis.call('SET', 'a', 'b')"


@pytest.fixture
def client(shared_server: Server) -> Iterator[Client]:
    """At a server without memory."""
    with shared_server.client() as client:
        client.call("FLUSHALL")
        client.call("CONFIG", "SET", "maxmemory", "1")
        yield client
        client.call("CONFIG", "SET", "maxmemory", "0")
        client.call("FUNCTION", "FLUSH")


def test_only_what_needs_memory_is_refused(client: Client) -> None:
    assert client.call("EVAL", SET, 0).startswith(b"-" + LINE + b" script: ")
    assert client.call("EVAL", "return 1", 0) == b":1\r\n"
    assert client.call("EVAL", "return redis.call('DEL', 'a')", 0) == b":0\r\n"


def test_a_script_with_flags_is_refused_before_it_begins(client: Client) -> None:
    assert client.call("EVAL", "#!lua\nreturn 1", 0) == b"-" + LINE + b"\r\n"
    assert client.call("EVAL", "#!lua flags=no-writes\nreturn 1", 0) == b":1\r\n"
    assert client.call("EVAL", f"#!lua flags=allow-oom\n{SET}", 0) == b"+OK\r\n"


def test_one_that_has_written_is_not_stopped_half_way(client: Client) -> None:
    client.call("EVAL", f"#!lua flags=allow-oom\n{SET}", 1, "a")
    script = "redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], 'c')"
    assert client.call("EVAL", script, 1, "a") == b"+OK\r\n"


def test_libraries_need_memory(client: Client) -> None:
    code = "#!lua name=l\nredis.register_function('f', function() return 1 end)"
    assert client.call("FUNCTION", "LOAD", code) == b"-" + LINE + b"\r\n"
