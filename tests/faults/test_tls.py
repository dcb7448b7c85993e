"""TLS: with and without certificates of clients, beside plain connections, and what does not start."""

import os
import random
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.certificates import Certificates, make_certificates
from tests.harness.ports import free_port
from tests.harness.resp import encode
from tests.harness.server import ROOT, Server, wait_until

StartServer = Callable[..., Server]


def options(certificates: Certificates, port: int, auth: str, *more: str) -> list[str]:
    return [
        *("--tls-port", str(port), "--tls-auth-clients", auth),
        *("--tls-cert-file", str(certificates.server)),
        *("--tls-key-file", str(certificates.server_key)),
        *("--tls-ca-cert-file", str(certificates.authority)),
        *more,
    ]


def context(certificates: Certificates, *, own: bool) -> ssl.SSLContext:
    """A client's context, with a certificate of its own or without."""
    made = ssl.create_default_context(cafile=str(certificates.authority))
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if own:
        made.load_cert_chain(certificates.client, certificates.client_key)
    return made


def talk(port: int, tls: ssl.SSLContext, data: bytes, size: int) -> bytes:
    """What comes back to these bytes, so many at least."""
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        tls.wrap_socket(plain, server_hostname="127.0.0.1") as sock,
    ):
        sock.sendall(data)
        got = bytearray()
        while len(got) < size and (more := sock.recv(1 << 16)):
            got += more
        return bytes(got)


def may_talk(port: int, tls: ssl.SSLContext) -> bool:
    try:
        return talk(port, tls, b"PING\r\n", 7) == b"+PONG\r\n"
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.mark.parametrize(
    ("auth", "without", "with_one"),
    [("yes", False, True), ("no", True, True), ("optional", True, True)],
)
def test_certificates_of_clients(
    start_server: StartServer,
    certificates: Certificates,
    auth: str,
    without: bool,
    with_one: bool,
) -> None:
    port = free_port()
    server = start_server(*options(certificates, port, auth))
    assert may_talk(port, context(certificates, own=False)) is without
    assert may_talk(port, context(certificates, own=True)) is with_one
    with server.client() as client:
        assert client.call("PING") == b"+PONG\r\n"
        wait_until(
            lambda: b"connected_clients:1\r\n" in client.value("INFO", "clients")
        )  # nor does a failed handshake leave anything
    assert "Ready to accept connections tls" in server.log()


def test_a_certificate_of_a_stranger_is_refused(
    start_server: StartServer, certificates: Certificates, tmp_path: Path
) -> None:
    port = free_port()
    start_server(*options(certificates, port, "optional"))
    stranger = make_certificates(tmp_path)
    tls = context(certificates, own=False)
    tls.load_cert_chain(stranger.client, stranger.client_key)
    assert not may_talk(port, tls)
    assert may_talk(port, context(certificates, own=True))


def test_large_values_and_pipelines_over_tls(
    start_server: StartServer, certificates: Certificates
) -> None:
    port = free_port()
    server = start_server(*options(certificates, port, "no"))
    tls = context(certificates, own=False)
    value = random.Random(3).randbytes(8 << 20)
    reply = b"$%d\r\n%b\r\n" % (len(value), value)
    data = encode("SET", "k", value) + encode("GET", "k") * 3 + encode("PING")
    wanted = b"+OK\r\n" + reply * 3 + b"+PONG\r\n"
    assert talk(port, tls, data, len(wanted)) == wanted
    pings = encode("ECHO", "x" * 50) * 20_000
    wanted = (b"$50\r\n" + b"x" * 50 + b"\r\n") * 20_000
    assert talk(port, tls, pings, len(wanted)) == wanted
    with server.client() as client:
        assert client.value("GET", "k") == value


def test_tls_alone(start_server: StartServer, certificates: Certificates) -> None:
    """With port 0 there is no plain port; the harness's own client needs one."""
    port = free_port()
    argv = [sys.executable, "-m", "shmredis.front.main", "--port", "0", "--bind", "127.0.0.1"]
    argv += ["--save", "", "--shm-name", f"shmredis-test-tls-{os.getpid()}"]
    process = subprocess.Popen(
        [*argv, *options(certificates, port, "no")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: may_talk(port, context(certificates, own=False)), 20)
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_plain_text_on_the_tls_port_is_dropped(
    start_server: StartServer, certificates: Certificates
) -> None:
    port = free_port()
    start_server(*options(certificates, port, "no"))
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(b"PING\r\n" * 100)
        assert b"PONG" not in sock.makefile("rb").read()
    assert may_talk(port, context(certificates, own=False))


def test_clients_that_never_finish_the_handshake_do_not_block_others(
    start_server: StartServer, certificates: Certificates
) -> None:
    port = free_port()
    start_server(*options(certificates, port, "no"))
    silent = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(20)]
    for sock in silent[:10]:
        sock.sendall(b"\x16\x03\x01")
    assert may_talk(port, context(certificates, own=False))
    for sock in silent:
        sock.close()
    assert may_talk(port, context(certificates, own=False))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (["--tls-cert-file", "/nonexistent"], "No such file or directory"),
        (["--tls-protocols", "TLSv1.9"], "tls-protocols: unknown version tlsv1.9"),
        (["--tls-ca-cert-file", "", "--tls-auth-clients", "yes"], "must be specified"),
    ],
)
def test_settings_that_cannot_work_are_told(
    certificates: Certificates, change: list[str], why: str
) -> None:
    argv = [sys.executable, "-m", "shmredis.front.main", "--port", str(free_port())]
    argv += ["--bind", "127.0.0.1", *options(certificates, free_port(), "no", *change)]
    done = subprocess.run(
        argv,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert "Failed to configure TLS" in done.stdout
    assert why in done.stdout


def test_who_uses_tls_is_served_while_a_script_runs_for_long(
    start_server: StartServer, certificates: Certificates
) -> None:
    port = free_port()
    server = start_server(*options(certificates, port, "no"), "--busy-reply-threshold", "20")
    tls = context(certificates, own=False)
    endless = encode("EVAL", "while true do end", "0")
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        tls.wrap_socket(plain, server_hostname="127.0.0.1") as asker,
        server.client() as other,
    ):
        asker.sendall(endless + encode("PING"))
        wait_until(lambda: other.call("GET", "x").startswith(b"-BUSY"))
        busy = b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"
        assert talk(port, tls, encode("GET", "x"), len(busy)) == busy
        assert talk(port, tls, encode("SCRIPT", "KILL"), 5) == b"+OK\r\n"
        replies = asker.makefile("rb")
        assert replies.readline().startswith(b"-ERR Script killed by user with SCRIPT KILL")
        assert replies.readline() == b"+PONG\r\n"
        assert other.call("GET", "x") == b"$-1\r\n"


@pytest.mark.parametrize("workers", [1, 3])
def test_a_certificate_may_say_who_the_client_is(
    start_server: StartServer, certificates: Certificates, workers: int
) -> None:
    port = free_port()
    words = options(certificates, port, "optional", "--tls-auth-clients-user", "CN")
    server = start_server(*words, "--requirepass", "secret", workers=workers)
    asked = b"ACL WHOAMI\r\n"
    own = context(certificates, own=True)
    assert talk(port, own, asked, 9) == b"-NOAUTH Authentication required.\r\n"
    with server.client() as admin:
        admin.call("AUTH", "secret")
        assert admin.call("ACL", "SETUSER", "client", "on", "+acl|whoami") == b"+OK\r\n"
        assert talk(port, own, asked, 9) == b"$6\r\nclient\r\n"
        none = context(certificates, own=False)
        assert talk(port, none, asked, 9) == b"-NOAUTH Authentication required.\r\n"
        admin.call("ACL", "SETUSER", "client", "off")
        assert talk(port, own, asked, 9) == b"-NOAUTH Authentication required.\r\n"
        assert "acl_access_denied_tls_cert:2\r\n" in admin.value("INFO", "stats").decode()
        entry = admin.value("ACL", "LOG")[0]
        fields = dict(zip(entry[::2], entry[1::2], strict=True))
        assert (fields[b"reason"], fields[b"username"]) == (b"tls-cert", b"client")
        assert fields[b"count"] == 2
