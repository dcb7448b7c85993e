"""Input that no honest client sends: each gets Redis's answer, and nobody else notices."""

import random
import re
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import Server, running, wait_until

StartServer = Callable[..., Server]
KIB, MIB = 1 << 10, 1 << 20
PROTOCOL = b"-ERR Protocol error: %b\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for all hostile clients of this file; it must outlive them."""
    with running("--loglevel", "verbose") as server:
        (worker,) = server.children()
        yield server
        assert server.children() == [worker], server.log()
        assert "Traceback" not in server.log()


@pytest.fixture
def bystander(server: Server) -> Iterator[Client]:
    """A client that does no harm and must not come to any."""
    with server.client() as client:
        assert client.call("FLUSHALL") == b"+OK\r\n"
        assert client.call("SET", "bystander", "well") == b"+OK\r\n"
        yield client
        assert client.call("GET", "bystander") == b"$4\r\nwell\r\n"


def answer(server: Server, data: bytes, *, half_close: bool = False) -> bytes:
    """All that the server says to these bytes until it closes or has answered an ECHO after them."""
    with server.client() as client:
        sock = client.sock
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return _read_all(sock)
        except ConnectionError:
            return b""


def _read_all(sock: socket.socket) -> bytes:
    said = b""
    try:
        while more := sock.recv(64 * KIB):
            said += more
    except ConnectionResetError:  # it closed before it had read all of ours
        pass
    return said


def worker_rss(server: Server) -> int:
    """Bytes of the worker's own memory, the arena not counted."""
    (pid,) = server.children()
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * KIB
    raise AssertionError("no RssAnon")


def info(client: Client, section: str) -> dict[str, str]:
    text: bytes = client.value("INFO", section)
    return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)


def alone(client: Client) -> bool:
    return info(client, "clients")["connected_clients"] == "1"


# --- frames that are wrong: an error, and the connection is closed ---


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"*x\r\n", b"invalid multibulk length"),
        (b"*\r\n", b"invalid multibulk length"),
        (b"*01\r\n$4\r\nPING\r\n", b"invalid multibulk length"),
        (b"*+1\r\n$4\r\nPING\r\n", b"invalid multibulk length"),
        (b"*2147483648\r\n", b"invalid multibulk length"),
        (b"*99999999999999999999\r\n", b"invalid multibulk length"),
        (b"*1\r\n$-1\r\n", b"invalid bulk length"),
        (b"*1\r\n$x\r\n", b"invalid bulk length"),
        (b"*1\r\n$\r\n", b"invalid bulk length"),
        (b"*1\r\n$ 4\r\nPING\r\n", b"invalid bulk length"),
        (b"*1\r\n$04\r\nPING\r\n", b"invalid bulk length"),
        (b"*1\r\n$+4\r\nPING\r\n", b"invalid bulk length"),
        (b"*1\r\n$536870913\r\n", b"invalid bulk length"),
        (b"*1\r\n$9223372036854775807\r\n", b"invalid bulk length"),
        (b"*1\r\n$9223372036854775808\r\n", b"invalid bulk length"),
        (b"*1\r\n:5\r\n", b"expected '$', got ':'"),
        (b"*1\r\nPING\r\n", b"expected '$', got 'P'"),
        (b"*1\r\n\x01PING\r\n", b"expected '$', got '\x01'"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\nfoo\r\n", b"expected '$', got 'f'"),
        (b'PING "abc\r\n', b"unbalanced quotes in request"),
        (b"PING 'a'b\r\n", b"unbalanced quotes in request"),
        (b"A" * (64 * KIB + 1), b"too big inline request"),
        (b"*" + b"1" * (64 * KIB), b"too big mbulk count string"),
        (b"*1\r\n$" + b"1" * (64 * KIB), b"too big bulk count string"),
        (b"PI\0NG\r\n" + b"A" * (64 * KIB), b"too big inline request"),
        (b"*\0001\r\n" + b"A" * (64 * KIB), b"too big mbulk count string"),
        (b"*1\r\n$4\0\r\nPING\r\n", b"invalid bulk length"),
    ],
)
def test_a_protocol_error_is_told_and_closes(
    server: Server, bystander: Client, data: bytes, what: bytes
) -> None:
    assert answer(server, data) == PROTOCOL % what


@pytest.mark.parametrize("extra", [1, 2 * MIB])
def test_an_inline_line_that_is_too_long_in_one_piece(
    server: Server, bystander: Client, extra: int
) -> None:
    said = answer(server, b"A" * (64 * KIB + extra) + b"\r\nSET bystander ill\r\n")
    assert said in (b"", PROTOCOL % b"too big inline request")


def test_commands_before_a_protocol_error_are_answered(server: Server, bystander: Client) -> None:
    said = answer(server, encode("SET", "k", "v") + encode("GET", "k") + b"*1\r\n$x\r\nPING\r\n")
    assert said == b"+OK\r\n$1\r\nv\r\n" + PROTOCOL % b"invalid bulk length"


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET bystander ill\r\n",
        b"Host: x\r\nSET bystander ill\r\n",
        b"*1\r\n$4\r\npost\r\nSET bystander ill\r\n",
    ],
)
def test_lines_of_http_close_the_connection_without_a_word(
    server: Server, bystander: Client, data: bytes
) -> None:
    assert answer(server, data) == b""
    wait_until(lambda: "Possible SECURITY ATTACK detected." in server.log())


# --- frames that are odd, but not wrong ---


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"*0\r\nPING\r\n", b"+PONG\r\n"),
        (b"*-5\r\nPING\r\n", b"+PONG\r\n"),
        (b"\r\n\r\nPING\r\n", b"+PONG\r\n"),
        (b"  \r\n  PING\r\n", b"+PONG\r\n"),
        (b"PING\n", b"+PONG\r\n"),
        (b"'PING'\r\n", b"+PONG\r\n"),
        (b'"PI\\x4eG"\r\n', b"+PONG\r\n"),
        (b"PING\rabc\n", b"$3\r\nabc\r\n"),
        (b"*1\rX$4\rXPING\r\n", b"+PONG\r\n"),
        (b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n", b"+PONG\r\n+PONG\r\n"),
        (b"*1\r\n$0\r\n\r\n", b"-ERR unknown command ''\r\n"),
        (b"\xff\xfe\r\n", b"-ERR unknown command '\xff\xfe'\r\n"),
        (
            b"*1\r\n$4\r\nPI\r\nPING\r\n",
            b"-ERR unknown command 'PI  '\r\n-ERR unknown command 'NG'\r\n",
        ),
        (b"A" * (64 * KIB) + b"\r\n", b"-ERR unknown command '" + b"A" * 128 + b"'\r\n"),
        (b"$4\r\nPING\r\n", b"-ERR unknown command '$4'\r\n+PONG\r\n"),
    ],
)
def test_odd_frames_are_understood_as_redis_does(
    server: Server, bystander: Client, data: bytes, reply: bytes
) -> None:
    assert answer(server, data, half_close=True) == reply


@pytest.mark.parametrize(
    "data",
    [
        b"*2\r\n$4\r\nPI",
        b"*",
        b"*1\r\n",
        b"*2\r\n$3\r\nGET\r\n$100000\r\nabc",
        b"PING",
        b"PI\0NG\r\nPING\r\n",  # a line does not end behind a zero byte
        b"*1\0\r\n$4\r\nPING\r\n",
    ],
)
def test_a_command_that_is_cut_off_by_the_end_gets_no_reply(
    server: Server, bystander: Client, data: bytes
) -> None:
    assert answer(server, encode("PING") + data, half_close=True) == b"+PONG\r\n"
    wait_until(lambda: alone(bystander))


def test_a_command_in_single_bytes_is_answered(server: Server, bystander: Client) -> None:
    with server.client() as client:
        for byte in encode("SET", "slow", "v" * 50) + b"GET slow\r\n":
            client.send(bytes([byte]))
        assert client.read() == b"+OK\r\n"
        assert client.read() == b"$50\r\n" + b"v" * 50 + b"\r\n"


# --- an unauthenticated client may not make us wait for much ---


def test_what_an_unauthenticated_client_may_announce(start_server: StartServer) -> None:
    server = start_server("--requirepass", "secret")
    assert answer(server, b"*11\r\n") == PROTOCOL % b"unauthenticated multibulk length"
    assert answer(server, b"*1\r\n$16385\r\n") == PROTOCOL % b"unauthenticated bulk length"
    with server.client() as client:
        client.send(b"*2\r\n$4\r\nAUTH\r\n$16384\r\n" + b"x" * 16384 + b"\r\n")
        assert client.read().startswith(b"-WRONGPASS")
        assert client.call("MGET", *["k"] * 9) == b"-NOAUTH Authentication required.\r\n"
    with server.client() as client:
        assert client.call("AUTH", "secret") == b"+OK\r\n"
        assert client.call("MGET", *["k"] * 11) == b"*11\r\n" + b"$-1\r\n" * 11
        assert client.call("SET", "k", "v" * 20_000) == b"+OK\r\n"


# --- large things ---


def test_a_million_arguments(server: Server, bystander: Client) -> None:
    count = 1_000_000
    with server.client(timeout=100) as client:
        words = b"$1\r\nx\r\n" * count
        client.send(b"*%d\r\n$3\r\nDEL\r\n" % (count + 1) + words)
        assert client.read() == b":0\r\n"
        client.send(b"*%d\r\n$4\r\nPONG\r\n" % (count + 1) + words)
        assert client.read().startswith(b"-ERR unknown command 'PONG', with args beginning with: ")


@pytest.mark.parametrize("size", [10, 1000])
def test_what_has_come_of_many_arguments_is_seldom_copied(
    server: Server, bystander: Client, size: int
) -> None:
    """Its buffer grows by a part of itself, not for each argument."""
    count, pieces = 4 * MIB // size, 80
    data = encode("MSET", *["x" * size] * count)
    step = len(data) // (pieces + 1)
    sizes = set()
    with server.client() as client:
        for sent in range(step, step * pieces, step):
            client.send(data[sent - step : sent])
            wait_until(lambda sent=sent: query_buffer(bystander)[0] == sent)  # type: ignore[misc]
            sizes.add(sum(query_buffer(bystander)))
    assert len(sizes) < pieces / 2


def query_buffer(bystander: Client) -> tuple[int, int]:
    """Used and free bytes of the largest of all clients."""
    text = bystander.call("CLIENT", "LIST").decode()
    return max((int(u), int(f)) for u, f in re.findall(r"qbuf=(\d+) qbuf-free=(\d+)", text))


def test_announced_lengths_take_no_memory_until_bytes_come(
    server: Server, bystander: Client
) -> None:
    before = worker_rss(server)
    clients = [server.client() for _ in range(50)]
    for client in clients[:25]:
        client.send(b"*2\r\n$3\r\nGET\r\n$536870912\r\nabc")
    for client in clients[25:]:
        client.send(b"*2147483647\r\n$3\r\nGET\r\n")
    wait_until(lambda: bystander.call("CLIENT", "LIST").count(b"qbuf=0 ") <= 1)
    assert worker_rss(server) - before < 100 * MIB
    assert int(info(bystander, "memory")["mem_clients_normal"]) < 200 * MIB
    for client in clients:
        client.close()
    wait_until(lambda: alone(bystander))


def test_a_limit_of_bulk_lengths_is_obeyed(start_server: StartServer) -> None:
    server = start_server("--proto-max-bulk-len", "1mb")
    with server.client() as client:
        assert client.call("SET", "k", b"x" * MIB) == b"+OK\r\n"
        assert client.call("APPEND", "k", "x") == (
            b"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"
        )
        assert client.call("SETRANGE", "k", MIB, "x") == (
            b"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"
        )
        assert client.call("STRLEN", "k") == b":%d\r\n" % MIB
    assert answer(server, b"*2\r\n$3\r\nGET\r\n$1048577\r\n") == PROTOCOL % b"invalid bulk length"


def test_empty_keys_fields_and_values(server: Server, bystander: Client) -> None:
    with server.client() as client:
        assert client.call("SET", "", "") == b"+OK\r\n"
        assert client.call("GET", "") == b"$0\r\n\r\n"
        assert client.call("RENAME", "", "other") == b"+OK\r\n"
        assert client.call("HSET", "", "", "") == b":1\r\n"
        assert client.call("HGETALL", "") == b"*2\r\n$0\r\n\r\n$0\r\n\r\n"
        assert client.call("DEL", "") == b":1\r\n"
        assert client.call("SADD", "", "") == b":1\r\n"
        assert client.call("SMEMBERS", "") == b"*1\r\n$0\r\n\r\n"


def test_half_a_gigabyte_as_a_value_and_as_a_key(start_server: StartServer) -> None:
    server = start_server()
    before = worker_rss(server)
    size = 512 * MIB
    data = random.Random(1).randbytes(64 * KIB) * (size // (64 * KIB))
    with server.client(timeout=60) as client:
        client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % size)
        client.send(data)
        client.send(b"\r\n")
        assert client.read() == b"+OK\r\n"
        assert client.call("APPEND", "k", "x").startswith(b"-ERR string exceeds maximum")
        client.send(encode("GET", "k"))
        assert receive_bulk(client.sock, size) == data
        assert client.call("DEL", "k") == b":1\r\n"
        client.send(b"*3\r\n$3\r\nSET\r\n$%d\r\n" % size)
        client.send(data)
        client.send(b"\r\n$1\r\nv\r\n")
        assert client.read() == b"+OK\r\n"
        assert client.call("DBSIZE") == b":1\r\n"
        assert client.call("FLUSHALL") == b"+OK\r\n"
        client.call("MEMORY", "PURGE")
        wait_until(lambda: int(info(client, "memory")["used_memory"]) < 16 * MIB)
        wait_until(lambda: worker_rss(server) - before < 150 * MIB)
    assert shm_bytes(server) < 64 * MIB


def receive_bulk(sock: socket.socket, size: int) -> bytes:
    """The bytes of one bulk string of this size."""
    head = b"$%d\r\n" % size
    whole = bytearray(len(head) + size + 2)
    view, at = memoryview(whole), 0
    while at < len(whole):
        got = sock.recv_into(view[at:])
        assert got, "closed by the server"
        at += got
    assert whole.startswith(head)
    return bytes(view[len(head) : -2])


def shm_bytes(server: Server) -> int:
    return sum(path.stat().st_blocks * 512 for path in server.shm_objects())


# --- clients that leave, or do not read ---


def test_connections_dropped_in_the_middle_leave_nothing(server: Server, bystander: Client) -> None:
    big = encode("SET", "dropped", b"x" * (2 * MIB))
    for cut in (1, 10, 30, 100_000, MIB):
        for reset in (False, True):
            client = server.client()
            client.send(big[:cut])
            if reset:
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
    wait_until(lambda: alone(bystander))
    assert bystander.call("EXISTS", "dropped") == b":0\r\n"
    wait_until(lambda: int(info(bystander, "memory")["mem_clients_normal"]) < MIB)


def test_a_client_that_leaves_without_its_replies(server: Server, bystander: Client) -> None:
    assert bystander.call("SET", "big", b"x" * (4 * MIB)) == b"+OK\r\n"
    for _ in range(10):
        client = server.client()
        client.send(encode("GET", "big") * 10 + encode("INCR", "counter"))
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    wait_until(lambda: alone(bystander))
    assert bystander.call("STRLEN", "big") == b":%d\r\n" % (4 * MIB)


def test_a_client_that_does_not_read_is_not_read_from(server: Server, bystander: Client) -> None:
    """The replies to what it sent would be 4 GiB; what the server keeps for it stays bounded."""
    assert bystander.call("SET", "big", b"x" * (4 * MIB)) == b"+OK\r\n"
    before = worker_rss(server)
    with server.client() as client:
        client.send(encode("GET", "big") * 1000)
        reader = encode("GET", "bystander")
        for _ in range(200):
            bystander.send(reader)
            assert bystander.read() == b"$4\r\nwell\r\n"
        assert worker_rss(server) - before < 400 * MIB
        for _ in range(50):
            assert len(receive_bulk(client.sock, 4 * MIB)) == 4 * MIB
    wait_until(lambda: alone(bystander))
    wait_until(lambda: worker_rss(server) - before < 100 * MIB)


def test_a_pipeline_whose_replies_are_read_late_is_answered_in_order(
    server: Server, bystander: Client
) -> None:
    count = 200_000
    with server.client() as client:
        client.sock.settimeout(30)
        payload = b"".join(encode("ECHO", f"{i:06d}") for i in range(count))
        wanted = b"".join(b"$6\r\n%06d\r\n" % i for i in range(count))
        client.send(payload)
        got = bytearray()
        while len(got) < len(wanted):
            got += client.sock.recv(MIB)
        assert bytes(got) == wanted


@pytest.mark.parametrize("limit", ["1mb 0 0", "0 1mb 1"])
def test_the_output_limit_closes_a_client_that_does_not_read(
    start_server: StartServer, limit: str
) -> None:
    server = start_server("--client-output-buffer-limit", "normal", *limit.split())
    with server.client() as bystander, server.client() as client:
        assert bystander.call("SET", "big", b"x" * (4 * MIB)) == b"+OK\r\n"
        client.send(encode("GET", "big") * 20)
        wait_until(lambda: alone(bystander))
        assert info(bystander, "stats")["client_output_buffer_limit_disconnections"] == "1"
        assert "closed ASAP for overcoming of output buffer limits" in server.log()
        client.sock.settimeout(5)
        with pytest.raises((ConnectionError, AssertionError)):
            for _ in range(20):
                receive_bulk(client.sock, 4 * MIB)


def test_the_query_buffer_limit_closes(start_server: StartServer) -> None:
    server = start_server("--client-query-buffer-limit", "1mb")
    with server.client() as bystander:
        said = answer(server, b"*2\r\n$4\r\nECHO\r\n$3000000\r\n" + b"x" * 2_900_000)
        assert said == b""
        wait_until(lambda: alone(bystander))
        assert info(bystander, "stats")["client_query_buffer_limit_disconnections"] == "1"


# --- noise ---


def test_random_bytes(server: Server, bystander: Client) -> None:
    rng = random.Random(20)
    before = worker_rss(server)
    for _ in range(150):
        answer(server, rng.randbytes(rng.randrange(1, 2000)), half_close=True)
    wait_until(lambda: alone(bystander))
    assert worker_rss(server) - before < 20 * MIB


def test_damaged_commands(server: Server, bystander: Client) -> None:
    """Good commands with some bytes changed; the server may answer what it likes, but stays."""
    rng = random.Random(21)
    words = [b"SET", b"a", b"1", b"HSET", b"f", b"LPUSH", b"GETRANGE", b"-1", b"ZADD", b"INCR", b""]
    alphabet = b"$*\r\n0123456789-:+ax\"'\\\x00\xff"
    for _ in range(300):
        frames = bytearray()
        for _ in range(rng.randrange(1, 6)):
            frames += encode(*rng.choices(words, k=rng.randrange(1, 7)))
        for _ in range(rng.randrange(1, 5)):
            frames[rng.randrange(len(frames))] = rng.choice(alphabet)
        answer(server, bytes(frames), half_close=True)
    bystander.call("SET", "bystander", "well")
    wait_until(lambda: alone(bystander))


def test_names_that_are_no_text(server: Server, bystander: Client) -> None:
    with server.client() as client:
        assert client.call("LATENCY", "RESET", b"\xbb") == b":0\r\n"
        assert client.call("LATENCY", "HISTORY", b"\xbb") == b"*0\r\n"
