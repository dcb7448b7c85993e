"""Who may connect, for how long, over what: TCP, unix sockets, passwords and limits."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until

StartServer = Callable[..., Server]
WRONGPASS = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
NOAUTH = b"-NOAUTH Authentication required.\r\n"
FULL = b"-ERR max number of clients reached\r\n"


def info(client: Client, section: str) -> dict[str, str]:
    text: bytes = client.value("INFO", section)
    return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)


def number_of(client: Client) -> int:
    """Its id."""
    return int(client.value("CLIENT", "ID"))


# --- maxclients ---


def patient_client(server: Server) -> Client:
    """A client that is let in, if need be when one who has left is forgotten."""
    while True:
        client = server.client()
        if client.call("PING") == b"+PONG\r\n":
            return client
        client.close()


def test_one_client_too_many_is_told_so(start_server: StartServer) -> None:
    server = start_server("--maxclients", "3")
    wait_until(server.answers)
    clients = [patient_client(server) for _ in range(3)]
    with server.client() as fourth:
        assert fourth.read() == FULL
        assert fourth.ended()
    wait_until(lambda: int(info(clients[0], "stats")["rejected_connections"]) >= 1)
    clients.pop().close()
    patient_client(server).close()
    assert clients[0].call("CONFIG", "SET", "maxclients", "12") == b"+OK\r\n"
    more = [server.client() for _ in range(8)]
    assert [client.call("PING") for client in more] == [b"+PONG\r\n"] * 8
    for client in [*clients, *more]:
        client.close()


def test_connections_that_come_at_once_are_all_served(start_server: StartServer) -> None:
    server = start_server("--maxclients", "500")
    clients = [server.client() for _ in range(300)]
    for i, client in enumerate(clients):
        client.send(encode("ECHO", i))
    for i, client in enumerate(clients):
        assert client.read() == b"$%d\r\n%d\r\n" % (len(str(i)), i)
    assert len({number_of(client) for client in clients}) == 300
    for client in clients[1:]:
        client.close()
    wait_until(lambda: info(clients[0], "clients")["connected_clients"] == "1")
    clients[0].close()


# --- idle and dead clients ---


def test_an_idle_client_is_closed_after_the_timeout(start_server: StartServer) -> None:
    server = start_server("--timeout", "1")
    with server.client() as idle, server.client() as busy:
        assert idle.call("PING") == busy.call("PING")
        started = time.monotonic()
        wait_until(lambda: info(busy, "clients")["connected_clients"] == "1")
        assert time.monotonic() - started > 0.9
        assert idle.ended()
        assert busy.call("PING") == b"+PONG\r\n"


def test_keepalive_probes_are_asked_of_the_kernel(start_server: StartServer) -> None:
    server = start_server("--tcp-keepalive", "60")
    with server.client() as client:
        client.call("PING")
        assert keepalive_timer(server.port, client.sock) == "02"
    with start_server("--tcp-keepalive", "0").client() as client:
        client.call("PING")
        assert keepalive_timer(client.sock.getpeername()[1], client.sock) == "00"


def keepalive_timer(port: int, sock: socket.socket) -> str:
    """The kind of timer that the kernel runs for the server's end: 02 is keep-alive."""
    ours, theirs = f":{port:04X}", f":{sock.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(ours) and words[2].endswith(theirs):
            return words[5].split(":")[0]
    pytest.skip("the kernel does not list connections")


# --- passwords ---


def test_a_password_is_asked_for_and_can_change(start_server: StartServer) -> None:
    server = start_server("--requirepass", "one")
    with server.client() as admin, server.client() as other:
        assert admin.call("SET", "k", "v") == NOAUTH
        assert admin.call("HELLO", "3") == (
            b"-NOAUTH HELLO must be called with the client already authenticated, otherwise the "
            b"HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and "
            b"select the RESP protocol version at the same time\r\n"
        )
        assert admin.call("AUTH", "two") == WRONGPASS
        assert admin.call("AUTH", "default", "one") == b"+OK\r\n"
        assert other.call("HELLO", "2", "AUTH", "default", "one").startswith(b"*")
        assert admin.call("CONFIG", "SET", "requirepass", "two") == b"+OK\r\n"
        assert other.call("SET", "k", "v") == b"+OK\r\n"
        with server.client() as late:
            assert late.call("AUTH", "one") == WRONGPASS
            assert late.call("AUTH", "two") == b"+OK\r\n"
        assert admin.call("CONFIG", "SET", "requirepass", "") == b"+OK\r\n"
        with server.client() as late:
            assert late.call("GET", "k") == b"$1\r\nv\r\n"


def test_settings_that_are_too_long_for_the_front_are_refused(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as client:
        for size in (100_000, 140_000, 1_000_000):
            refused = client.call("CONFIG", "SET", "requirepass", "x" * size)
            assert (refused == b"+OK\r\n") == (size == 100_000)
            kept = client.call("CONFIG", "GET", "requirepass")
            assert kept == encode("requirepass", "x" * 100_000)


def test_a_changed_password_outlives_the_worker(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as client:
        assert client.call("CONFIG", "SET", "requirepass", "new") == b"+OK\r\n"
    (pid,) = server.children()
    os.kill(pid, 9)
    wait_until(lambda: server.children() not in ([], [pid]))
    wait_until(server.answers)
    with server.client() as client:
        assert client.call("GET", "k") == NOAUTH
        assert client.call("AUTH", "new") == b"+OK\r\n"


def test_protected_mode_serves_this_machine_only(start_server: StartServer) -> None:
    address = outside_address()
    server = start_server("--bind", "0.0.0.0")
    with server.client() as local:
        assert local.call("PING") == b"+PONG\r\n"
        with socket.create_connection((address, server.port), 10) as sock:
            said = sock.makefile("rb").read()
            assert said.startswith(b"-DENIED Redis is running in protected mode because")
            assert said.count(b"\r\n") == 1
        for change in (("protected-mode", "no"), ("requirepass", "x")):
            assert local.call("CONFIG", "SET", *change) == b"+OK\r\n"
            with socket.create_connection((address, server.port), 10) as sock:
                sock.sendall(b"PING\r\n")
                assert sock.recv(100) in (b"+PONG\r\n", NOAUTH)


def outside_address() -> str:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but loopback")
        address = str(probe.getsockname()[0])
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    return address


# --- CLIENT KILL and PAUSE while in use ---


def test_a_killed_client_is_gone_in_the_middle_of_its_pipeline(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as admin, server.client() as victim:
        number = number_of(victim)
        victim.send(encode("INCR", "n") * 1000)
        assert admin.call("CLIENT", "KILL", "ID", number) == b":1\r\n"
        seen = 0
        try:
            while victim.read():
                seen += 1
        except ConnectionError:
            assert seen <= 1000
        assert info(admin, "clients")["connected_clients"] == "1"
        assert admin.call("CLIENT", "KILL", "ID", number) == b":0\r\n"


def test_a_client_that_kills_itself_gets_its_answer(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as client:
        number = number_of(client)
        client.send(
            encode("CLIENT", "KILL", "ID", number, "SKIPME", "no") + encode("SET", "k", "v")
        )
        assert client.read() == b":1\r\n"
        assert client.ended()
    with server.client() as client:
        assert client.call("EXISTS", "k") == b":0\r\n"


def test_paused_clients_wait_and_are_answered_in_order(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as admin, server.client() as writer, server.client() as reader:
        assert admin.call("CLIENT", "PAUSE", 60_000, "WRITE") == b"+OK\r\n"
        writer.send(encode("SET", "k", "1") + encode("GET", "k") + encode("INCR", "k"))
        assert reader.call("GET", "k") == b"$-1\r\n"
        writer.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            writer.sock.recv(1)
        writer.sock.settimeout(20)
        assert admin.call("CLIENT", "UNPAUSE") == b"+OK\r\n"
        assert receive(writer.sock, 16) == b"+OK\r\n$1\r\n1\r\n:2\r\n"


def receive(sock: socket.socket, size: int) -> bytes:
    """Exactly so many bytes."""
    got = b""
    while len(got) < size:
        more = sock.recv(size - len(got))
        assert more, got
        got += more
    return got


def test_paused_clients_may_leave_or_be_killed(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as admin:
        waiting = [server.client() for _ in range(4)]
        numbers = [number_of(client) for client in waiting]
        assert admin.call("CLIENT", "PAUSE", 60_000, "WRITE") == b"+OK\r\n"
        for client in waiting:
            client.send(encode("SET", "k", "v"))
        for number in numbers[:2]:
            assert admin.call("CLIENT", "KILL", "ID", number) == b":1\r\n"
        for client in waiting:
            client.close()
        assert admin.call("CLIENT", "UNPAUSE") == b"+OK\r\n"
        wait_until(lambda: info(admin, "clients")["connected_clients"] == "1")
        assert admin.call("PING") == b"+PONG\r\n"


def test_a_pause_ends_by_itself(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as admin, server.client() as client:
        started = time.monotonic()
        assert admin.call("CLIENT", "PAUSE", 300) == b"+OK\r\n"
        assert client.call("SET", "k", "v") == b"+OK\r\n"
        assert time.monotonic() - started >= 0.25


# --- unix sockets ---


def unix_call(path: Path, *words: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        sock.sendall(encode(*words))
        return sock.recv(10_000)


def test_a_unix_socket(start_server: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "s"
    server = start_server("--unixsocket", str(path), "--unixsocketperm", "700")
    assert path.stat().st_mode & 0o777 == 0o700
    assert unix_call(path, "SET", "k", "v") == b"+OK\r\n"
    assert f"addr={path}:0 laddr={path}:0".encode() in unix_call(path, "CLIENT", "INFO")
    with server.client() as client:
        assert client.call("GET", "k") == b"$1\r\nv\r\n"
    assert "Ready to accept connections unix" in server.log()
    assert server.stop() == 0
    assert not path.exists()


def test_a_left_over_unix_socket_is_replaced(start_server: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    start_server("--unixsocket", str(path))
    assert unix_call(path, "PING") == b"+PONG\r\n"
