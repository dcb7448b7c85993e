"""SCAN and RANDOMKEY over the keys of all workers."""

import random
import threading
from collections import Counter

from tests.harness.resp import encode
from tests.harness.server import Server
from tests.workers.fleet import Client as FleetClient, Fleet, new_fleet
from tests.workers.places import connect_to, key_of

WORKERS = 3


def test_scan_is_complete_while_others_write(trio: Server) -> None:
    """Keys that are there all the time are found, whatever tables grow and shrink meanwhile."""
    steady = {f"steady{i}".encode() for i in range(2000)}
    done = threading.Event()
    with connect_to(trio, 0) as client:
        client.call("FLUSHALL")
        client.send(b"".join(encode("SET", key, "v") for key in steady))
        assert [client.read() for _ in steady] == [b"+OK\r\n"] * len(steady)

    def write(number: int) -> None:
        rng = random.Random(number)
        with connect_to(trio, number) as writer:
            while not done.is_set():
                names = [f"passing{number}.{rng.randrange(20_000)}" for _ in range(500)]
                command = rng.choice(["SET", "SET", "DEL"])
                words = ["v"] if command == "SET" else []
                writer.send(b"".join(encode(command, name, *words) for name in names))
                for _ in names:
                    writer.read()

    writers = [threading.Thread(target=write, args=(i,)) for i in range(WORKERS)]
    for writer in writers:
        writer.start()
    try:
        for worker in range(WORKERS):
            with connect_to(trio, worker) as client:
                cursor, found = b"0", set()
                while not found or cursor != b"0":
                    cursor, page = client.value("SCAN", cursor, "COUNT", 50)
                    found |= set(page)
            assert steady <= found
            assert all(name.startswith((b"steady", b"passing")) for name in found)
    finally:
        done.set()
        for writer in writers:
            writer.join()


def test_a_cursor_may_be_used_at_any_worker(trio: Server) -> None:
    with connect_to(trio, 0) as client:
        client.call("FLUSHALL")
        names = {f"n{i}".encode() for i in range(300)}
        client.call("MSET", *[word for name in names for word in (name, "v")])
    clients = [connect_to(trio, worker) for worker in range(WORKERS)]
    cursor, found, turn = b"0", [], 0
    while turn == 0 or cursor != b"0":
        cursor, page = clients[turn % WORKERS].value("SCAN", cursor)
        found += page
        turn += 1
    assert sorted(found) == sorted(names)
    for bad in ("x", "-1", "99999999999999999999999"):
        assert clients[0].call("SCAN", bad) == b"-ERR invalid cursor\r\n"
    for unknown in (2**63, 77 << 32, 2**64 - 1):  # of no worker that there is
        assert clients[0].call("SCAN", unknown)[:1] == b"*"
    for client in clients:
        client.close()


def test_randomkey_finds_the_only_key_at_once(trio: Server) -> None:
    with connect_to(trio, 0) as client:
        for worker in range(WORKERS):
            for db in (0, 5):
                client.call("FLUSHALL")
                client.call("SELECT", 5)
                assert client.value("RANDOMKEY") is None
                client.call("SELECT", db)
                client.call("SET", key_of(worker), "v")
                assert client.value("RANDOMKEY") == key_of(worker).encode()
        client.call("SELECT", 0)


def test_randomkey_is_fair_over_uneven_workers() -> None:
    """One worker has 90 keys, one 9, one a single one: each key comes about as often."""
    with new_fleet(WORKERS) as fleet:
        client = FleetClient(fleet, 0)
        keys = [key for worker, n in enumerate((9, 90, 1)) for key in fleet.keys(worker, n)]
        for key in keys:
            client.call("SET", key, "v")
        publish_figures(fleet)
        drawn = 12_000
        counts = Counter(client.call("RANDOMKEY").split(b"\r\n")[1].decode() for _ in range(drawn))
        assert set(counts) == set(keys)
        # Each count is binomial of mean 120 and deviation 11; six deviations are never seen.
        assert all(54 <= counts[key] <= 186 for key in keys), counts


def publish_figures(fleet: Fleet) -> None:
    """What each worker's cron does ten times a second."""
    from shmredis._core import lib

    for engine in fleet.engines:
        lib.engine_cron(engine, 1000)


def test_keys_that_are_made_for_a_test_are_made_once(trio: Server) -> None:
    with connect_to(trio, 0) as client:
        client.call("FLUSHALL")
        assert client.call("DEBUG", "POPULATE", 300, "p", 10) == b"+OK\r\n"
        assert client.call("DBSIZE") == b":300\r\n"
        assert client.value("GET", "p:299") == b"value:299\0"
        client.call("FLUSHALL")
