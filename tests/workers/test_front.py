"""The front with several workers: where connections go, what waits, who comes back."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import Server, is_alive, wait_until
from tests.workers.places import connect_to, key_of, worker_lines

Start = Callable[..., Server]
FULL = b"-ERR max number of clients reached\r\n"


@pytest.fixture
def many() -> Iterator[ExitStack]:
    """Closes what is put into it."""
    with ExitStack() as stack:
        yield stack


def connections(client: Client) -> list[int]:
    return [int(line["connections"]) for line in worker_lines(client)]


def wait_for_none_but(client: Client) -> None:
    """Waits until the connections of earlier tests are gone."""
    wait_until(lambda: sum(connections(client)) == 1)


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


# --- where connections go ---


@pytest.mark.parametrize("worker", [0, 1, 2])
def test_the_first_key_decides_the_worker(trio: Server, many: ExitStack, worker: int) -> None:
    watcher = many.enter_context(trio.client())
    wait_for_none_but(watcher)
    before = connections(watcher)
    for _ in range(4):
        many.enter_context(connect_to(trio, worker))
    grown = [after - earlier for earlier, after in zip(before, connections(watcher), strict=True)]
    assert grown == [4 if i == worker else 0 for i in range(3)]


def test_a_hash_tag_decides_the_worker(trio: Server, many: ExitStack) -> None:
    watcher = many.enter_context(trio.client())
    wait_for_none_but(watcher)
    before = connections(watcher)
    client = many.enter_context(trio.client())
    assert client.call("GET", "{" + key_of(2) + "}" + key_of(0)) == b"$-1\r\n"
    assert connections(watcher)[2] == before[2] + 1


def test_without_a_key_the_worker_with_the_fewest_connections_gets_it(
    trio: Server, many: ExitStack
) -> None:
    watcher = many.enter_context(trio.client())
    wait_for_none_but(watcher)
    for _ in range(5):
        assert many.enter_context(trio.client()).call("PING") == b"+PONG\r\n"
    assert connections(watcher) == [2, 2, 2]


def test_a_first_command_may_come_in_pieces(trio: Server, many: ExitStack) -> None:
    client = many.enter_context(trio.client())
    data = encode("SET", key_of(1), "v")
    client.send(data[:9])
    time.sleep(0.001)
    client.send(data[9:-4])
    client.send(data[-4:])
    assert client.read() == b"+OK\r\n"
    assert client.call("DEL", key_of(1)) == b":1\r\n"


def test_a_first_command_may_stay_unfinished_for_long(trio: Server, many: ExitStack) -> None:
    client = many.enter_context(trio.client())
    data = encode("ECHO", "hello")
    client.send(data[:3])
    time.sleep(0.1)
    client.send(data[3:])
    assert client.read() == b"$5\r\nhello\r\n"


def test_nothing_of_a_first_pipeline_is_lost(trio: Server, many: ExitStack) -> None:
    client = many.enter_context(trio.client())
    client.send(b"".join(encode("ECHO", i) for i in range(3000)))
    assert [client.read() for _ in range(3000)] == [
        b"$%d\r\n%d\r\n" % (len(str(i)), i) for i in range(3000)
    ]


def test_a_first_key_longer_than_what_is_looked_at(trio: Server, many: ExitStack) -> None:
    client = many.enter_context(trio.client())
    assert client.call("SET", "k" * 100_000, "v") == b"+OK\r\n"
    assert client.call("DEL", "k" * 100_000) == b":1\r\n"


@pytest.mark.parametrize("data", [b"\0\xff\r\n", b"*-1\r\n", b"\r\n\r\n", b"*1\r\n$x\r\n", b"*9"])
def test_any_first_bytes_are_survived(trio: Server, many: ExitStack, data: bytes) -> None:
    client = many.enter_context(trio.client())
    client.send(data)
    assert trio.answers()


def test_a_unix_socket_is_served(start_server: Start, tmp_path: Path) -> None:
    path = tmp_path / "sock"
    server = start_server("--unixsocket", str(path), workers=2)
    with server.client() as watcher, socket.socket(socket.AF_UNIX) as sock:
        before = connections(watcher)
        sock.connect(str(path))
        sock.sendall(encode("GET", key_of(1, 2)))
        assert sock.recv(100) == b"$-1\r\n"
        assert connections(watcher)[1] == before[1] + 1


def test_auto_is_a_number_of_workers(start_server: Start) -> None:
    server = start_server("--workers", "auto")
    cores = len(os.sched_getaffinity(0))
    assert len(server.children()) == max(1, cores // 2)
    with server.client() as client:
        assert client.value("CONFIG", "GET", "workers") == [b"workers", b"auto"]


# --- waiting connections ---


def test_idle_connections_cost_the_workers_nothing(trio: Server, many: ExitStack) -> None:
    watcher = many.enter_context(trio.client())
    wait_for_none_but(watcher)
    idle = [many.enter_context(trio.client()) for _ in range(50)]
    assert sum(connections(watcher)) == 1
    assert all(client.call("PING") == b"+PONG\r\n" for client in idle)
    assert sum(connections(watcher)) == 51


def test_maxclients_counts_all_and_those_that_wait(start_server: Start, many: ExitStack) -> None:
    server = start_server("--maxclients", "6", workers=3)
    busy = [many.enter_context(connect_to(server, i)) for i in range(3)]
    idle = [many.enter_context(server.client()) for _ in range(3)]
    with server.client() as refused:
        assert refused.read() == FULL
    idle.pop().close()
    busy.pop().close()
    wait_until(server.answers)
    # CONFIG SET reaches the front.
    assert busy[0].call("CONFIG", "SET", "maxclients", "4") == b"+OK\r\n"
    wait_until(lambda: not server.answers())
    info = busy[0].value("INFO", "stats").decode()
    assert "rejected_connections:0" not in info


def test_an_idle_connection_is_closed_by_timeout(start_server: Start, many: ExitStack) -> None:
    server = start_server("--timeout", "1", workers=2)
    client = many.enter_context(server.client(timeout=10))
    assert client.closed()


def test_connections_that_go_while_they_wait_are_forgotten(
    start_server: Start, many: ExitStack
) -> None:
    server = start_server("--maxclients", "20", workers=2)
    for _ in range(10):
        clients = [server.client() for _ in range(15)]
        for client in clients:
            client.close()
        wait_until(server.answers)


def connect_often(server: Server, times: int) -> None:
    for i in range(times):
        with server.client() as client:
            if i % 4:
                client.call("GET", f"key:{i}")


def test_no_descriptor_leaks_with_hundreds_of_connections(start_server: Start) -> None:
    server = start_server(workers=3)
    pids = [server.process.pid, *server.children()]
    connect_often(server, 40)  # the event loop keeps a descriptor or two from its first on
    with server.client() as watcher:
        wait_for_none_but(watcher)
        before = [open_files(pid) for pid in pids]
        connect_often(server, 400)
        wait_for_none_but(watcher)
        wait_until(lambda: [open_files(pid) for pid in pids] == before)


# --- death ---


def test_a_killed_worker_comes_back_and_the_others_serve_on(
    start_server: Start, many: ExitStack
) -> None:
    server = start_server(workers=3)
    clients = [many.enter_context(connect_to(server, i)) for i in range(3)]
    for i, client in enumerate(clients):
        assert client.call("SET", key_of(i), i) == b"+OK\r\n"
    victim = int(worker_lines(clients[0])[1]["pid"])
    time.sleep(1)  # a worker that dies young is brought back after a pause
    os.kill(victim, signal.SIGKILL)
    for _ in range(100):
        assert clients[0].call("GET", key_of(0)) == b"$1\r\n0\r\n"
        assert clients[2].call("GET", key_of(2)) == b"$1\r\n2\r\n"
    wait_until(lambda: clients[0].call("SET", key_of(1), "new") == b"+OK\r\n")
    assert clients[1].closed()
    with connect_to(server, 1) as again:
        assert again.call("GET", key_of(1)) == b"$3\r\nnew\r\n"
        lines = worker_lines(again)
    assert len(lines) == 3
    assert int(lines[1]["pid"]) != victim


def test_each_worker_may_die_again_and_again(start_server: Start) -> None:
    server = start_server(workers=3)
    before = open_files(server.process.pid)  # a connection that is being handed over may be in it
    for _ in range(3):
        for pid in server.children():
            os.kill(pid, signal.SIGKILL)
            wait_until(server.answers)  # the others serve, and so does the new one at last
        wait_until(lambda: len(server.children()) == 3)
        with server.client() as client:
            wait_until(lambda client=client: len(worker_lines(client)) == 3)  # type: ignore[misc]
    wait_until(lambda: open_files(server.process.pid) <= before)


def test_a_stuck_worker_delays_only_its_own(start_server: Start, many: ExitStack) -> None:
    server = start_server(workers=3)
    clients = [many.enter_context(connect_to(server, i)) for i in range(3)]
    stuck = int(worker_lines(clients[0])[1]["pid"])
    os.kill(stuck, signal.SIGSTOP)
    try:
        for i in (0, 2):
            assert clients[i].call("SET", key_of(i), i) == b"+OK\r\n"
            with connect_to(server, i) as fresh:
                assert fresh.call("GET", key_of(i)) == b"$1\r\n%d\r\n" % i
        late = threading.Thread(target=clients[0].call, args=("SET", key_of(1), "late"))
        late.start()
    finally:
        os.kill(stuck, signal.SIGCONT)
    late.join(10)
    assert clients[1].call("GET", key_of(1)) == b"$4\r\nlate\r\n"


def test_a_killed_front_leaves_nothing_if_so_configured() -> None:
    server = Server("--warm-restart", "no", workers=3)
    try:
        server.wait_ready()
        workers = server.children()
        assert len(server.shm_objects()) == 5  # arenas, control, scripts
        with server.client() as client:
            assert client.call("PING") == b"+PONG\r\n"
            server.process.kill()
            server.process.wait(60)
            assert client.closed()
        wait_until(lambda: not any(is_alive(pid) for pid in workers))
        wait_until(lambda: not server.shm_objects())
    finally:
        server.stop()
        server.check_clean()


def test_a_server_of_the_same_name_is_refused_while_one_lives(trio: Server) -> None:
    other = Server("--shm-name", trio.shm_name, workers=2)
    try:
        assert other.process.wait(60) == 1
        assert "belongs to a running server" in other.log()
    finally:
        other.stop()
        other.check_clean()
    assert trio.answers()
