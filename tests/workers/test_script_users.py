"""A script that runs at another worker than its client's is checked as the client's user."""

from collections.abc import Iterator
from typing import Any

import pytest

from shmredis._core import ffi, lib
from shmredis.commands import inside as _inside  # noqa: F401 (lib.python_inside calls it)
from shmredis.commands.resp import encode_request
from tests.workers.fleet import Client, Fleet, new_fleet

KEY_RW = 2 | 16 | 32  # enum key_flag of csrc/cmd/command.h
NUMBER = 7
REFUSED = b"-ERR ACL failure in script: No permissions to access a key\r\n"


class Scripts:
    """DOIT key …: the keys are read, as a script would; where that was is remembered."""

    def __init__(self, fleet: Fleet) -> None:
        self.ran = 0
        self.fleet = fleet
        spec = ffi.new("struct key_spec_info[3]")
        spec[0].flags, spec[0].begin, spec[0].find = KEY_RW, b"i", b"r"
        spec[0].at, spec[0].a, spec[0].b = 1, 0, 1
        self._self = ffi.new_handle(self)
        for engine in fleet.engines:
            lib.engine_register_command(
                engine, b"DOIT", b"scripting", -2, int(lib.COMMAND_INSIDE) | 1, b"", spec
            )
            lib.engine_set_inside(engine, lib.python_inside, self._self)

    def execute(self, call: Any, _row: int, _resp: int, _argv: list[bytes] | None) -> None:
        facts, text = ffi.new("struct call_facts *"), ffi.new("struct text *")
        lib.call_facts(call, facts)
        keys = [ffi.buffer(facts.argv[i].p, facts.argv[i].n)[:] for i in range(1, facts.argc)]
        self.ran += 1
        lib.call_set_limits(call, lib.CALL_SCRIPT)
        replies = b""
        for key in keys:
            request = encode_request([b"GET", key])
            lib.call_run(call, request, len(request), text)
            replies += ffi.buffer(text.p, text.n)[:]
        reply = b"*%d\r\n" % len(keys) + replies
        lib.call_reply(call, reply, len(reply))


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with new_fleet(3) as fleet:
        scripts = Scripts(fleet)
        yield fleet
        assert scripts.ran


def users(fleet: Fleet, pattern: bytes) -> list[Any]:
    """A user of the same number in each worker, who may run everything on such keys."""
    made = []
    for engine in fleet.engines:
        user = ffi.gc(lib.acl_user_new(b"ann", 3), lib.acl_user_release)
        lib.acl_user_define(user, False, False, 1)
        lib.acl_user_commands(user, 0, [(1 << 64) - 1] * 16, 16)
        lib.acl_user_key(user, 0, lib.ACL_READ | lib.ACL_WRITE, pattern, len(pattern))
        lib.engine_know_user(engine, user, NUMBER)
        made.append(user)
    return made


def test_it_may_do_there_what_its_user_may(fleet: Fleet) -> None:
    made = users(fleet, b"k*")
    client = Client(fleet, 0)
    lib.session_set_user(client.session, made[0])
    for worker in range(3):
        key, other = fleet.keys(worker, 1, "k")[0], fleet.keys(worker, 1, "x")[0]
        assert client.call("SET", key, "v") == b"+OK\r\n"
        assert client.call("DOIT", key, key) == b"*2\r\n$1\r\nv\r\n$1\r\nv\r\n"
        assert client.call("DOIT", key, other) == b"*2\r\n$1\r\nv\r\n" + REFUSED
    client.close()


def test_in_a_transaction_too(fleet: Fleet) -> None:
    made = users(fleet, b"k*")
    client = Client(fleet, 0)
    lib.session_set_user(client.session, made[0])
    keys = [fleet.keys(worker, 1, "k")[0] for worker in range(3)]
    client.call("MULTI")
    for key in keys:
        client.call("SET", key, "v")
        client.call("DOIT", key, "x")
    done = b"*2\r\n$1\r\nv\r\n" + REFUSED
    assert client.call("EXEC") == b"*6\r\n" + (b"+OK\r\n" + done) * 3
    client.close()


def test_somebody_whom_a_worker_does_not_know_may_do_nothing(fleet: Fleet) -> None:
    made = users(fleet, b"k*")
    client = Client(fleet, 0)
    lib.session_set_user(client.session, made[0])
    lib.engine_forget_user(fleet.engines[1], made[1])
    key = fleet.keys(1, 1, "k")[0]
    reply = client.call("DOIT", key)
    assert b"ERR ACL failure in script: User  has no permissions to run the 'get' command" in reply
    client.close()


def test_free_users_are_not_looked_at(fleet: Fleet) -> None:
    client = Client(fleet, 0)
    for worker in range(3):
        key, other = fleet.keys(worker, 1, "k")[0], fleet.keys(worker, 1, "x")[0]
        assert client.call("DOIT", key, other) == b"*2\r\n$-1\r\n$-1\r\n"
    client.close()
