"""CONFIG SET that one worker of several refuses: it holds nowhere."""

import os
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until
from tests.workers.places import connect_to, key_of, pid_of, sure_pid_of

Start = Callable[..., Server]
WORKERS = 3
COLD = ("--warm-restart", "no")  # arenas go when the server ends, log or not
LOGGED = ("--appendonly", "yes", "--enable-protected-configs", "yes")


def values(clients: list[Client], name: str) -> set[bytes]:
    return {client.value("CONFIG", "GET", name)[1] for client in clients}


@pytest.mark.parametrize(("asked", "refusing"), [(0, 1), (1, 2), (2, 2)])
def test_dir_stays_where_it_is_when_one_log_cannot_move(
    start_server: Start, asked: int, refusing: int
) -> None:
    server = start_server(*COLD, *LOGGED, workers=WORKERS)
    home = server.dir.resolve()
    in_the_way = home / "sub" / "appendonlydir" / f"worker-{refusing}"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("no folder")
    with ExitStack() as stack:
        clients = [stack.enter_context(connect_to(server, worker)) for worker in range(WORKERS)]
        pairs = ("slowlog-max-len", "33", "dir", "sub", "hash-max-listpack-entries", "3")
        reply = clients[asked].call("CONFIG", "SET", *pairs)
        assert reply.startswith(b"-ERR CONFIG SET failed (possibly related to argument 'dir') - ")
        assert values(clients, "dir") == {str(home).encode()}
        assert values(clients, "slowlog-max-len") == {b"128"}
        assert values(clients, "hash-max-listpack-entries") == {b"512"}
        for worker in range(WORKERS):
            assert clients[asked].call("SET", key_of(worker), "v") == b"+OK\r\n"
        assert clients[asked].call("DEBUG", "LOADAOF") == b"+OK\r\n"  # they go on in the old place
        assert clients[asked].value("EXISTS", *map(key_of, range(WORKERS))) == WORKERS
        in_the_way.unlink()
        assert clients[asked].call("CONFIG", "SET", *pairs) == b"+OK\r\n"
        assert values(clients, "dir") == {str(home / "sub").encode()}


def test_no_log_is_switched_on_when_one_cannot_be(start_server: Start) -> None:
    server = start_server(*COLD, workers=WORKERS)
    in_the_way: Path = server.dir / "appendonlydir" / "worker-2"
    in_the_way.parent.mkdir()
    in_the_way.write_text("no folder")

    def has_base(client: Client) -> bool:
        info = client.value("INFO", "persistence")
        return not re.search(rb"aof_rewrite_(in_progress|scheduled):1", info)

    with ExitStack() as stack:
        clients = [stack.enter_context(connect_to(server, worker)) for worker in range(WORKERS)]
        reply = clients[0].call("CONFIG", "SET", "appendonly", "yes")
        assert reply.startswith(
            b"-ERR CONFIG SET failed (possibly related to argument 'appendonly'"
        )
        assert values(clients, "appendonly") == {b"no"}
        for client in clients:
            assert b"aof_enabled:0" in client.value("INFO", "persistence")
        in_the_way.unlink()
        assert clients[1].call("CONFIG", "SET", "appendonly", "yes") == b"+OK\r\n"
        assert values(clients, "appendonly") == {b"yes"}
        wait_until(lambda: all(map(has_base, clients)))  # else the server does not end


def test_a_worker_that_comes_back_has_what_held_before(start_server: Start) -> None:
    """The front is not told of what was refused."""
    server = start_server(*COLD, *LOGGED, workers=WORKERS)
    in_the_way = server.dir / "sub" / "appendonlydir" / "worker-1"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("no folder")
    with connect_to(server, 0) as client:
        reply = client.call("CONFIG", "SET", "slowlog-max-len", "33", "dir", "sub")
        assert reply.startswith(b"-ERR CONFIG SET failed")
        assert client.call("CONFIG", "SET", "hz", "11") == b"+OK\r\n"
        pid = sure_pid_of(client, 1)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid_of(client, 1) not in (0, pid))
    with ExitStack() as stack:
        clients = [stack.enter_context(connect_to(server, worker)) for worker in range(WORKERS)]
        assert values(clients, "slowlog-max-len") == {b"128"}
        assert values(clients, "dir") == {str(server.dir.resolve()).encode()}
        assert values(clients, "hz") == {b"11"}


def test_all_workers_end_with_the_same_setting(start_server: Start) -> None:
    """However close together clients of different ones set it, the last one does in all."""
    server = start_server(workers=WORKERS)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect_to(server, worker)) for worker in range(WORKERS)]
        for i in range(100):
            for worker, client in enumerate(clients):
                client.send(encode("CONFIG", "SET", "slowlog-max-len", 1000 * (worker + 1) + i))
            assert [client.read() for client in clients] == [b"+OK\r\n"] * WORKERS
            assert len(values(clients, "slowlog-max-len")) == 1


def test_who_dies_while_it_changes_settings_is_not_waited_for(start_server: Start) -> None:
    server = start_server(workers=WORKERS)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect_to(server, worker)) for worker in (0, 1, 1)]
        dying, stopped = sure_pid_of(clients[0], 1), sure_pid_of(clients[0], 2)
        os.kill(stopped, signal.SIGSTOP)
        clients[1].send(encode("CONFIG", "SET", "slowlog-max-len", 7))  # worker 2 does not answer
        wait_until(lambda: values(clients[2:], "slowlog-max-len") == {b"7"})
        os.kill(dying, signal.SIGKILL)
        os.kill(stopped, signal.SIGCONT)
        assert clients[0].call("CONFIG", "SET", "slowlog-max-len", 8) == b"+OK\r\n"
        wait_until(lambda: pid_of(clients[0], 1) not in (0, dying))
        assert clients[0].call("CONFIG", "SET", "slowlog-max-len", 9) == b"+OK\r\n"
        others = [stack.enter_context(connect_to(server, worker)) for worker in range(WORKERS)]
        assert values(others, "slowlog-max-len") == {b"9"}
