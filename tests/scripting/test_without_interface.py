"""Scripts where the library of Lua hides its interface: all goes by Python, and nobody sees a difference."""

from collections.abc import Iterator

import pytest

from shmredis.scripting import Scripting
from tests.commands.python_commands import FakeClient, FakeServer
from tests.harness.cases import Case, equal, load_cases, load_replies

ABOUT_THE_SERVER = ("config", "debug", "info", "acl")


@pytest.fixture(scope="module")
def client() -> Iterator[FakeClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scripting, "_attach", lambda _self, _thread: False)
        server = FakeServer()
        client = server.connect()
        client.call("EVAL", "return 1", "0")
    yield client
    client.close()
    server.close()


CASES = [
    case
    for case in load_cases("scripting")
    if not any(word in step.line for step in case.steps for word in ABOUT_THE_SERVER)
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_replies_are_those_of_redis(client: FakeClient, case: Case) -> None:
    client.call("FLUSHALL")
    client.call("SELECT", "0")
    for step, theirs in zip(case.steps, load_replies("scripting", 2)[case.name], strict=True):
        assert equal(step, client.call(*step.words), theirs), step.line


def test_the_core_has_the_interface_here() -> None:
    """Else the other tests would try the same as these."""
    server = FakeServer()
    client = server.connect()
    assert client.call("EVAL", "return tostring(cjson.null)", "0") == b"$15\r\nuserdata: (nil)\r\n"
    client.close()
    server.close()
