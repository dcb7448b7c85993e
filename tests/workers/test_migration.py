"""Connections move to the worker that owns most of the keys they ask for."""

import threading
from collections.abc import Callable

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until
from tests.workers.places import connect_to, key_of, worker_lines

ENOUGH = 600  # commands until it is clear where a connection belongs


def place_of(watcher: Client, number: int) -> int:
    """The worker at which the client with this id is."""
    before = [int(line["connections"]) for line in worker_lines(watcher)]
    watcher.call("CLIENT", "KILL", "ID", number)
    wait_until(
        lambda: sum(int(line["connections"]) for line in worker_lines(watcher)) < sum(before)
    )
    after = [int(line["connections"]) for line in worker_lines(watcher)]
    return next(i for i in range(3) if after[i] < before[i])


def ask_for(client: Client, key: str, times: int = ENOUGH) -> None:
    for _ in range(times // 10):
        client.send(encode("INCR", key) * 10)
        for _ in range(10):
            client.read()


@pytest.mark.parametrize("target", [1, 2])
def test_it_moves_with_its_state(trio: Server, target: int) -> None:
    with connect_to(trio, 0) as client, connect_to(trio, 0) as watcher:
        client.call("HELLO", 3, "SETNAME", "traveller")
        client.call("CLIENT", "SETINFO", "LIB-NAME", "legs")
        client.call("CLIENT", "NO-TOUCH", "ON")
        client.call("SELECT", 3)
        number = client.value("CLIENT", "ID")
        ask_for(client, key_of(target, prefix="n"))
        assert client.value("CLIENT", "ID") == number
        assert client.call("HELLO").startswith(b"%")
        line = client.value("CLIENT", "INFO").decode()
        for part in ("name=traveller", "lib-name=legs", "db=3", "resp=3", "user=default"):
            assert f" {part} " in f" {line} "
        assert "T" in line.split("flags=")[1].split()[0]
        assert int(client.value("GET", key_of(target, prefix="n"))) >= ENOUGH
        listed = watcher.value("CLIENT", "LIST", "ID", number).decode()
        assert listed.count("name=traveller") == 1
        assert place_of(watcher, number) == target


def test_it_stays_authenticated_and_only_then_moves(start_server: Callable[..., Server]) -> None:
    server = start_server("--requirepass", "secret", workers=3)
    with server.client() as client, server.client() as watcher:
        watcher.call("AUTH", "secret")
        client.call("AUTH", "secret")
        number = client.value("CLIENT", "ID")
        for target in range(3):  # two of them are other workers
            key = key_of(target, prefix="auth")
            ask_for(client, key)
            assert int(client.value("GET", key)) == ENOUGH
            assert client.value("CLIENT", "ID") == number
            assert b"user=default" in client.value("CLIENT", "INFO")
        with server.client() as stranger:
            for _ in range(3):
                for _ in range(ENOUGH):
                    stranger.send(encode("GET", key))
                    assert stranger.read() == b"-NOAUTH Authentication required.\r\n"


def test_it_stays_where_its_keys_are_mixed(trio: Server) -> None:
    with connect_to(trio, 0) as client, connect_to(trio, 1) as watcher:
        number = client.value("CLIENT", "ID")
        for _ in range(ENOUGH):
            for worker in range(3):
                client.call("INCR", key_of(worker, prefix="mixed"))
        assert place_of(watcher, number) == 0


def test_it_stays_while_it_has_fieldsets(trio: Server) -> None:
    with connect_to(trio, 0) as client, connect_to(trio, 1) as watcher:
        client.call("HIMPORT", "PREPARE", "set", "a", "b")
        ask_for(client, key_of(2, prefix="bound"))
        assert client.call("HIMPORT", "SET", "hash", "set", "1", "2") == b"+OK\r\n"
        assert place_of(watcher, client.value("CLIENT", "ID")) == 0


def test_nothing_is_lost_or_out_of_order_under_load(trio: Server) -> None:
    """Clients change the worker again and again, pipelines in full flow."""
    keys = [key_of(worker, prefix="load") for worker in range(3)]
    rounds, batch = 9, 700
    failures: list[str] = []
    with trio.client() as client:
        client.call("DEL", *keys)

    def work(number: int) -> None:
        with connect_to(trio, number % 3) as client:
            for i in range(rounds):
                key = keys[(number + i) % 3]
                requests = b"".join(encode("INCR", key) + encode("ECHO", n) for n in range(batch))
                sender = threading.Thread(target=client.send, args=(requests,))
                sender.start()
                last = 0
                for n in range(batch):
                    count, echo = int(client.read()[1:]), client.read()
                    if count <= last or echo != b"$%d\r\n%d\r\n" % (len(str(n)), n):
                        failures.append(f"{number}: {last} {count} {echo!r}")
                    last = count
                sender.join()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with trio.client() as client:
        assert sum(int(client.value("GET", key)) for key in keys) == 4 * rounds * batch
