"""CONFIG, MEMORY, ROLE, TIME, SHUTDOWN, LOLWUT and what there is of ACL without users."""

import hashlib
import re
import time

import pytest

from shmredis.commands.context import ShutdownMode
from tests.commands.python_commands import FakeClient, FakeServer

SYNTAX = b"-ERR syntax error\r\n"
NOT_INTEGER = b"-ERR value is not an integer or out of range\r\n"


def test_config_get_and_set(client: FakeClient) -> None:
    assert client.call("CONFIG", "GET", "hz", "nosuch") == b"*2\r\n$2\r\nhz\r\n$2\r\n10\r\n"
    assert client.call("CONFIG", "SET", "hz", "20", "port", "1") == b"+OK\r\n"
    client.call("HELLO", "3")
    assert client.call("CONFIG", "GET", "hz") == b"%1\r\n$2\r\nhz\r\n$2\r\n20\r\n"


def test_config_set_errors(client: FakeClient) -> None:
    assert client.call("CONFIG", "SET", "nosuchparam", "1") == (
        b"-ERR Unknown option or number of arguments for CONFIG SET - 'nosuchparam'\r\n"
    )
    wrong = b"-ERR wrong number of arguments for 'config|set' command\r\n"
    assert client.call("CONFIG", "SET", "hz") == wrong
    assert client.call("CONFIG", "SET", "hz", "1", "port") == b"-ERR syntax error\r\n"


def test_config_rewrite_needs_a_file(server: FakeServer) -> None:
    client = server.connect()
    error = b"-ERR The server is running without a config file\r\n"
    assert client.call("CONFIG", "REWRITE") == error
    server.config.path = "/etc/shmredis.conf"
    assert client.call("CONFIG", "REWRITE") == b"+OK\r\n"
    assert server.config.rewrites == 1


def test_memory_stats_in_both_protocols(client: FakeClient) -> None:
    client.call("SET", "k", "v")
    reply = client.call("MEMORY", "STATS")
    assert reply.startswith(b"*74\r\n$14\r\npeak.allocated\r\n:")
    assert b"$4\r\ndb.0\r\n*4\r\n$23\r\noverhead.hashtable.main\r\n:" in reply
    assert b"$10\r\nkeys.count\r\n:1\r\n" in reply
    client.call("HELLO", "3")
    reply = client.call("MEMORY", "STATS")
    assert reply.startswith(b"%37\r\n")
    assert re.search(rb"\$15\r\npeak\.percentage\r\n,\d+", reply)


def test_memory_doctor_and_malloc_stats(client: FakeClient) -> None:
    assert client.call("MEMORY", "DOCTOR").startswith(b"$38\r\nToo little memory is in use")
    assert client.call("MEMORY", "PURGE") == b"+OK\r\n"
    client.call("SET", "k", "v")
    assert b"entry: " in client.call("MEMORY", "MALLOC-STATS")
    client.call("DEBUG", "POPULATE", "20000", "key", "500")
    assert b"No problem with memory" in client.call("MEMORY", "DOCTOR")
    client.call("FLUSHALL", "SYNC")
    client.call("DEBUG", "POPULATE", "12000", "key", "500")
    assert b"Peak: " in client.call("MEMORY", "DOCTOR")


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("ROLE", b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"),
        ("MODULE LIST", b"*0\r\n"),
        ("SHUTDOWN FOO", SYNTAX),
        ("SHUTDOWN SAVE NOSAVE", SYNTAX),
        ("SHUTDOWN ABORT NOW", SYNTAX),
        ("SHUTDOWN NOW ABORT", SYNTAX),
        ("SHUTDOWN ABORT", b"-ERR No shutdown in progress.\r\n"),
        ("LOLWUT VERSION x", NOT_INTEGER),
        ("ACL WHOAMI", b"$7\r\ndefault\r\n"),
        ("ACL USERS", b"*1\r\n$7\r\ndefault\r\n"),
        ("ACL LIST", b"*1\r\n$51\r\nuser default on nopass sanitize-payload ~* &* +@all\r\n"),
        ("ACL CAT nosuch", b"-ERR Unknown category 'nosuch'\r\n"),
        ("ACL GETUSER no", b"$-1\r\n"),
        ("ACL GENPASS x", NOT_INTEGER),
        (
            "ACL GENPASS 4097",
            b"-ERR ACL GENPASS argument must be the number of bits for the output password, a "
            b"positive number up to 4096\r\n",
        ),
    ],
)
def test_server_replies(client: FakeClient, words: str, reply: bytes) -> None:
    assert client.call(*words.split(" ")) == reply


def test_time_is_seconds_and_microseconds(client: FakeClient) -> None:
    before = time.time_ns() // 1000
    found = re.fullmatch(rb"\*2\r\n\$10\r\n(\d+)\r\n\$\d\r\n(\d+)\r\n", client.call("TIME"))
    assert found
    assert before <= int(found[1]) * 10**6 + int(found[2]) <= time.time_ns() // 1000


def test_lastsave_is_the_start(server: FakeServer) -> None:
    assert server.connect().call("LASTSAVE") == b":%d\r\n" % int(server.facts.started_s)


def test_shutdown_asks_the_server(server: FakeServer) -> None:
    client = server.connect()
    failed = b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
    assert client.call("SHUTDOWN") == failed
    assert client.call("SHUTDOWN", "nosave", "NOW", "FORCE") == failed
    assert client.call("SHUTDOWN", "SAVE") == failed
    assert server.shutdowns == [
        (ShutdownMode.DEFAULT, False, False),
        (ShutdownMode.NOSAVE, True, True),
        (ShutdownMode.SAVE, False, False),
    ]


def test_lolwut_ends_with_the_version(client: FakeClient) -> None:
    assert client.call("LOLWUT").endswith(b"Redis ver. 8.10.2\n\r\n")
    assert client.call("LOLWUT", "VERSION", "5", "1").endswith(b"Redis ver. 8.10.2\n\r\n")


def test_acl_with_a_password(server: FakeServer) -> None:
    client = server.connect()
    server.config.set([("requirepass", "foo")])
    digest = hashlib.sha256(b"foo").hexdigest().encode()
    assert client.call("ACL", "LIST") == (
        b"*1\r\n$110\r\nuser default on sanitize-payload #%b ~* &* +@all\r\n" % digest
    )
    assert b"$9\r\npasswords\r\n*1\r\n$64\r\n%b\r\n" % digest in client.call(
        "ACL", "GETUSER", "default"
    )


def test_acl_cat_and_genpass(client: FakeClient) -> None:
    assert client.call("ACL", "CAT").startswith(b"*22\r\n$8\r\nkeyspace\r\n$4\r\nread\r\n")
    assert b"$11\r\nclient|kill\r\n" in client.call("ACL", "CAT", "dangerous")
    assert len(client.call("ACL", "GENPASS")) == len("$64\r\n\r\n") + 64
    assert re.fullmatch(rb"\$2\r\n[0-9a-f]{2}\r\n", client.call("ACL", "GENPASS", "5"))
