"""DEBUG: the subcommands of Python, and those of C behind it."""

import re

import pytest

from tests.commands.python_commands import FakeClient, FakeServer
from tests.harness.resp import parse

NOT_INTEGER = b"-ERR value is not an integer or out of range\r\n"


UNKNOWN = "-ERR unknown subcommand or wrong number of arguments for '{}'. Try DEBUG HELP.\r\n"


@pytest.mark.parametrize(
    ("allowed", "addr", "refused"),
    [
        ("no", "127.0.0.1:5", True),
        ("yes", "10.0.0.1:5", False),
        ("local", "127.0.0.1:5", False),
        ("local", "/tmp/sock:0", False),
        ("local", "10.0.0.1:5", True),
    ],
)
def test_debug_is_guarded(server: FakeServer, allowed: str, addr: str, refused: bool) -> None:
    client = server.connect()
    client.addr = addr
    server.config.values["enable-debug-command"] = allowed
    error = (
        b"-ERR DEBUG command not allowed. If the enable-debug-command option is set to "
        b'"local", you can run it from a local connection, otherwise you need to set this option '
        b"in the configuration file, and then restart the server.\r\n"
    )
    assert client.call("DEBUG", "SLEEP", "0") == (error if refused else b"+OK\r\n")


@pytest.mark.parametrize(
    "words",
    [
        "FOO",
        "SLEEP",
        "SLEEP 0 0",
        "OBJECT",
        "OBJECT k fast",
        "JMAP",
        "MALLCTL x",
        "REPLICATE",
        "ASSERT x",
        "DIGEST x",
        "HTSTATS",
        "POPULATE",
        "POPULATE 1 a 1 x",
        "CHANGE-REPL-ID x",
        "REPLYBUFFER",
        "REPLYBUFFER FOO x",
        "LISTPACK",
        "help x",
        "STRINGMATCH-LEN 1 *",
    ],
)
def test_debug_unknown_subcommands(client: FakeClient, words: str) -> None:
    reply = client.call("DEBUG", *words.split(" "))
    assert reply == UNKNOWN.format(words.split(" ", maxsplit=1)[0]).encode()


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("SLEEP x", b"+OK\r\n"),
        ("ERROR foo", b"-foo\r\n"),
        ("OBJECT nokey", b"-ERR no such key\r\n"),
        ("LISTPACK nokey", b"-ERR no such key\r\n"),
        ("HTSTATS x", NOT_INTEGER),
        ("HTSTATS 99", b"-ERR Out of range database\r\n"),
        ("HTSTATS 1", b"$29\r\n[Dictionary HT]\n[Expires HT]\n\r\n"),
        ("HTSTATS-KEY nokey", b"-ERR no such key\r\n"),
        ("POPULATE x", b"-ERR value is out of range, must be positive\r\n"),
        ("POPULATE -1", b"-ERR value is out of range, must be positive\r\n"),
        ("POPULATE 1 p x", b"-ERR value is out of range, must be positive\r\n"),
        ("QUICKLIST-PACKED-THRESHOLD 100B", b"+OK\r\n"),
        (
            "QUICKLIST-PACKED-THRESHOLD 4gb",
            b"-ERR argument must be a memory value bigger than 1 and smaller than 4gb\r\n",
        ),
        ("REPLYBUFFER PEAK-RESET-TIME x", NOT_INTEGER),
        ("REPLYBUFFER RESIZING 0", b"+OK\r\n"),
        ("DICT-RESIZING x", b"+OK\r\n"),
        ("LEAK x", b"+OK\r\n"),
        ("REPLICATE SET k v", b"+OK\r\n"),
        ("REPLICATE PING", b"+OK\r\n"),
        ("SDSLEN nokey", b"-ERR no such key\r\n"),
        ("QUICKLIST nokey", b"-ERR no such key\r\n"),
        ("INTERNAL_SECRET", b"-ERR Internal secret is missing\r\n"),
        ("DEFRAG-FRAG-CACHE-STATS", b"+defrag_frag_cache_hits:0\r\n"),
        ("CONFIG-REWRITE-FORCE-ALL", b"-ERR CONFIG-REWRITE-FORCE-ALL failed: no file\r\n"),
        ("DIGEST", b"+" + b"0" * 40 + b"\r\n"),
        ("DIGEST-VALUE", b"*0\r\n"),
        ("PROTOCOL double", b"$5\r\n3.141\r\n"),
        ("PROTOCOL map", b"*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n"),
        ("PROTOCOL bignum", b"$37\r\n1234567999999999999999999999999999999\r\n"),
        ("PROTOCOL push", b"-ERR RESP2 is not supported by this command\r\n"),
        (
            "PROTOCOL foo",
            b"-ERR Wrong protocol type name. Please use one of the following: string|integer|"
            b"double|bignum|null|array|set|map|attrib|push|verbatim|true|false\r\n",
        ),
    ],
)
def test_debug_replies(client: FakeClient, words: str, reply: bytes) -> None:
    assert client.call("DEBUG", *words.split(" ")) == reply


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("string", b"$11\r\nHello World\r\n"),
        ("double", b",3.141\r\n"),
        ("null", b"_\r\n"),
        ("set", b"~3\r\n:0\r\n:1\r\n:2\r\n"),
        ("map", b"%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"),
        (
            "attrib",
            b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
            b"$39\r\nSome real reply following the attribute\r\n",
        ),
        (
            "push",
            b"$40\r\nSome real reply following the push reply\r\n"
            b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n",
        ),
        ("verbatim", b"=29\r\ntxt:This is a verbatim\nstring\r\n"),
        ("true", b"#t\r\n"),
        ("bignum", b"(1234567999999999999999999999999999999\r\n"),
    ],
)
def test_debug_protocol_in_resp3(client: FakeClient, kind: str, reply: bytes) -> None:
    client.call("HELLO", "3")
    assert client.call("DEBUG", "PROTOCOL", kind) == reply


def test_debug_object_of_strings(client: FakeClient) -> None:
    client.call("SET", "s", "12")
    reply = client.call("DEBUG", "OBJECT", "s")
    assert re.fullmatch(
        rb"\+Value at:0x[0-9a-f]+ refcount:1 encoding:int serializedlength:\d+ lru:\d+ "
        rb"lru_seconds_idle:[0-9]\r\n",
        reply,
    )
    assert client.call("DEBUG", "LISTPACK", "s") == b"-ERR Not a listpack encoded object.\r\n"
    assert client.call("DEBUG", "HTSTATS-KEY", "s") == (
        b"-ERR The value stored at the specified key is not represented using an hash table\r\n"
    )


def test_debug_sdslen(client: FakeClient) -> None:
    client.call("SET", "n", "12")
    assert client.call("DEBUG", "SDSLEN", "n") == b"-ERR Not an sds encoded string.\r\n"
    client.call("SET", "key", "v" * 5000)
    reply = client.call("DEBUG", "SDSLEN", "key")
    assert re.fullmatch(
        rb"\+key_sds_len:3, key_sds_avail:0, key_zmalloc: \d+, val_sds_len:5000, "
        rb"val_sds_avail:\d+, val_zmalloc: \d+\r\n",
        reply,
    )


def test_debug_finds_a_malicious_pattern_harmless(client: FakeClient) -> None:
    assert client.call("DEBUG", "STRINGMATCH-TEST").startswith(b"+Apparently ")


def test_debug_populate_leaves_keys_that_are_there(client: FakeClient) -> None:
    client.call("SET", "key:1", "old")
    assert client.call("DEBUG", "POPULATE", "3") == b"+OK\r\n"
    assert client.call("MGET", "key:0", "key:1", "key:2") == (
        b"*3\r\n$7\r\nvalue:0\r\n$3\r\nold\r\n$7\r\nvalue:2\r\n"
    )
    client.call("DEBUG", "POPULATE", "2", "p", "5")
    client.call("DEBUG", "POPULATE", "2", "q", "20")
    assert client.call("GET", "p:1") == b"$5\r\nvalue\r\n"
    assert client.call("GET", "q:1") == b"$20\r\nvalue:1" + b"\0" * 13 + b"\r\n"


def test_debug_digest_equals_that_of_redis(client: FakeClient) -> None:
    """The digests were taken from Redis 8.10.2 with the same data."""
    client.call("SET", "k", "12")
    assert client.call("DEBUG", "DIGEST") == b"+eb708d7f0cec62a02e3eb7f1eae92e506c8433f1\r\n"
    assert client.call("DEBUG", "DIGEST-VALUE", "k", "nokey") == (
        b"*2\r\n+655ac46b180ad2f61a3cee25f0b1780fa2ec879a\r\n+" + b"0" * 40 + b"\r\n"
    )
    client.call("PEXPIREAT", "k", "99999999999999")
    assert client.call("DEBUG", "DIGEST") == b"+632cc2e7daf2af4dfc157b64cb8b0140e7e38dd2\r\n"


def test_debug_switches_reach_the_server(server: FakeServer) -> None:
    client = server.connect()
    client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    assert server.engine.option("active_expire") == 0
    client.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
    assert server.engine.option("active_expire") == 1
    client.call("DEBUG", "PAUSE-CRON", "1")
    assert server.cron_paused
    client.call("DEBUG", "LOG", "hello")
    assert server.logged == [("warning", "DEBUG LOG: hello")]
    before = server.facts.replication_id
    client.call("DEBUG", "CHANGE-REPL-ID")
    assert re.fullmatch(r"[0-9a-f]{40}", server.facts.replication_id)
    assert server.facts.replication_id != before


def test_debug_error_cannot_break_the_protocol(client: FakeClient) -> None:
    assert client.call("DEBUG", "ERROR", "a\r\n+OK") == b"-a  +OK\r\n"


def test_debug_htstats_full(client: FakeClient) -> None:
    client.call("DEBUG", "POPULATE", "100")
    reply = client.call("DEBUG", "HTSTATS", "0", "full")
    assert b" number of elements: 100\n" in reply
    assert b" empty buckets: " in reply


def test_debug_help_lists_all(client: FakeClient) -> None:
    lines = client.call("DEBUG", "HELP").decode().split("\r\n+")
    names = [line.split()[0] for line in lines[2::2]]
    assert {"CHANGE-REPL-ID", "DICT-RESIZING", "DIGEST", "POPULATE"} <= set(names)
    assert lines[-2] == "HELP"


# --- scripts, memory of clients ---


def test_debug_script_writes_texts_into_the_log(server: FakeServer, client: FakeClient) -> None:
    sha = parse(client.call("SCRIPT", "LOAD", "return 2\n--two"))
    other = parse(client.call("SCRIPT", "LOAD", "return 3"))
    assert client.call("DEBUG", "SCRIPT", sha) == b"+OK\r\n"
    assert client.call("DEBUG", "SCRIPT", "list") == b"+OK\r\n"
    line = ("warning", f"SCRIPT SHA: {sha.decode()}\nreturn 2\n--two")
    assert server.logged == [
        line,
        line,
        ("warning", f"SCRIPT SHA: {other.decode()}\nreturn 3"),
    ]
    no_script = b"-NOSCRIPT No matching script. Please use EVAL.\r\n"
    assert client.call("DEBUG", "SCRIPT", "0" * 40) == no_script
    assert client.call("DEBUG", "SCRIPT", "abc") == UNKNOWN.format("SCRIPT").encode()


def test_debug_client_eviction_counts_clients_by_size(
    server: FakeServer, client: FakeClient
) -> None:
    off = b"-ERR maxmemory-clients is disabled.\r\n"
    server.config.values["maxmemory-clients"] = "0"
    assert client.call("DEBUG", "CLIENT-EVICTION") == off
    server.config.values["maxmemory-clients"] = "100mb"
    server.connect()
    large = server.connect()
    large.call("MULTI")
    large.call("SET", "k", "x" * 70000)
    spared = server.connect()
    spared.call("CLIENT", "NO-EVICT", "ON")
    lines = parse(client.call("DEBUG", "CLIENT-EVICTION")).decode().splitlines()
    pattern = r"bucket +(\d+)(?: - +(\d+)|\+ +): tot-mem: +(\d+), clients: (\d+)"
    rows = [re.fullmatch(pattern, line).groups() for line in lines]  # type: ignore[union-attr]
    assert [row[0] for row in rows] == ["0", *(str(1 << i) for i in range(15, 33))]
    assert [row[1] for row in rows] == [*(str((1 << i) - 1) for i in range(15, 33)), None]
    assert [int(row[3]) for row in rows] == [2, 0, 1] + [0] * 16
    assert 70000 < int(rows[2][2]) < 131072
    assert 0 < int(rows[0][2]) < 65536
