"""Processes that die or are asked to end: what comes back, what is logged, and that nothing stays behind."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from tests.harness.processes import children_of
from tests.harness.server import ROOT, Server, is_alive, wait_until

StartServer = Callable[..., Server]


def kill_worker(server: Server) -> int:
    """Kills it the hard way; the pid it had, once another serves."""
    (pid,) = server.children()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid) and server.children() not in ([], [pid]))
    wait_until(server.answers)
    return pid


def test_a_killed_worker_is_back_with_its_data(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as client:
        assert client.call("SET", "k", "v") == b"+OK\r\n"
        run_id = client.value("INFO", "server").split(b"run_id:")[1].split()[0]
        pid = kill_worker(server)
        assert client.ended()
    with server.client() as client:
        assert client.call("GET", "k") == b"$1\r\nv\r\n"
        assert client.call("SET", "k", "w") == b"+OK\r\n"
        assert client.value("INFO", "server").split(b"run_id:")[1].split()[0] == run_id
    assert f"Worker 0 (pid {pid}) was ended by signal 9" in server.log()
    assert "Worker 0 is back: Re-attached 1 arena, 1 keys, generation 1" in server.log()
    assert len(server.arenas()) == 1


def test_all_connections_of_a_killed_worker_are_closed(start_server: StartServer) -> None:
    server = start_server()
    clients = [server.client() for _ in range(20)]
    for client in clients:
        client.call("PING")
    kill_worker(server)
    assert all(client.ended() for client in clients)
    for client in clients:
        client.close()
    with server.client() as client:
        assert b"connected_clients:1\r\n" in client.value("INFO", "clients")


def test_a_worker_can_be_killed_again_and_again(start_server: StartServer) -> None:
    server = start_server("--maxclients", "10")
    for _ in range(3):
        clients = [server.client() for _ in range(5)]
        for i, client in enumerate(clients):
            assert client.call("SET", f"key:{i}", "x" * 100_000) == b"+OK\r\n"
        kill_worker(server)
        for client in clients:
            client.close()
    assert server.log().count("was ended by signal 9") == 3
    assert len(server.arenas()) == 1


def test_connections_made_while_the_worker_is_dead_are_served(start_server: StartServer) -> None:
    server = start_server()
    (pid,) = server.children()
    os.kill(pid, signal.SIGSTOP)  # so that it takes nothing of what follows
    waiting = [socket.create_connection(("127.0.0.1", server.port), 20) for _ in range(3)]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))
    late = server.client()
    assert late.call("PING") == b"+PONG\r\n"
    for sock in [*waiting, late.sock]:
        sock.close()
    late.close()


def test_a_worker_that_dies_in_the_middle_of_work_leaves_no_memory(
    start_server: StartServer,
) -> None:
    server = start_server()
    with server.client() as client:
        client.send(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$50000000\r\n" + b"x" * 1_000_000)
        client.sock.settimeout(1)
        (pid,) = server.children()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: server.children() not in ([], [pid]))
    wait_until(server.answers)
    assert len(server.arenas()) == 1


def test_a_killed_front_takes_everything_with_it(start_server: StartServer) -> None:
    server = start_server("--warm-restart", "no", status=-signal.SIGKILL)
    (worker,) = server.children()
    with server.client() as client:
        client.call("SET", "k", "v" * 1000)
        server.process.kill()
        server.process.wait(60)
        wait_until(lambda: not is_alive(worker))
        assert client.ended()
    assert not server.shm_objects()
    with pytest.raises(ConnectionRefusedError):
        server.client()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order(
    start_server: StartServer, number: signal.Signals
) -> None:
    server = start_server()
    (worker,) = server.children()
    with server.client() as client:
        client.call("SET", "k", "v")
        server.process.send_signal(number)
        assert server.process.wait(60) == 0
        assert client.ended()
    assert not is_alive(worker)
    assert not server.shm_objects()
    assert f"Received {number.name} scheduling shutdown..." in server.log()
    assert "is now ready to exit, bye bye..." in server.log()


def family(server: Server) -> list[int]:
    """Its workers and their children, then the front."""
    workers = server.children()
    return [*(child for pid in workers for child in children_of(pid)), *workers, server.process.pid]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_is_orderly(
    start_server: StartServer, number: signal.Signals
) -> None:
    """As a terminal sends it, or systemd to all of a service: the data are saved."""
    options = ("--save", "3600 1", "--rdb-key-save-delay", "20000", "--warm-restart", "no")
    server = start_server(*options, workers=2)
    with server.client() as client:
        for i in range(50):
            client.call("SET", f"key:{i}", i)
        assert client.call("BGSAVE").startswith(b"+Background")
        client.call("SET", "last", 1)
        for pid in family(server):
            os.kill(pid, number)
        assert server.process.wait(60) == 0
    assert "Traceback" not in server.log() and "was ended by signal" not in server.log()
    assert "last" in (server.dir / "dump.rdb").read_text("latin-1")


def test_workers_and_children_alone_take_no_notice_of_sigterm(start_server: StartServer) -> None:
    server = start_server("--rdb-key-save-delay", "100000")
    with server.client() as client:
        for i in range(5):
            client.call("SET", f"key:{i}", i)
        assert client.call("BGSAVE").startswith(b"+Background")
        for pid in family(server)[:-1]:
            os.kill(pid, signal.SIGTERM)
        assert client.call("GET", "key:1") == b"$1\r\n1\r\n"
        status = b"rdb_bgsave_in_progress:0\r\nrdb_last_save_time"
        wait_until(lambda: status in client.call("INFO", "persistence"))
        assert b"rdb_last_bgsave_status:ok" in client.call("INFO", "persistence")


@pytest.mark.parametrize(
    "words", [["SHUTDOWN"], ["SHUTDOWN", "NOSAVE"], ["SHUTDOWN", "NOW", "FORCE"]]
)
def test_shutdown_ends_the_server(start_server: StartServer, words: list[str]) -> None:
    server = start_server()
    with server.client() as client:
        client.send(b" ".join(word.encode() for word in words) + b"\r\n")
        assert client.ended()
    assert server.process.wait(60) == 0
    assert not server.shm_objects()
    assert "User requested shutdown..." in server.log()


def test_replies_before_a_shutdown_in_one_pipeline_arrive(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as client:
        client.send(b"SET k v\r\nGET k\r\nSHUTDOWN\r\n")
        assert client.read() == b"+OK\r\n"
        assert client.read() == b"$1\r\nv\r\n"
        assert client.ended()
    assert server.process.wait(60) == 0


def launch(port: int, shm_name: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "shmredis.front.main", "--port", str(port)]
    argv += ["--bind", "127.0.0.1", "--shm-name", shm_name]
    return subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_an_object_that_is_no_arena_is_replaced_at_start(start_server: StartServer) -> None:
    name = f"shmredis-test-stale-{os.getpid()}"
    stale = Path(f"/dev/shm/{name}.0")
    stale.write_bytes(b"left over" * 1000)
    try:
        server = start_server("--shm-name", name)
        assert (
            "Starting without data (the data in shared memory is not used: it is no arena)"
            in server.log()
        )
        with server.client() as client:
            assert client.call("DBSIZE") == b":0\r\n"
        assert server.stop() == 0
        assert not stale.exists()
    finally:
        stale.unlink(missing_ok=True)


def test_a_second_server_does_not_take_the_memory_of_a_living_one(
    start_server: StartServer,
) -> None:
    server = start_server()
    with server.client() as client:
        client.call("SET", "k", "v")
        second = launch(free_port(), server.shm_name)
        output = second.communicate(timeout=20)[0]
        assert second.returncode == 1
        assert re.search(
            rf"Shared memory /{server.shm_name}\.\w+ belongs to a running server", output
        )
        assert client.call("GET", "k") == b"$1\r\nv\r\n"
    assert len(server.arenas()) == 1
