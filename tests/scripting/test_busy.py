"""Scripts that run for long on one worker: who is served meanwhile, and who ends them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.harness.server import Server, running, wait_until

BUSY = b"-BUSY Redis is busy running a script. You can only call %b KILL or SHUTDOWN NOSAVE.\r\n"
ENDLESS = {
    "a loop": "while true do end",
    "one that catches everything": "while true do pcall(function() while true do end end) end",
    "in a coroutine": "local function f() while true do end end while true do coroutine.wrap(f)() end",
    "of commands": "while true do redis.pcall('GET', 'x') end",
    "in a handler of errors": "xpcall(error, function() while true do end end)",
    "in a metamethod": "return setmetatable({}, {__index = function() while true do end end}).x",
    "while sorting": "table.sort({3, 1, 2}, function() while true do end end)",
    "while replacing": "return ('x'):gsub('x', function() while true do end end)",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running("--busy-reply-threshold", "30") as server:
        yield server


@contextmanager
def background(server: Server, *words: str) -> Iterator[list[bytes]]:
    """A command of somebody else; its reply is in the list at the end."""
    replies: list[bytes] = []

    def ask() -> None:
        with suppress(OSError), server.client(timeout=15) as client:
            replies.append(client.call(*words))

    thread = threading.Thread(target=ask)
    thread.start()
    with server.client() as client:
        wait_until(lambda: client.call("GET", "x").startswith(b"-BUSY"))
    yield replies
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("what", ENDLESS)
def test_every_loop_can_be_ended(server: Server, what: str) -> None:
    with background(server, "EVAL", ENDLESS[what], "0") as replies, server.client() as client:
        assert client.call("SCRIPT", "KILL") == b"+OK\r\n"
    assert replies[0].startswith(b"-ERR Script killed by user with SCRIPT KILL... script: ")
    with server.client() as client:
        assert client.call("EVAL", "return 1", "0") == b":1\r\n"
        assert client.call("SCRIPT", "KILL").startswith(b"-NOTBUSY")


def test_what_may_run_meanwhile(server: Server) -> None:
    with background(server, "EVAL", "while true do end", "0"), server.client() as client:
        assert client.call("SET", "a", "1") == BUSY % b"SCRIPT"
        assert client.call("FUNCTION", "KILL") == BUSY % b"SCRIPT"
        assert client.call("SHUTDOWN") == BUSY % b"SCRIPT"
        assert client.call("HELLO", "3").startswith(b"%")
        assert client.call("MULTI") == b"+OK\r\n"
        assert client.call("PING") == BUSY % b"SCRIPT"
        assert client.call("DISCARD") == b"+OK\r\n"
        assert client.call("NOPE").startswith(b"-ERR unknown command")
        with server.client() as late:  # connections are accepted, too
            assert late.call("SCRIPT", "KILL") == b"+OK\r\n"


def test_one_that_has_written_is_not_ended(server: Server) -> None:
    script = "redis.call('INCR', 'w') while redis.call('TIME')[1] < ARGV[1] do end return 'done'"
    with server.client() as client:
        end = str(int(client.value("TIME")[0]) + 2)
    with background(server, "EVAL", script, "0", end) as replies, server.client() as client:
        assert client.call("SCRIPT", "KILL").startswith(b"-UNKILLABLE")
    assert replies == [b"$4\r\ndone\r\n"]


def test_a_function_is_ended_by_its_own_command(server: Server) -> None:
    code = "#!lua name=l\nredis.register_function('f', function() while true do end end)"
    with server.client() as client:
        client.call("FUNCTION", "LOAD", "REPLACE", code)
    with background(server, "FCALL", "f", "0") as replies, server.client() as client:
        assert client.call("SCRIPT", "KILL") == BUSY % b"FUNCTION"
        stats = client.value("FUNCTION", "STATS")
        assert stats[1][1] == b"f"
        assert stats[1][3] == [b"FCALL", b"f", b"0"]
        assert client.call("FUNCTION", "KILL") == b"+OK\r\n"
    assert replies[0].startswith(
        b"-ERR Script killed by user with SCRIPT KILL... script: f, on @user_function:2"
    )


def test_clients_come_and_go_while_it_runs(server: Server) -> None:
    """Sockets that were ready in the round in which the script began may be gone at its end."""
    many = [server.client() for _ in range(20)]
    with background(server, "EVAL", "while true do end", "0"):
        for client in many[:10]:
            client.send(b"*1\r\n$4\r\nPING\r\n")
            client.close()
        for client in many[10:]:
            assert client.call("GET", "x") == BUSY % b"SCRIPT"
        many[10].call("SCRIPT", "KILL")
    for client in many[10:]:
        assert client.call("PING") == b"+PONG\r\n"
        client.close()


def test_shutdown_without_saving_ends_it() -> None:
    with running("--busy-reply-threshold", "30") as server:
        script = "redis.call('SET', 'x', 1) while true do end"
        with background(server, "EVAL", script, "0"), server.client() as client:
            client.send(b"*2\r\n$8\r\nSHUTDOWN\r\n$6\r\nNOSAVE\r\n")
            server.process.wait(60)
