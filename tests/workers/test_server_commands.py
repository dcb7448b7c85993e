"""Commands about the server, when the server is three workers: one server to its clients."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.harness.resp import Client
from tests.harness.server import Server, wait_until
from tests.workers.places import connect_to, key_of, worker_lines

Start = Callable[..., Server]


@pytest.fixture
def clients(trio: Server) -> Iterator[list[Client]]:
    """A connection at each worker; the data is empty, nothing counted."""
    with ExitStack() as stack:
        found = [stack.enter_context(connect_to(trio, i)) for i in range(3)]
        found[0].call("FLUSHALL")
        found[0].call("CONFIG", "RESETSTAT")
        found[0].call("SLOWLOG", "RESET")
        yield found


def info(client: Client, *sections: str) -> dict[str, str]:
    text = client.value("INFO", *sections).decode()
    return dict(re.findall(r"^([^#:\r]+):(.*?)\r$", text, re.MULTILINE))


def ids(lines: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"^id=(\d+)", lines, re.MULTILINE)]


def pid_of(client: Client, worker: int) -> int:
    return int(worker_lines(client)[worker]["pid"])


# --- CONFIG ---


def test_config_set_holds_in_all_workers(clients: list[Client]) -> None:
    pairs = ("hash-max-listpack-entries", "3", "slowlog-max-len", "77")
    assert clients[1].call("CONFIG", "SET", *pairs) == b"+OK\r\n"
    for i, client in enumerate(clients):
        assert client.value("CONFIG", "GET", "slowlog-max-len") == [b"slowlog-max-len", b"77"]
        client.call("HSET", key_of(i), *"a1b2c3d4")
        assert client.value("OBJECT", "ENCODING", key_of(i)) == b"hashtable"
    clients[0].call("CONFIG", "SET", pairs[0], "512", pairs[2], "128")


def test_a_refused_config_set_changes_nothing_anywhere(clients: list[Client]) -> None:
    reply = clients[0].call("CONFIG", "SET", "slowlog-max-len", "5", "workers", "1")
    assert reply.startswith(b"-ERR CONFIG SET failed")
    for client in clients:
        assert client.value("CONFIG", "GET", "slowlog-max-len") == [b"slowlog-max-len", b"128"]


def test_a_worker_that_comes_back_has_the_changed_settings(start_server: Start) -> None:
    server = start_server(workers=2)
    with connect_to(server, 0, 2) as client:
        assert client.call("CONFIG", "SET", "slowlog-max-len", "55") == b"+OK\r\n"
        victim = pid_of(client, 1)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(worker_lines(client)) == 2 and pid_of(client, 1) != victim)
    with connect_to(server, 1, 2) as client:
        assert client.value("CONFIG", "GET", "slowlog-max-len") == [b"slowlog-max-len", b"55"]


def test_a_password_is_asked_for_by_all_workers(start_server: Start) -> None:
    server = start_server(workers=3)
    with server.client() as admin:
        assert admin.call("CONFIG", "SET", "requirepass", "secret") == b"+OK\r\n"
        for i in range(3):
            with server.client() as client:
                reply = client.call("GET", key_of(i))
                assert reply == b"-NOAUTH Authentication required.\r\n"
                assert client.call("AUTH", "secret") == b"+OK\r\n"


def test_config_rewrite_writes_once(start_server: Start, tmp_path: Any) -> None:
    path = tmp_path / "shmredis.conf"
    path.write_text("slowlog-max-len 9\n")
    server = start_server(config=path, workers=2)
    with server.client() as client:
        client.call("CONFIG", "SET", "slowlog-max-len", "10")
        assert client.call("CONFIG", "REWRITE") == b"+OK\r\n"
    assert path.read_text().count("slowlog-max-len 10") == 1


def test_config_resetstat_clears_all(clients: list[Client]) -> None:
    for i, client in enumerate(clients):
        client.call("GET", key_of(i))
    assert info(clients[0], "stats")["keyspace_misses"] == "3"
    assert clients[2].call("CONFIG", "RESETSTAT") == b"+OK\r\n"
    assert info(clients[0], "stats")["keyspace_misses"] == "0"
    assert "cmdstat_get" not in info(clients[1], "commandstats")


# --- CLIENT ---


def test_client_ids_are_unique_and_client_list_has_all(clients: list[Client]) -> None:
    own = [client.value("CLIENT", "ID") for client in clients]
    assert own == sorted(set(own))
    for client in clients:
        assert ids(client.value("CLIENT", "LIST")) == own
        assert ids(client.value("CLIENT", "LIST", "TYPE", "normal")) == own
    wanted = [own[2], own[0], own[1]]
    assert ids(clients[0].value("CLIENT", "LIST", "ID", *wanted)) == wanted
    assert clients[0].call("CLIENT", "LIST", "ID", "x") == b"-ERR Invalid client ID\r\n"


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_client_kill_reaches_all_workers(trio: Server, clients: list[Client], victim: int) -> None:
    with connect_to(trio, victim) as other:
        number = other.value("CLIENT", "ID")
        assert clients[1].value("CLIENT", "KILL", "ID", number) == 1
        assert other.closed()
    with connect_to(trio, victim) as other:
        address = "{}:{}".format(*other.sock.getsockname())
        assert clients[1].call("CLIENT", "KILL", address) == b"+OK\r\n"
        assert other.closed()
    assert clients[1].call("CLIENT", "KILL", address) == b"-ERR No such client\r\n"
    assert clients[1].value("CLIENT", "KILL", "ID", number) == 0
    error = clients[1].call("CLIENT", "KILL", "ID", "0")
    assert error == b"-ERR client-id should be greater than 0\r\n"


@pytest.mark.parametrize("victim", [0, 1, 2])
@pytest.mark.parametrize(
    ("filters", "killed"),
    [
        (["LADDR", "{laddr}", "ID", "{id}"], 1),
        (["ADDR", "{addr}", "TYPE", "normal", "USER", "default"], 1),
        (["ADDR", "{addr}", "ID", "{own}"], 0),
        (["ADDR", "{addr}", "TYPE", "pubsub"], 0),
        (["ID", "{id}", "MAXAGE", "100000"], 0),
        (["ID", "{id}", "SKIPME", "no"], 1),
    ],
)
def test_client_kill_by_filters(
    trio: Server, clients: list[Client], victim: int, filters: list[str], killed: int
) -> None:
    with connect_to(trio, victim) as other:
        names = {
            "id": other.value("CLIENT", "ID"),
            "own": clients[1].value("CLIENT", "ID"),
            "addr": "{}:{}".format(*other.sock.getsockname()),
            "laddr": "{}:{}".format(*other.sock.getpeername()),
        }
        words = [word.format_map(names) for word in filters]
        assert clients[1].value("CLIENT", "KILL", *words) == killed
        assert other.closed() if killed else other.call("PING") == b"+PONG\r\n"
    assert clients[1].call("PING") == b"+PONG\r\n"


def test_client_kill_spares_the_caller(clients: list[Client]) -> None:
    assert clients[1].value("CLIENT", "KILL", "TYPE", "normal") == 2
    assert clients[0].closed()
    assert clients[2].closed()
    assert clients[1].call("PING") == b"+PONG\r\n"


def test_client_pause_holds_writes_in_all_workers(clients: list[Client]) -> None:
    assert clients[0].call("CLIENT", "PAUSE", "20000", "WRITE") == b"+OK\r\n"
    done = []

    def write(i: int) -> None:
        done.append(clients[i].call("SET", key_of(i), "v"))

    writers = [threading.Thread(target=write, args=(i,)) for i in (1, 2)]
    for writer in writers:
        writer.start()
    time.sleep(0.1)
    assert not done
    assert clients[0].call("CLIENT", "UNPAUSE") == b"+OK\r\n"
    for writer in writers:
        writer.join(10)
    assert done == [b"+OK\r\n"] * 2


# --- INFO ---


def test_info_tells_totals(clients: list[Client]) -> None:
    for i, client in enumerate(clients):
        for n in range(i + 1):
            client.call("SET", key_of(i, prefix=f"p{n}"), "v", *(("EX", "1000") if n else ()))
        client.call("HGET", key_of(i, prefix="p0"), "f")  # a wrong type
        client.call("GET", key_of(i, prefix="p0"))
        client.call("GET", key_of(i, prefix="none"))
    for client in clients:
        told = info(client, "everything")
        assert told["db0"].startswith("keys=6,expires=3,")
        assert told["connected_clients"] == "3"
        assert told["keyspace_hits"] == "6"
        assert told["keyspace_misses"] == "3"
        assert told["cmdstat_set"].startswith("calls=6,")
        assert told["errorstat_WRONGTYPE"] == "count=3"
        assert "latency_percentiles_usec_set" in told
        assert int(told["rdb_changes_since_last_save"]) >= 6


def test_expired_keys_of_all_are_counted_together(clients: list[Client]) -> None:
    for i, client in enumerate(clients):
        for n in range(i + 1):
            client.call("SET", key_of(i, prefix=f"short{n}"), "v", "PX", "1")
        client.call("HSET", key_of(i, prefix="fields"), "f", "v", "kept", "v")
        client.call("HPEXPIRE", key_of(i, prefix="fields"), "1", "FIELDS", "1", "f")
    wait_until(lambda: info(clients[0], "stats")["expired_keys"] == "6")
    wait_until(lambda: info(clients[2], "stats")["expired_subkeys"] == "3")
    assert clients[1].value("DBSIZE") == 3


def test_info_says_the_same_of_the_server_in_all_workers(clients: list[Client]) -> None:
    names = ("run_id", "process_id", "master_replid", "tcp_port", "config_file")
    told = [info(client) for client in clients]
    assert len({tuple(one[name] for name in names) for one in told}) == 1


def test_info_has_a_line_for_each_worker(trio: Server, clients: list[Client]) -> None:
    clients[0].call("SET", key_of(1), "v")  # a hop
    lines = worker_lines(clients[0])
    assert [line["slots"] for line in lines] == ["0-5461", "5462-10922", "10923-16383"]
    assert sorted(int(line["pid"]) for line in lines) == sorted(trio.children())
    assert [line["connections"] for line in lines] == ["1", "1", "1"]
    assert [line["keys"] for line in lines] == ["0", "1", "0"]
    assert int(lines[0]["hops_out"]) >= 1
    assert int(lines[1]["hops_in"]) >= 1
    assert all(int(line["used_memory"]) > 0 for line in lines)


def test_a_server_of_one_has_no_such_section(start_server: Start) -> None:
    server = start_server()
    assert {path.suffix for path in server.shm_objects()} == {".0", ".scripts"}
    with server.client() as client:
        assert b"# Workers" not in client.value("INFO", "everything")


def test_info_does_not_wait_for_a_stuck_worker(trio: Server, clients: list[Client]) -> None:
    stuck = pid_of(clients[0], 2)
    os.kill(stuck, signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert len(worker_lines(clients[0])) == 2
        assert time.monotonic() - started < 5
    finally:
        os.kill(stuck, signal.SIGCONT)
    wait_until(lambda: len(worker_lines(clients[0])) == 3)


# --- SLOWLOG, LATENCY, MEMORY ---


def test_the_slow_log_is_one(clients: list[Client]) -> None:
    clients[0].call("CONFIG", "SET", "slowlog-log-slower-than", "0")
    try:
        for i, client in enumerate(clients):
            client.call("ECHO", f"from {i}")
    finally:  # off: on a busy machine anything may be slow
        clients[0].call("CONFIG", "SET", "slowlog-log-slower-than", "-1")
    entries = clients[2].value("SLOWLOG", "GET", "-1")
    echoes = {entry[3][1] for entry in entries if entry[3][0] == b"ECHO"}
    assert echoes == {b"from 0", b"from 1", b"from 2"}
    assert len({entry[0] for entry in entries}) == len(entries)
    assert [entry[1] for entry in entries] == sorted((e[1] for e in entries), reverse=True)
    assert clients[0].value("SLOWLOG", "LEN") == len(entries)
    assert len(clients[0].value("SLOWLOG", "GET", "2")) == 2
    assert clients[1].call("SLOWLOG", "RESET") == b"+OK\r\n"
    assert clients[0].value("SLOWLOG", "LEN") == 0
    assert clients[0].value("SLOWLOG", "GET") == []
    assert clients[0].call("SLOWLOG", "GET", "-2").startswith(b"-ERR count should be")
    clients[0].call("CONFIG", "SET", "slowlog-log-slower-than", "10000")


def test_the_slow_log_knows_the_client_of_what_another_worker_executes(
    clients: list[Client],
) -> None:
    client = clients[1]
    client.call("CLIENT", "SETNAME", "far")
    host, port = client.sock.getsockname()
    words = ["APPEND", key_of(2), "v" * 300]
    clients[0].call("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "3")
    try:
        for _ in range(5):
            client.call(*words)
    finally:
        clients[0].call("CONFIG", "SET", "slowlog-log-slower-than", "-1", "slowlog-max-len", "128")
    found = [e[3:] for e in client.value("SLOWLOG", "GET", "-1") if e[3][0] == b"APPEND"]
    shown = [*(word.encode() for word in words[:2]), b"v" * 128 + b"... (172 more bytes)"]
    assert found
    for entry in found:
        assert entry == [shown, f"{host}:{port}".encode(), b"far", 3]
    clients[0].call("SLOWLOG", "RESET")
    clients[0].call("CONFIG", "SET", "slowlog-log-slower-than", "10000")


def test_a_slow_log_without_room_takes_nothing(clients: list[Client]) -> None:
    clients[0].call("CONFIG", "SET", "slowlog-max-len", "0", "slowlog-log-slower-than", "0")
    for worker in range(3):
        clients[1].call("SET", key_of(worker), "v")
    assert clients[1].value("SLOWLOG", "LEN") == 0
    pairs = ("slowlog-max-len", "128", "slowlog-log-slower-than", "10000")
    assert clients[0].call("CONFIG", "SET", *pairs) == b"+OK\r\n"


def test_watched_keys_are_counted_once(clients: list[Client]) -> None:
    keys = [key_of(worker) for worker in range(3)]
    for client in clients[:2]:
        client.call("WATCH", *keys)
    found = info(clients[2], "clients")
    assert (found["total_watched_keys"], found["watching_clients"]) == ("3", "2")
    for client in clients[:2]:
        client.call("UNWATCH")
    assert clients[0].call("EXISTS", *keys) == b":0\r\n"
    wait_until(lambda: info(clients[2], "clients")["total_watched_keys"] == "0")


def test_the_latency_monitor_is_one(clients: list[Client]) -> None:
    clients[0].call("CONFIG", "SET", "latency-monitor-threshold", "20")
    try:
        assert clients[1].call("DEBUG", "SLEEP", "0.05") == b"+OK\r\n"
        for client in clients:
            latest = {event[0]: event for event in client.value("LATENCY", "LATEST")}
            assert latest[b"command"][3] >= 50
            assert client.value("LATENCY", "HISTORY", "command")
            assert b"command - high" in client.value("LATENCY", "GRAPH", "command")
        assert b"command: " in clients[0].value("LATENCY", "DOCTOR")
        clients[0].call("CONFIG", "SET", "latency-monitor-threshold", "0")  # no more on a slow day
        assert clients[0].value("LATENCY", "RESET", "command", "nothing") == 1
        assert clients[1].value("LATENCY", "HISTORY", "command") == []
    finally:
        clients[0].call("CONFIG", "SET", "latency-monitor-threshold", "0")
        clients[0].call("LATENCY", "RESET")


def test_latency_histogram_counts_the_calls_of_all(clients: list[Client]) -> None:
    for i, client in enumerate(clients):
        client.call("APPEND", key_of(i), "x")
    (name, (_, calls, _, counts)) = clients[0].value("LATENCY", "HISTOGRAM", "append")
    assert (name, calls) == (b"append", 3)
    assert counts[-1] == 3


def test_memory_tells_totals(clients: list[Client]) -> None:
    for i, client in enumerate(clients):
        client.call("SET", key_of(i), "x" * 100_000)
    told = clients[0].value("MEMORY", "STATS")
    stats = dict(zip(told[::2], told[1::2], strict=True))
    assert stats[b"keys.count"] == 3
    assert stats[b"dataset.bytes"] >= 300_000
    assert int(info(clients[2], "memory")["used_memory"]) >= 300_000
    assert clients[1].call("MEMORY", "PURGE") == b"+OK\r\n"
    assert b"too little memory" in clients[1].value("MEMORY", "DOCTOR").lower()
    assert b"string: 3" in clients[1].value("MEMORY", "MALLOC-STATS")


# --- DEBUG ---


def test_debug_object_is_asked_of_the_owner(clients: list[Client]) -> None:
    for i in range(3):
        clients[0].call("SET", key_of(i), "value")
        for client in clients:
            assert b"encoding:embstr" in client.call("DEBUG", "OBJECT", key_of(i))
    assert clients[0].call("DEBUG", "OBJECT", "none") == b"-ERR no such key\r\n"
    assert clients[0].call("DEBUG", "OBJECT") == (
        b"-ERR unknown subcommand or wrong number of arguments for 'OBJECT'. Try DEBUG HELP.\r\n"
    )


@pytest.mark.parametrize("owners", [(), (1,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("db", [0, 9])
def test_digests_are_those_of_a_single_server(
    shared_server: Server, clients: list[Client], owners: tuple[int, ...], db: int
) -> None:
    keys = [key_of(i, prefix=p) for i in owners for p in "abc"]
    with shared_server.client() as single:
        single.call("FLUSHALL")
        for client in (single, *clients):
            client.call("SELECT", db)
        for key in keys:
            for client in (single, clients[0]):
                client.call("SET", key, f"value of {key}")
        asked = ("DEBUG", "DIGEST-VALUE", *keys, "none")
        assert {client.call(*asked) for client in clients} == {single.call(*asked)}
        assert {client.call("DEBUG", "DIGEST") for client in clients} == {
            single.call("DEBUG", "DIGEST")
        }


def test_debug_sleep_stops_all_workers(trio: Server, clients: list[Client]) -> None:
    sleeper = threading.Thread(target=clients[0].call, args=("DEBUG", "SLEEP", "0.4"))
    sleeper.start()
    time.sleep(0.1)
    started = time.monotonic()
    for i in (1, 2):
        assert clients[i].call("PING") == b"+PONG\r\n"
    assert time.monotonic() - started > 0.1
    sleeper.join(5)


def test_change_repl_id_changes_that_of_all(clients: list[Client]) -> None:
    before = info(clients[0], "replication")["master_replid"]
    assert clients[1].call("DEBUG", "CHANGE-REPL-ID") == b"+OK\r\n"
    after = {info(client, "replication")["master_replid"] for client in clients}
    assert len(after) == 1
    assert before not in after


def test_debug_htstats_tells_of_each_worker(clients: list[Client]) -> None:
    for i in range(3):
        clients[0].call("SET", key_of(i), "v")
    text = clients[1].value("DEBUG", "HTSTATS", "0")
    assert text.count(b" number of elements: 1\n") == 3
    assert clients[1].call("DEBUG", "HTSTATS", "99").startswith(b"-ERR Out of range")


# --- the end ---


@pytest.mark.parametrize("worker", [0, 2])
def test_shutdown_ends_all_workers(worker: int) -> None:
    server = Server(workers=3)
    try:
        server.wait_ready()
        with connect_to(server, worker) as client, connect_to(server, 1) as other:
            client.send(b"SHUTDOWN NOSAVE\r\n")
            assert client.closed()
            assert other.closed()
        assert server.process.wait(60) == 0
    finally:
        server.stop()
        server.check_clean()
