"""One table of users for all workers: changes, deaths, moves, the log."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until
from tests.workers.places import connect_to, key_of, pid_of

KEYS = [key_of(w, prefix="acl") for w in range(3)]


@pytest.fixture
def clients(trio: Server) -> Iterator[list[Client]]:
    """One of each worker."""
    made = [connect_to(trio, worker) for worker in range(3)]
    names = [n for n in made[0].value("ACL", "USERS") if n != b"default"]
    if names:
        made[0].call("ACL", "DELUSER", *names)
    made[0].call("ACL", "LOG", "RESET")
    made[0].call("CONFIG", "RESETSTAT")
    made[0].call("FLUSHALL")
    yield made
    for client in made:
        client.close()


def logged_in(server: Server, worker: int, user: str) -> Client:
    client = connect_to(server, worker)
    assert client.call("AUTH", user, "x") == b"+OK\r\n"
    return client


def kill(watcher: Client, worker: int) -> None:
    found: list[int] = []
    wait_until(lambda: found.append(pid_of(watcher, worker)) or found[-1] > 0)  # type: ignore[func-returns-value]
    os.kill(found[-1], signal.SIGKILL)


def test_a_change_is_known_everywhere_when_it_is_acknowledged(
    trio: Server, clients: list[Client]
) -> None:
    for i in range(30):
        assert clients[i % 3].call("ACL", "SETUSER", "u", "on", f">{i}") == b"+OK\r\n"
        lists = [client.call("ACL", "LIST") for client in clients]
        assert lists[0] == lists[1] == lists[2]
        for worker in range(3):
            with connect_to(trio, worker) as fresh:
                assert fresh.call("AUTH", "u", f"{i}") == b"+OK\r\n"


def test_rights_go_for_clients_of_all_workers(trio: Server, clients: list[Client]) -> None:
    clients[0].call("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*", "&*")
    users = [logged_in(trio, worker, "u") for worker in range(3)]
    for client in users:
        for key in KEYS:
            assert client.call("SET", key, "v") == b"+OK\r\n"
    clients[1].call("ACL", "SETUSER", "u", "resetkeys", f"~{KEYS[0]}")
    for client in users:
        replies = [client.call("GET", key)[:7] for key in KEYS]
        assert replies == [b"$1\r\nv\r\n", b"-NOPERM", b"-NOPERM"]
        assert client.call("MGET", *KEYS)[:7] == b"-NOPERM"
    clients[2].call("ACL", "DELUSER", "u")
    for client in users:
        with client, pytest.raises(ConnectionError):
            client.call("PING")


def test_the_default_user_may_be_restricted_too(trio: Server, clients: list[Client]) -> None:
    others = [connect_to(trio, worker) for worker in range(3)]
    assert clients[0].call("ACL", "SETUSER", "boss", "on", ">x", "+@all", "~*") == b"+OK\r\n"
    bosses = [logged_in(trio, worker, "boss") for worker in range(3)]
    clients[0].call("ACL", "SETUSER", "default", "-get")
    for client in others:
        assert client.call("GET", KEYS[1])[:7] == b"-NOPERM"
        assert client.call("SET", KEYS[1], "v") == b"+OK\r\n"
    assert bosses[2].call("ACL", "SETUSER", "default", "+@all") == b"+OK\r\n"
    for client in others:
        assert client.call("GET", KEYS[1]) == b"$1\r\nv\r\n"
    for client in [*others, *bosses]:
        client.close()


def test_changes_at_several_workers_at_once_are_all_kept(
    trio: Server, clients: list[Client]
) -> None:
    def add(worker: int) -> None:
        for i in range(40):
            clients[worker].call("ACL", "SETUSER", "u", f"~{worker}:{i}")

    threads = [threading.Thread(target=add, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lists = [client.call("ACL", "LIST") for client in clients]
    assert lists[0] == lists[1] == lists[2]
    for worker in range(3):
        for i in range(40):
            assert f"~{worker}:{i} ".encode() in lists[0]


@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_that_comes_back_knows_all_users(
    trio: Server, clients: list[Client], victim: int
) -> None:
    watcher = clients[2]
    watcher.call("ACL", "SETUSER", "u", "on", ">secret", "+@all", f"~{KEYS[victim]}")
    kill(watcher, victim)
    watcher.call("ACL", "SETUSER", "v", "on", ">other", "+get", "~*")
    wait_until(lambda: pid_of(watcher, victim) not in (0,))
    with connect_to(trio, victim) as fresh:
        assert fresh.call("ACL", "LIST") == watcher.call("ACL", "LIST")
        assert fresh.call("AUTH", "u", "secret") == b"+OK\r\n"
        assert fresh.call("SET", KEYS[victim], "v") == b"+OK\r\n"
        assert fresh.call("SET", KEYS[2], "v")[:7] == b"-NOPERM"
        assert fresh.call("AUTH", "v", "other") == b"+OK\r\n"


def test_a_client_that_moves_stays_who_it_is(trio: Server, clients: list[Client]) -> None:
    clients[0].call("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~acl*")
    with logged_in(trio, 0, "u") as client:
        for _ in range(60):
            client.send(encode("INCR", KEYS[1]) * 10)
            for _ in range(10):
                client.read()
        assert client.value("ACL", "WHOAMI") == b"u"
        assert client.call("GET", "other")[:7] == b"-NOPERM"
        clients[2].call("ACL", "SETUSER", "u", "-incr")
        assert client.call("INCR", KEYS[1])[:7] == b"-NOPERM"
        clients[0].call("ACL", "DELUSER", "u")
        with pytest.raises(ConnectionError):
            client.call("PING")


def test_the_log_is_that_of_all_workers(trio: Server, clients: list[Client]) -> None:
    clients[0].call("ACL", "SETUSER", "u", "on", "nopass", "+@all", "-keys", "~acl*")
    for worker in range(3):
        with logged_in(trio, worker, "u") as client:
            client.call("GET", "same")
            client.call("GET", f"at{worker}")
            client.call("KEYS", "*")
            client.call("AUTH", "nobody", "x")
    for client in clients:
        entries = client.value("ACL", "LOG", "100")
        found = {}
        for entry in entries:
            fields = dict(zip(entry[::2], entry[1::2], strict=True))
            found[fields[b"object"]] = fields[b"count"]
            assert b" user=u " in fields[b"client-info"]
        assert found == {b"same": 3, b"at0": 1, b"at1": 1, b"at2": 1, b"keys": 3, b"AUTH": 3}
    stats = clients[1].value("INFO", "stats").decode()
    assert "acl_access_denied_cmd:3\r\n" in stats
    assert clients[2].call("ACL", "LOG", "RESET") == b"+OK\r\n"
    assert all(client.call("ACL", "LOG") == b"*0\r\n" for client in clients)


def test_subscribers_of_all_workers_lose_their_channel(trio: Server, clients: list[Client]) -> None:
    clients[0].call("ACL", "SETUSER", "u", "on", "nopass", "+@all", "&news", "&other")
    listeners = [logged_in(trio, worker, "u") for worker in range(3)]
    for client in listeners:
        client.call("SUBSCRIBE", "news")
    clients[1].call("ACL", "SETUSER", "u", "resetchannels", "&news")
    assert clients[0].call("PUBLISH", "news", "hi") == b":3\r\n"
    assert all(b"hi" in client.read() for client in listeners)
    clients[1].call("ACL", "SETUSER", "u", "resetchannels", "&other")
    for client in listeners:
        with client, pytest.raises(ConnectionError):
            client.call("PING")
    assert clients[0].call("PUBLISH", "news", "hi") == b":0\r\n"


def test_a_transaction_over_several_workers_is_checked_again(
    trio: Server, clients: list[Client]
) -> None:
    clients[0].call("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~acl*")
    with logged_in(trio, 0, "u") as client:
        client.call("MULTI")
        for key in KEYS:
            client.call("SET", key, "v")
        client.call("DBSIZE")
        client.call("MGET", *KEYS)
        clients[1].call("ACL", "SETUSER", "u", "resetkeys", f"~{KEYS[1]}", "-dbsize")
        replies = client.value("EXEC")
    refused = [isinstance(reply, ValueError) for reply in replies]
    assert refused == [True, False, True, True, True]
    assert clients[0].value("MGET", *KEYS) == [None, b"v", None]


@pytest.mark.parametrize("keys", [[KEYS[0]], [KEYS[1]], KEYS], ids=["here", "there", "everywhere"])
def test_a_blocked_command_is_checked_again(
    trio: Server, clients: list[Client], keys: list[str]
) -> None:
    clients[0].call("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~acl*")
    with logged_in(trio, 0, "u") as client:
        client.send(encode("BLPOP", *keys, "0"))
        wait_until(lambda: b"blocked_clients:1" in clients[0].value("INFO", "clients"))
        clients[2].call("ACL", "SETUSER", "u", "-blpop")
        clients[1].call("RPUSH", keys[-1], "v")
        assert client.read() == b"-NOPERM User u has no permissions to run the 'blpop' command\r\n"
        clients[2].call("ACL", "SETUSER", "u", "+blpop")
        assert clients[1].call("LLEN", keys[-1]) == b":1\r\n"
        assert client.value("BLPOP", *keys, "0") == [keys[-1].encode(), b"v"]
        client.send(encode("BLPOP", *keys, "0"))
        clients[1].call("RPUSH", keys[-1], "w")
        assert client.read().endswith(b"$1\r\nw\r\n")


def test_changes_while_workers_die(trio: Server, clients: list[Client]) -> None:
    """What was acknowledged is known to all who are there, also to those who come back."""
    done: list[int] = []

    def change() -> None:
        for i in range(300):
            if clients[2].call("ACL", "SETUSER", f"w{i % 5}", f"~{i}") == b"+OK\r\n":
                done.append(i)

    thread = threading.Thread(target=change)
    thread.start()
    with connect_to(trio, 2) as watcher:
        for victim in (0, 1, 0):
            kill(watcher, victim)
    thread.join()
    for worker in range(3):
        wait_until(lambda worker=worker: pid_of(clients[2], worker) != 0)  # type: ignore[misc]
        with connect_to(trio, worker) as fresh:
            lines = fresh.call("ACL", "LIST")
            assert lines == clients[2].call("ACL", "LIST")
            assert all(f"~{i} ".encode() in lines for i in done)
    assert done
