"""Commands of Python that run inside the core: csrc/net/inside.c, by the engine's own interface."""

from collections.abc import Callable
from typing import Any

import pytest

from shmredis._core import ffi, lib
from shmredis.commands import inside as _inside  # noqa: F401 (lib.python_inside calls it)
from shmredis.commands.resp import encode_request
from tests.unit.engines import Engine

KEY_RW = 2 | 16 | 32  # enum key_flag of csrc/cmd/command.h
Script = Callable[[Any], bytes]


class Runner:
    """Stands in for commands.inside.Inside: one function is the whole command."""

    def __init__(self, engine: Engine) -> None:
        self.script: Script = lambda _call: b"+OK\r\n"
        spec = ffi.new("struct key_spec_info[3]")
        spec[0].flags, spec[0].begin, spec[0].find, spec[0].at, spec[0].b = KEY_RW, b"i", b"r", 1, 1
        flags = int(lib.COMMAND_INSIDE) | 1
        row = lib.engine_register_command(
            engine.handle, b"DOIT", b"scripting", -2, flags, b"", spec
        )
        assert row > 0
        self._self = ffi.new_handle(self)
        lib.engine_set_inside(engine.handle, lib.python_inside, self._self)

    def execute(self, call: Any, _row: int, _resp: int, _argv: list[bytes] | None) -> None:
        reply = self.script(call)
        lib.call_reply(call, reply, len(reply))


@pytest.fixture
def runner(engine: Engine) -> Runner:
    return Runner(engine)


def run(call: Any, *words: bytes) -> bytes:
    request, text = encode_request(words), ffi.new("struct text *")
    assert lib.call_run(call, request, len(request), text) == lib.CALL_DONE
    return ffi.buffer(text.p, text.n)[:]


def test_a_command_runs_others_and_replies(engine: Engine, runner: Runner) -> None:
    def twice(call: Any) -> bytes:
        run(call, b"INCR", b"n")
        return run(call, b"INCR", b"n")

    runner.script = twice
    assert engine.call("DOIT", "n") == 2
    assert engine.call("GET", "n") == b"2"


def test_what_it_changes_is_propagated_as_one(engine: Engine, runner: Runner) -> None:
    def two(call: Any) -> bytes:
        run(call, b"SET", b"a", b"1")
        run(call, b"SET", b"b", b"2")
        return b"+OK\r\n"

    runner.script = two
    engine.record()
    engine.call("DOIT", "a")
    recorded = [word for word in engine.take_recorded().split(b"\r\n") if word[:1] not in b"$*"]
    commands = [word for word in recorded if word in (b"MULTI", b"EXEC", b"SET", b"DOIT")]
    assert commands == [b"MULTI", b"SET", b"SET", b"EXEC"]


def test_limits_refuse_what_scripts_may_not_do(engine: Engine, runner: Runner) -> None:
    replies = []

    def refused(call: Any) -> bytes:
        lib.call_set_limits(call, lib.CALL_SCRIPT | lib.CALL_READ_ONLY)
        for words in ([b"SET", b"a", b"1"], [b"MULTI"], [b"NOPE"], [b"GET"]):
            replies.append(run(call, *words))
        return b"+OK\r\n"

    runner.script = refused
    engine.call("DOIT", "a")
    assert replies == [
        b"-ERR Write commands are not allowed from read-only scripts.\r\n",
        b"-ERR This Redis command is not allowed from script\r\n",
        b"-ERR Unknown Redis command called from script\r\n",
        b"-ERR Wrong number of args calling Redis command from script\r\n",
    ]
    assert not engine.call("EXISTS", "a")


def test_a_selected_database_is_the_commands_own(engine: Engine, runner: Runner) -> None:
    def elsewhere(call: Any) -> bytes:
        run(call, b"SELECT", b"3")
        return run(call, b"SET", b"a", b"1")

    runner.script = elsewhere
    engine.call("DOIT", "a")
    assert not engine.call("EXISTS", "a")
    engine.call("SELECT", "3")
    assert engine.call("EXISTS", "a") == 1


def test_it_may_call_itself_but_not_for_ever(engine: Engine, runner: Runner) -> None:
    depth = 0

    def deeper(call: Any) -> bytes:
        nonlocal depth
        depth += 1
        return run(call, b"DOIT", b"a")

    runner.script = deeper
    assert "nested too deeply" in str(engine.call("DOIT", "a"))
    assert depth == 4


def test_it_is_queued_by_multi_and_never_blocks(engine: Engine, runner: Runner) -> None:
    runner.script = lambda call: run(call, b"BLPOP", b"a", b"0")
    assert engine.call("DOIT", "a") is None
    engine.call("MULTI")
    engine.call("RPUSH", "a", "x")
    engine.call("DOIT", "a")
    assert engine.call("EXEC") == [1, [b"a", b"x"]]


def test_what_is_no_request_is_refused(engine: Engine, runner: Runner) -> None:
    text = ffi.new("struct text *")
    replies = []

    def garbage(call: Any) -> bytes:
        for data in (b"", b"GET a\r\n", b"*2\r\n$3\r\nGET\r\n", b"*1\r\n$-5\r\n"):
            assert lib.call_run(call, data, len(data), text) == lib.CALL_DONE
            replies.append(ffi.buffer(text.p, text.n)[:])
        return b"+OK\r\n"

    runner.script = garbage
    engine.call("DOIT", "a")
    assert replies == [b"-ERR Protocol error\r\n"] * 4
