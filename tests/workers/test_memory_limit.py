"""maxmemory is one limit for all workers, however unevenly the keys lie."""

from collections.abc import Callable

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until
from tests.workers.places import key_of

Start = Callable[..., Server]
MB = 1 << 20
LIMIT = 48 * MB
SLACK = 2 * MB  # what may be written until the others have evicted their share
VALUE = b"v" * 1000


def used(client: Client) -> int:
    text = client.call("INFO", "memory").decode()
    return int(text.split("used_memory:")[1].split("\r\n")[0])


def evicted(client: Client) -> int:
    text = client.call("INFO", "stats").decode()
    return int(text.split("evicted_keys:")[1].split("\r\n")[0])


def tag_of(worker: int) -> str:
    return "{" + key_of(worker) + "}"


def fill(client: Client, worker: int, megabytes: int, *options: str) -> int:
    """Sets keys of the worker; how many of them were refused."""
    count, refused = megabytes * MB // 1100, 0
    for first in range(0, count, 500):
        keys = [f"{tag_of(worker)}{i}" for i in range(first, min(first + 500, count))]
        client.send(b"".join(encode("SET", key, VALUE, *options) for key in keys))
        replies = [client.read() for _ in keys]
        assert set(replies) <= {b"+OK\r\n", OOM}
        refused += replies.count(OOM)
    return refused


OOM = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"


def limited(start_server: Start, policy: str) -> Server:
    return start_server("--maxmemory", str(LIMIT), "--maxmemory-policy", policy, workers=3)


def keys_at(client: Client, worker: int) -> int:
    return client.call("KEYS", f"{tag_of(worker)}*").count(b"$")


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_all_keys_at_one_worker(start_server: Start, policy: str) -> None:
    with limited(start_server, policy).client() as client:
        assert fill(client, 1, 100) == 0
        wait_until(lambda: used(client) <= LIMIT)
        assert used(client) > LIMIT - 8 * MB
        assert evicted(client) > 40 * MB // 1100
        assert keys_at(client, 1) == int(client.call("DBSIZE")[1:])


def test_cold_keys_of_one_worker_go_when_another_is_written(start_server: Start) -> None:
    with limited(start_server, "allkeys-lru").client() as client:
        assert fill(client, 0, 40) == 0
        cold = keys_at(client, 0)
        assert fill(client, 2, 40) == 0
        assert used(client) <= LIMIT + SLACK
        wait_until(lambda: used(client) <= LIMIT)
        assert keys_at(client, 0) < cold  # how many depends on who gets the CPU
        assert keys_at(client, 2) > 0


def test_a_lower_limit_is_obeyed_without_a_write(start_server: Start) -> None:
    with limited(start_server, "allkeys-lru").client() as client:
        for worker in range(3):
            assert fill(client, worker, 12) == 0
        assert client.call("CONFIG", "SET", "maxmemory", str(LIMIT // 2)) == b"+OK\r\n"
        wait_until(lambda: used(client) <= LIMIT // 2)
        assert all(keys_at(client, worker) for worker in range(3))


def test_without_eviction_every_worker_refuses(start_server: Start) -> None:
    with limited(start_server, "noeviction").client() as client:
        assert fill(client, 0, 100) > 0
        assert used(client) <= LIMIT + SLACK
        for key in [key_of(worker) for worker in range(3)]:
            wait_until(lambda key=key: client.call("SET", key, "x") == OOM)  # type: ignore[misc]
            assert client.call("GET", key).startswith(b"$")
        assert client.call("MSET", *[word for w in range(3) for word in (key_of(w), "x")]) == OOM
        assert client.call("FLUSHALL") == b"+OK\r\n"
        wait_until(lambda: client.call("SET", key_of(1), "x") == b"+OK\r\n")


def test_volatile_keys_of_another_worker_make_room(start_server: Start) -> None:
    with limited(start_server, "volatile-ttl").client() as client:
        assert fill(client, 0, 30, "EX", "1000") == 0
        assert fill(client, 1, 30) == 0
        assert used(client) <= LIMIT + SLACK
        assert fill(client, 1, 100) > 0  # when none of them is left
        wait_until(lambda: keys_at(client, 0) == 0)
        wait_until(lambda: client.call("SET", key_of(2), "x") == OOM)
