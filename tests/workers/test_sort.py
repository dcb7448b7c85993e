"""SORT with patterns whose keys are at several workers: the whole answer, or an error."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.harness.resp import Client
from tests.harness.server import running
from tests.workers.places import connect_to, key_of

DENIED = (
    b"-ERR %b option of SORT denied in cluster mode when keys formed by the pattern may be in "
    b"different slots.\r\n"
)


@pytest.fixture(scope="module")
def clients() -> Iterator[list[Client]]:
    with running(workers=3) as server, ExitStack() as stack:
        yield [stack.enter_context(connect_to(server, worker)) for worker in range(3)]


@pytest.fixture
def numbers(clients: list[Client]) -> str:
    """The key of a list with an element for each of many weights, whichever worker has them."""
    clients[0].call("FLUSHALL")
    clients[0].call("RPUSH", "list", *range(20))
    clients[0].call("MSET", *[word for i in range(20) for word in (f"weight{i}", 20 - i)])
    return "list"


@pytest.mark.parametrize("worker", range(3))
@pytest.mark.parametrize("option", ["BY", "GET"])
def test_a_pattern_that_leads_to_another_worker_is_an_error(
    clients: list[Client], numbers: str, worker: int, option: str
) -> None:
    for command in (["SORT", numbers], ["SORT_RO", numbers]):
        reply = clients[worker].call(*command, option, "weight*")
        assert reply == DENIED % option.encode()


@pytest.mark.parametrize("worker", range(3))
def test_what_is_refused_leaves_the_target_as_it_was(
    clients: list[Client], numbers: str, worker: int
) -> None:
    target = key_of(worker, prefix="target")
    clients[worker].call("SET", target, "before")
    reply = clients[worker].call("SORT", numbers, "GET", "weight*", "STORE", target)
    assert reply == DENIED % b"GET"
    assert clients[worker].value("GET", target) == b"before"


@pytest.mark.parametrize("worker", range(3))
def test_hash_tags_keep_the_keys_together(clients: list[Client], worker: int) -> None:
    client = clients[worker]
    client.call("FLUSHALL")
    client.call("RPUSH", "{t}list", 1, 2, 3)
    client.call("MSET", "{t}w1", 3, "{t}w2", 1, "{t}w3", 2)
    assert client.value("SORT", "{t}list", "BY", "{t}w*", "GET", "#") == [b"2", b"3", b"1"]


@pytest.mark.parametrize("worker", range(3))
def test_the_target_may_be_at_any_worker(clients: list[Client], numbers: str, worker: int) -> None:
    target = key_of(worker, prefix="target")
    assert clients[0].value("SORT", numbers, "DESC", "LIMIT", 0, 2, "STORE", target) == 2
    assert clients[worker].value("LRANGE", target, 0, -1) == [b"19", b"18"]
