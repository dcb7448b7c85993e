"""Where the server listens can be changed while it runs, and what is said when that cannot be."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.test_tls import context, may_talk, options
from tests.harness.certificates import Certificates
from tests.harness.ports import free_port
from tests.harness.server import Server, running

StartServer = Callable[..., Server]
OK = b"+OK\r\n"


@pytest.fixture(params=[1, 2])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(workers=request.param) as server:
        yield server


def set_failed(name: str, why: str) -> bytes:
    return f"-ERR CONFIG SET failed (possibly related to argument '{name}') - {why}\r\n".encode()


def answers(port: int, host: str = "127.0.0.1") -> bool:
    try:
        with socket.create_connection((host, port), 5) as sock:
            sock.sendall(b"PING\r\n")
            return sock.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def test_another_port(server: Server) -> None:
    """Clients that are there stay; the old port is free."""
    port = free_port()
    with server.client() as client:
        assert client.call("CONFIG", "SET", "port", port) == OK
        assert client.value("CONFIG", "GET", "port") == [b"port", str(port).encode()]
        assert f"port={port}" in client.value("INFO", "server").decode()
        assert answers(port)
        assert not answers(server.port)
        socket.create_server(("127.0.0.1", server.port)).close()
        assert client.call("CONFIG", "SET", "port", server.port) == OK
        assert answers(server.port)


def test_a_port_that_is_taken(server: Server) -> None:
    """Nothing of the command has an effect."""
    with socket.create_server(("127.0.0.1", 0)) as taken, server.client() as client:
        port = taken.getsockname()[1]
        reply = client.call("CONFIG", "SET", "maxmemory", "100mb", "port", port)
        assert reply == set_failed("port", "Unable to listen on this port. Check server logs.")
        shown = client.value("CONFIG", "GET", "port", "maxmemory")
        assert set(shown) == {b"port", str(server.port).encode(), b"maxmemory", b"0"}
    assert answers(server.port)


def test_other_addresses(server: Server) -> None:
    with server.client() as client:
        assert not answers(server.port, "127.0.0.2")
        assert client.call("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2") == OK
        assert answers(server.port, "127.0.0.2")
        assert client.call("CONFIG", "SET", "bind", "* -::*") == OK
        assert answers(server.port, "127.0.0.3")
        assert client.call("CONFIG", "SET", "bind", "127.0.0.1 -192.0.2.1") == OK
        assert not answers(server.port, "127.0.0.2")
        why = "Failed to bind to specified addresses."
        assert client.call("CONFIG", "SET", "bind", "192.0.2.1") == set_failed("bind", why)
        assert answers(server.port)


def test_tls_can_be_switched_on_and_has_new_certificates(
    server: Server, certificates: Certificates, tmp_path: Path
) -> None:
    port = free_port()
    given = options(certificates, port, "no")
    pairs = [word.removeprefix("--") for word in given]
    why = "Unable to update TLS configuration. Check server logs."
    with server.client() as client:
        assert client.call("CONFIG", "SET", "tls-port", port) == set_failed("tls-port", why)
        assert client.call("CONFIG", "SET", *pairs) == OK
        assert may_talk(port, context(certificates, own=False))
        reply = client.call("CONFIG", "SET", "tls-cert-file", str(tmp_path / "none"))
        assert reply == set_failed("tls-cert-file", why)
        assert may_talk(port, context(certificates, own=False))
        assert client.call("CONFIG", "SET", "tls-auth-clients", "yes") == OK
        assert not may_talk(port, context(certificates, own=False))
        assert may_talk(port, context(certificates, own=True))
        assert client.call("CONFIG", "SET", "tls-port", 0) == OK
    assert not may_talk(port, context(certificates, own=True))


def test_more_clients_than_files_are_refused(start_server: StartServer) -> None:
    server = start_server("--maxclients", "100")
    with server.client() as client:
        reply = client.call("CONFIG", "SET", "maxclients", 4_000_000_000)
        assert reply.startswith(
            set_failed("maxclients", "The operating system is not able to handle the").rstrip()
        )
        assert client.value("CONFIG", "GET", "maxclients") == [b"maxclients", b"100"]
        assert client.call("CONFIG", "SET", "maxclients", 101) == OK
