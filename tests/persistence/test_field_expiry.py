"""Fields whose time has come but that nobody has deleted: who touches one deletes it, and logs that.

Else a log would be replayed over fields that were gone: HINCRBY would add to an old number, and give its sum
a time that has passed. Replies, lines of the log and lengths are those of Redis 8.10.
"""

import time

import pytest

from tests.harness.resp import Client, encode
from tests.persistence.logged import LoggedServer, stream

GONE = "HDEL h f"
# command, reply, what is logged, fields then
CASES = [
    ("HGET h f", b"$-1\r\n", [GONE], 2),
    ("HMGET h f g f", b"*3\r\n$-1\r\n$1\r\n2\r\n$-1\r\n", [GONE], 2),
    ("HEXISTS h f", b":0\r\n", [GONE], 2),
    ("HSTRLEN h f", b":0\r\n", [GONE], 2),
    ("HRANDFIELD h 0", b"*0\r\n", [GONE], 2),
    ("HGETDEL h FIELDS 1 f", b"*1\r\n$-1\r\n", [GONE], 2),
    ("HGETDEL h FIELDS 2 g f", b"*2\r\n$1\r\n2\r\n$-1\r\n", [GONE, "HDEL h g f"], 1),
    ("HGETEX h PERSIST FIELDS 1 f", b"*1\r\n$-1\r\n", [GONE], 2),
    ("HGETEX h EX 100 FIELDS 1 f", b"*1\r\n$-1\r\n", [GONE], 2),
    ("HSETNX h f 2", b":1\r\n", [GONE, "HSETNX h f 2"], 3),
    ("HINCRBY h f 2", b":2\r\n", [GONE, "HINCRBY h f 2"], 3),
    ("HINCRBYFLOAT h f 2", b"$1\r\n2\r\n", [GONE, "HSETEX h KEEPTTL FIELDS 1 f 2"], 3),
    ("HSETEX h FNX FIELDS 1 f 7", b":1\r\n", [GONE, "HSETEX h FNX FIELDS 1 f 7"], 3),
    ("HSETEX h FXX FIELDS 1 f 7", b":0\r\n", [GONE], 2),
    # to these it is there
    ("HDEL h f g", b":2\r\n", ["HDEL h f g"], 1),
    ("HSET h f 2", b":0\r\n", ["HSET h f 2"], 3),
    ("HSETEX h KEEPTTL FIELDS 1 f 7", b":1\r\n", ["HSETEX h KEEPTTL FIELDS 1 f 7"], 3),
    ("HEXPIRE h 100 NX FIELDS 1 f", b"*1\r\n:0\r\n", [], 3),
    ("HPEXPIREAT h 4000000000000 XX FIELDS 1 f", b"*1\r\n:1\r\n", None, 3),
    ("HEXPIRE h 0 FIELDS 1 f", b"*1\r\n:2\r\n", [GONE], 2),
    # these leave it alone
    ("HPERSIST h FIELDS 1 f", b"*1\r\n:-2\r\n", [], 3),
    ("HPTTL h FIELDS 2 f g", b"*2\r\n:-2\r\n:-1\r\n", [], 3),
    ("HLEN h", b":3\r\n", [], 3),
]


def make(client: Client, longest: int) -> None:
    client.call("FLUSHALL")
    client.call("HSET", "h", "f", 1, "g", 2, "k", "x" * longest)
    client.call("HPEXPIRE", "h", 1, "FIELDS", 1, "f")
    time.sleep(0.003)


def logged(server: LoggedServer) -> bytes:
    (path,) = server.files().glob("*.incr.aof")
    return path.read_bytes()


@pytest.mark.parametrize("longest", [1, 100], ids=["listpackex", "hashtable"])
def test_one_that_is_touched(server: LoggedServer, longest: int) -> None:
    server.start("--appendfsync", "always")
    with server.client() as client:
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        for command, reply, lines, length in CASES:
            make(client, longest)
            before = len(logged(server))
            assert client.call(*command.split()) == reply, command
            if lines is not None:
                assert logged(server)[before:] == stream(*lines), command
            assert client.call("HLEN", "h") == f":{length}\r\n".encode(), command
            digest = client.call("DEBUG", "DIGEST")
            client.call("DEBUG", "LOADAOF")
            assert client.call("DEBUG", "DIGEST") == digest, command


@pytest.mark.parametrize(
    "command", ["HGET h f", "HMGET h f f", "HRANDFIELD h", "HGETDEL h FIELDS 1 f"]
)
def test_the_key_goes_with_the_last(server: LoggedServer, command: str) -> None:
    server.start("--appendfsync", "always", "--notify-keyspace-events", "KEA")
    with server.client() as client, server.client() as listener:
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        client.call("HSET", "h", "f", 1)
        client.call("HPEXPIRE", "h", 1, "FIELDS", 1, "f")
        time.sleep(0.003)
        listener.call("PSUBSCRIBE", "__keyspace*__:h")
        client.send(encode(*command.split()) + encode("EXISTS", "h"))
        client.read()
        assert client.read() == b":0\r\n"
        assert [listener.read().split(b"\r\n")[-2] for _ in range(2)] == [b"hexpired", b"del"]
    assert logged(server).endswith(stream("HDEL h f"))


def test_a_transaction_over_several_workers_deletes_it(server: LoggedServer) -> None:
    server.start("--appendfsync", "always", workers=3)
    with server.client() as client:
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        names = [f"h{i}" for i in range(8)]
        for name in names:
            client.call("HSET", name, "f", 1, "g", 2)
            client.call("HPEXPIRE", name, 1, "FIELDS", 1, "f")
        time.sleep(0.003)
        client.call("MULTI")
        for name in names:
            client.call("HINCRBY", name, "f", 5)
        assert client.value("EXEC") == [5] * len(names)
        digest = client.call("DEBUG", "DIGEST")
    server.kill()
    server.start(workers=3)
    assert server.digest() == digest
