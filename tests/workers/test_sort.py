"""SORT with patterns whose keys are at several workers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.harness.resp import Client
from tests.harness.server import Server, running
from tests.workers.places import connect_to, key_of


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
def test_patterns_lead_to_keys_of_any_worker(
    clients: list[Client], numbers: str, worker: int
) -> None:
    client = clients[worker]
    ordered = [b"%d" % i for i in range(19, -1, -1)]
    for command in (["SORT", numbers], ["SORT_RO", numbers]):
        assert client.value(*command, "BY", "weight*") == ordered
        weights = client.value(*command, "GET", "weight*", "GET", "#", "GET", "none*")
        assert weights == [word for i in range(20) for word in (b"%d" % (20 - i), b"%d" % i, None)]
    assert client.value("DBSIZE") == 21  # no copy has stayed anywhere


@pytest.mark.parametrize("worker", range(3))
def test_fields_of_hashes_of_any_worker(clients: list[Client], worker: int) -> None:
    clients[0].call("FLUSHALL")
    for i in range(9):
        clients[0].call("HSET", f"h{i}", "w", 9 - i, "long", str(i) * 100)
    clients[0].call("RPUSH", "list", *range(9))
    words = ["SORT", "list", "BY", "h*->w", "GET", "h*->long", "LIMIT", "0", "2"]
    assert clients[worker].value(*words) == [b"8" * 100, b"7" * 100]


@pytest.mark.parametrize("worker", range(3))
def test_results_with_foreign_values_are_stored(
    clients: list[Client], numbers: str, worker: int
) -> None:
    target = key_of(worker, prefix="target")
    clients[worker].call("SET", target, "before")
    words = ["SORT", numbers, "GET", "weight*", "STORE", target]
    assert clients[worker].value(*words) == 20
    assert clients[0].value("LRANGE", target, 0, 2) == [b"20", b"19", b"18"]


def test_in_transactions_and_scripts(clients: list[Client], numbers: str) -> None:
    client = clients[1]
    client.call("MULTI")
    client.call("SET", "weight19", "100")
    client.call("SORT", numbers, "BY", "weight*", "DESC", "LIMIT", "0", "1")
    assert client.value("EXEC") == ["OK", [b"19"]]
    script = "return redis.call('SORT', KEYS[1], 'BY', 'weight*', 'DESC', 'LIMIT', 0, 1)"
    assert client.value("EVAL", script, "1", numbers) == [b"19"]


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


def test_keys_of_workers_that_write_a_snapshot(start_server: Callable[..., Server]) -> None:
    """They send what they have now: what the snapshot shows is older."""
    server = start_server("--rdb-key-save-delay", "2000000", "--rdbcompression", "no", workers=3)
    big = "x" * 300_000  # more than a ring takes
    with connect_to(server, 0) as client:
        client.call("RPUSH", "list", *range(20))
        client.call("MSET", *[word for i in range(20) for word in (f"weight{i}", i)])
        assert client.value("BGSAVE") == "Background saving started"
        client.call("MSET", *[word for i in range(20) for word in (f"weight{i}", 20 - i)])
        client.call("MSET", *[word for i in range(3) for word in (f"big{i}", big)])
        ordered = [b"%d" % i for i in range(19, -1, -1)]
        script = "local n = 0 for i = 0, 19 do n = n + redis.call('INCRBY', 'weight' .. i, 100) end return n"
        for worker in range(3):
            with connect_to(server, worker) as other:
                assert other.value("SORT", "list", "BY", "weight*") == ordered
                weights = other.value("SORT", "list", "GET", "weight*", "LIMIT", 0, 2)
                assert weights == [b"%d" % (20 + 100 * worker), b"%d" % (19 + 100 * worker)]
                assert (
                    other.value("SORT", "list", "GET", "big*", "LIMIT", 0, 3) == [big.encode()] * 3
                )
                assert other.value("EVAL", script, "0") == 210 + 2000 * (worker + 1)
        assert b"rdb_bgsave_in_progress:1" in client.value("INFO", "persistence")
        assert client.value("DBSIZE") == 24
