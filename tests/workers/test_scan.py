"""One call of SCAN over the keys of several workers: it goes on at the next while it has room."""

from collections.abc import Iterator

import pytest

from shmredis._core import lib
from tests.harness.resp import Client, encode, parse
from tests.harness.server import Server
from tests.workers.fleet import Client as FleetClient, Fleet, new_fleet
from tests.workers.places import connect_to, key_of

EMPTY = b"*2\r\n$1\r\n0\r\n*0\r\n"


def page_of(client: FleetClient, *words: object) -> tuple[bytes, set[bytes]]:
    cursor, found = parse(client.call("SCAN", *words))
    assert len(set(found)) == len(found)
    return cursor, set(found)


def fill(client: FleetClient, keys: list[str], value: str = "v") -> set[bytes]:
    for key in keys:
        client.call("SET", key, value)
    return {key.encode() for key in keys}


def publish_figures(fleet: Fleet) -> None:
    """What each worker's cron does ten times a second."""
    for engine in fleet.engines:
        lib.engine_cron(engine, 1000)


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
@pytest.mark.parametrize("resp", [2, 3])
def test_a_small_database_takes_one_call(workers: int, resp: int) -> None:
    with new_fleet(workers) as fleet:
        clients = [FleetClient(fleet, worker, resp) for worker in range(workers)]
        assert clients[0].call("SCAN", 0) == EMPTY
        names = fill(clients[0], [f"n{i}" for i in range(9)])
        publish_figures(fleet)
        for client in clients:
            assert page_of(client, 0) == (b"0", names)
            assert page_of(client, 0, "COUNT", 9) == (b"0", names)


@pytest.mark.parametrize("shares", [(10, 0, 0), (0, 10, 0), (0, 0, 10), (3, 3, 4), (9, 0, 1)])
def test_as_many_keys_as_are_asked_for_take_one_call(
    fleet: Fleet, shares: tuple[int, int, int]
) -> None:
    client = FleetClient(fleet, 1)
    keys = [key for worker, n in enumerate(shares) for key in fleet.keys(worker, n)]
    names = fill(client, keys)
    publish_figures(fleet)
    assert page_of(client, 0, "COUNT", 10) == (b"0", names)


def test_large_databases_take_a_call_more_for_each_worker_at_most(fleet: Fleet) -> None:
    names = fill(FleetClient(fleet, 0), [f"n{i}" for i in range(600)])
    publish_figures(fleet)
    for worker in range(3):
        client, cursor, calls, found = FleetClient(fleet, worker), b"0", 0, set()
        while calls == 0 or cursor != b"0":
            cursor, page = page_of(client, cursor, "COUNT", 20)
            assert len(page) < 100
            assert not page & found
            found |= page
            calls += 1
        assert found == names
        assert calls <= 600 // 20 + 3


def test_only_what_matches_is_found_in_one_call(fleet: Fleet) -> None:
    client = FleetClient(fleet, 2)
    fill(client, [f"n{i}" for i in range(6)])
    client.call("RPUSH", "nlist", "a")
    assert page_of(client, 0, "MATCH", "n?") == (b"0", {b"n%d" % i for i in range(6)})
    assert page_of(client, 0, "TYPE", "list") == (b"0", {b"nlist"})
    assert page_of(client, 0, "TYPE", "list", "COUNT", 10, "MATCH", "x*") == (b"0", set())
    assert page_of(client, 0, "MATCH", "COUNT", "COUNT", 7) == (b"0", set())


def test_the_last_count_counts(fleet: Fleet) -> None:
    client = FleetClient(fleet, 0)
    names = fill(client, [f"n{i}" for i in range(60)])
    assert page_of(client, 0, "COUNT", 1, "COUNT", 60) == (b"0", names)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((0, "COUNT", 0), b"-ERR syntax error"),
        ((0, "COUNT", "x"), b"-ERR value is not an integer or out of range"),
        ((0, "MATCH"), b"-ERR syntax error"),
        (("x",), b"-ERR invalid cursor"),
        ((2 << 32, "LIMIT", 1), b"-ERR syntax error"),
    ],
)
def test_errors_end_the_call(fleet: Fleet, words: tuple[object, ...], error: bytes) -> None:
    for worker in range(3):
        assert FleetClient(fleet, worker).call("SCAN", *words) == error + b"\r\n"


def test_what_a_client_sends_behind_it_comes_after_it(fleet: Fleet) -> None:
    client = FleetClient(fleet, 0)
    names = fill(client, fleet.owned_by_each())
    client.feed(encode("SCAN", 0) + encode("FLUSHALL") + encode("SCAN", 0))
    fleet.settle()
    first, rest = client.take().split(b"+OK\r\n")
    assert set(parse(first)[1]) == names
    assert rest == EMPTY


def test_silence_is_kept(fleet: Fleet) -> None:
    client = FleetClient(fleet, 0)
    lib.session_set_flag(client.session, lib.SESSION_REPLY_OFF, True)
    client.send("SCAN", 0)
    fleet.settle()
    lib.session_set_flag(client.session, lib.SESSION_REPLY_OFF, False)
    assert client.take() == b""
    assert client.call("SCAN", 0) == EMPTY


def test_a_client_may_leave_in_its_midst(fleet: Fleet) -> None:
    fill(FleetClient(fleet, 0), fleet.owned_by_each())
    for steps in range(4):
        client = FleetClient(fleet, 0)
        client.send("SCAN", 0)
        for worker in (0, 1, 0, 2)[:steps]:
            fleet.drain(worker)
        client.close()
        fleet.settle()
    assert len(page_of(FleetClient(fleet, 0), 0)[1]) == 3


def test_a_worker_may_die_in_its_midst(fleet: Fleet) -> None:
    """It is executed by who comes back, or ends with an error; the client goes on in any case."""
    client = FleetClient(fleet, 0)
    fill(client, [fleet.keys(0, 1)[0], fleet.keys(2, 1)[0]])
    for dead in (1, 2):
        client.send("SCAN", 0)
        fleet.kill(dead)
        fleet.revive(dead)
        fleet.settle()
        assert client.take()[:1] in b"*-"
        assert client.call("SCAN", 0)[:1] == b"*"


def test_it_waits_for_workers_that_are_held(fleet: Fleet) -> None:
    """A crossed command and calls of SCAN, in every order of their workers' turns."""
    client, other = FleetClient(fleet, 0), FleetClient(fleet, 2)
    keys = fleet.owned_by_each()
    fill(client, keys)
    for first in range(3):
        for second in range(3):
            other.send("RENAME", keys[1], keys[1] + "x")
            fleet.drain(first)
            client.send("SCAN", 0)
            fleet.drain(second)
            fleet.settle()
            assert other.take() == b"+OK\r\n"
            assert len(parse(client.take())[1]) == 3
            other.call("RENAME", keys[1] + "x", keys[1])


@pytest.fixture
def client(trio: Server) -> Iterator[Client]:
    with connect_to(trio, 1) as client:
        client.call("FLUSHALL")
        for worker in range(3):
            client.call("SET", key_of(worker), "v")
        yield client


NAMES = sorted(key_of(worker).encode() for worker in range(3))


def test_transactions_and_scripts_see_small_databases_whole(client: Client) -> None:
    client.call("MULTI")
    client.call("SET", key_of(0), "w")
    client.call("SCAN", 0)
    client.call("DEL", key_of(2))
    client.call("SCAN", 0)
    client.call("SCAN", 0, "COUNT", "x")
    ok, before, one, after, error = client.value("EXEC")
    assert (ok, one) == ("OK", 1)
    assert (before[0], sorted(before[1])) == (b"0", NAMES)
    assert (after[0], sorted(after[1])) == (b"0", [n for n in NAMES if n != key_of(2).encode()])
    assert "not an integer" in str(error)
    script = "redis.call('SET', KEYS[1], 'v'); return redis.call('SCAN', '0', 'COUNT', 3)"
    cursor, found = client.value("EVAL", script, 1, key_of(2))
    assert (cursor, sorted(found)) == (b"0", NAMES)


def test_it_counts_as_one_command(client: Client) -> None:
    client.call("CONFIG", "RESETSTAT")
    client.call("SCAN", 0)
    client.call("SCAN", 0, "COUNT", "x")
    client.call("MULTI")
    client.call("SCAN", 0)
    client.call("EXEC")
    stats = client.value("INFO", "commandstats").decode()
    line = next(line for line in stats.split("\r\n") if line.startswith("cmdstat_scan:"))
    assert "calls=3," in line
    assert line.endswith("failed_calls=1")


def test_the_slow_log_has_it_as_it_was_sent(client: Client) -> None:
    client.call("SLOWLOG", "RESET")
    client.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
    client.call("SCAN", 0, "MATCH", "*")
    client.call("CONFIG", "SET", "slowlog-log-slower-than", -1)
    entries = client.value("SLOWLOG", "GET", -1)
    scans = [entry[3] for entry in entries if entry[3][0] == b"SCAN"]
    assert scans == [[b"SCAN", b"0", b"MATCH", b"*"]]
