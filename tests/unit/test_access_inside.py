"""What scripts run is checked as the user whose script it is: csrc/net/access.c."""

from collections.abc import Iterator
from typing import Any

import pytest

from shmredis._core import ffi, lib
from shmredis.commands.resp import encode_request
from tests.unit.engines import Engine
from tests.unit.test_inside import Runner, run


@pytest.fixture
def runner(engine: Engine) -> Runner:
    return Runner(engine)


@pytest.fixture
def restricted(engine: Engine) -> Iterator[None]:
    """The engine's session is a user who may run DOIT, GET and SORT, and read r* and all of k*."""
    user = ffi.gc(lib.acl_user_new(b"ann", 3), lib.acl_user_release)
    lib.acl_user_define(user, False, False, 1)
    rows = (b"doit", b"get", b"set", b"sort")
    bits = sum(1 << lib.engine_find_command(engine.handle, name, len(name)) for name in rows)
    words = [bits >> 64 * i & (1 << 64) - 1 for i in range(16)]
    lib.acl_user_commands(user, 0, words, len(words))
    lib.acl_user_key(user, 0, lib.ACL_READ, b"r*", 2)
    lib.acl_user_key(user, 0, lib.ACL_READ | lib.ACL_WRITE, b"k*", 2)
    lib.session_set_user(engine.session.handle, user)
    yield
    lib.session_set_user(engine.session.handle, ffi.NULL)


def as_script(call: Any, *words: bytes) -> bytes:
    lib.call_set_limits(call, lib.CALL_SCRIPT)
    return run(call, *words)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (b"GET r1", None),
        (b"SET k1 v", None),
        (b"SET r1 v", "No permissions to access a key"),
        (b"GET x", "No permissions to access a key"),
        (b"INCR k1", "User ann has no permissions to run the 'incr' command"),
    ],
)
def test_a_script_may_do_what_its_user_may(
    engine: Engine, runner: Runner, restricted: None, words: bytes, error: str | None
) -> None:
    replies: list[bytes] = []
    runner.script = lambda call: replies.append(as_script(call, *words.split())) or b"+OK\r\n"
    engine.call("DOIT", "k")
    if error:
        assert replies == [b"-ERR ACL failure in script: %b\r\n" % error.encode()]
    else:
        assert not replies[0].startswith(b"-")


def test_sort_may_not_read_other_keys_from_a_script(
    engine: Engine, runner: Runner, restricted: None
) -> None:
    runner.script = lambda call: as_script(call, b"SORT", b"k1", b"BY", b"x*")
    error = engine.call("DOIT", "k")
    assert str(error) == "ERR BY option of SORT denied due to insufficient ACL permissions."


def test_a_script_can_ask_first(engine: Engine, runner: Runner, restricted: None) -> None:
    answers: list[int] = []

    def script(call: Any) -> bytes:
        for words in (b"GET r1", b"SET r1 v", b"INCR k1", b"NOSUCH", b"GET"):
            request = encode_request(words.split())
            answers.append(lib.call_may(call, request, len(request)))
        return b"+OK\r\n"

    runner.script = script
    engine.call("DOIT", "k")
    assert answers == [1, 0, 0, -1, -2]
