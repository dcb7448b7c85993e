"""Commands over several workers: the replies of one server, in the order of the requests."""

import pytest

from tests.harness.resp import encode, parse
from tests.workers.fleet import Client, Fleet


@pytest.fixture
def client(fleet: Fleet) -> Client:
    return Client(fleet, 0)


def test_slots_are_those_of_redis_cluster(fleet: Fleet) -> None:
    # CLUSTER KEYSLOT of a real server: foo 12182, {user1000}.following 3443, empty tag is no tag
    assert fleet.owner("foo") == 12182 * 3 // 16384
    assert fleet.owner("{user1000}.following") == fleet.owner("user1000") == 3443 * 3 // 16384
    assert fleet.owner("a{b}c{d}") == fleet.owner("b")
    assert fleet.owner("{}x") == 10595 * 3 // 16384


def test_each_key_is_kept_by_its_owner(fleet: Fleet, client: Client) -> None:
    keys = fleet.owned_by_each()
    for key in keys:
        assert client.call("SET", key, f"v-{key}") == b"+OK\r\n"
    for worker, key in enumerate(keys):
        assert fleet.own_keys(worker) == [key.encode()]
        assert Client(fleet, worker).call("GET", key) == b"$6\r\nv-%b\r\n" % key.encode()


def test_replies_keep_the_order_of_a_pipeline(fleet: Fleet, client: Client) -> None:
    keys = fleet.keys(0, 3) + fleet.keys(1, 3) + fleet.keys(2, 3)
    order = [keys[i * 5 % 9] for i in range(200)]
    client.feed(b"".join(encode("APPEND", key, "x") for key in order))
    fleet.settle()
    counts = dict.fromkeys(keys, 0)
    expected = b""
    for key in order:
        counts[key] += 1
        expected += b":%d\r\n" % counts[key]
    assert client.take() == expected


def test_errors_of_the_owner_come_back(fleet: Fleet, client: Client) -> None:
    key = fleet.keys(2, 1)[0]
    client.call("LPUSH", key, "x")
    assert client.call("INCR", key).startswith(b"-WRONGTYPE")
    assert client.call("MSET", key).startswith(b"-ERR wrong number of arguments for 'mset'")
    assert client.call("MSET", key, 1, "b").startswith(b"-ERR wrong number")


@pytest.mark.parametrize("size", [0, 1, 65_000, 70_000, 262_144, 5_000_000])
def test_values_of_any_size_go_through_the_rings(fleet: Fleet, client: Client, size: int) -> None:
    keys = fleet.owned_by_each()
    value = bytes(range(256)) * (size // 256 + 1)
    for key in keys:
        assert client.call("SET", key, value[:size]) == b"+OK\r\n"
    assert client.call("MGET", *keys) == encode(*[value[:size]] * 3)


def test_a_full_ring_delays_and_loses_nothing(fleet: Fleet, client: Client) -> None:
    key = fleet.keys(1, 1)[0]
    for _ in range(100):  # 10 MB towards a worker that does not run
        client.send("APPEND", key, b"x" * 100_000)
    fleet.settle()
    assert client.take() == b"".join(b":%d\r\n" % (i * 100_000) for i in range(1, 101))
    assert not client.waiting


def test_silent_clients_get_no_replies_of_others(fleet: Fleet, client: Client) -> None:
    from shmredis._core import lib

    key = fleet.keys(1, 1)[0]
    lib.session_set_flag(client.session, lib.SESSION_REPLY_OFF, True)
    client.send("SET", key, 1)
    client.send("MSET", *[word for name in fleet.owned_by_each("s") for word in (name, 1)])
    client.send("RENAME", key, fleet.keys(2, 1, "t")[0])
    fleet.settle()
    lib.session_set_flag(client.session, lib.SESSION_REPLY_OFF, False)
    assert client.take() == b""
    assert client.call("EXISTS", key, *fleet.owned_by_each("s")) == b":3\r\n"


def test_scan_visits_the_keys_of_all_workers_once(fleet: Fleet, client: Client) -> None:
    names = {f"name{i}".encode() for i in range(500)}
    for name in names:
        client.call("SET", name, 1)
    seen: list[bytes] = []
    cursor = b"0"
    while True:
        cursor, found = parse(client.call("SCAN", cursor, "COUNT", 7))
        seen += found
        if cursor == b"0":
            break
    assert sorted(seen) == sorted(names)
    assert set(parse(client.call("KEYS", "*"))) == names
    assert client.call("DBSIZE") == b":500\r\n"


def test_a_session_that_goes_leaves_its_replies_behind(fleet: Fleet) -> None:
    keys = fleet.owned_by_each()
    for _ in range(20):
        client = Client(fleet, 0)
        client.send("INCR", keys[1])
        client.send("MGET", *keys)
        client.send("RENAME", keys[1], keys[2])
        client.send("RENAME", keys[2], keys[1])
        client.close()
    fleet.settle()
    assert Client(fleet, 2).call("GET", keys[1]) == b"$2\r\n20\r\n"
