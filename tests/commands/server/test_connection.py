"""Commands of the connection group that are written in Python."""

import re
import time

import pytest

from shmredis._core import lib
from tests.commands.python_commands import FakeClient, FakeServer
from tests.harness.resp import parse

SYNTAX = b"-ERR syntax error\r\n"
WRONGPASS = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
BAD_NAME = b"-ERR Client names cannot contain spaces, newlines or special characters.\r\n"


def fields_of(line: bytes) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in line.decode().split())


def hello(proto: int, number: int) -> bytes:
    head = b"%7\r\n" if proto == 3 else b"*14\r\n"
    return head + (
        b"$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n8.10.2\r\n$5\r\nproto\r\n:%d\r\n"
        b"$2\r\nid\r\n:%d\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
        b"$7\r\nmodules\r\n*0\r\n" % (proto, number)
    )


# --- HELLO, AUTH, RESET, QUIT ---


def test_hello_switches_the_protocol(client: FakeClient) -> None:
    assert client.call("HELLO") == hello(2, 1)
    assert client.call("HELLO", "3") == hello(3, 1)
    assert client.call("CLIENT", "GETNAME") == b"_\r\n"
    assert client.call("HELLO", "2", "SETNAME", "me") == hello(2, 1)
    assert client.call("CLIENT", "GETNAME") == b"$2\r\nme\r\n"


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("4", b"-NOPROTO unsupported protocol version\r\n"),
        ("1", b"-NOPROTO unsupported protocol version\r\n"),
        ("x", b"-ERR Protocol version is not an integer or out of range\r\n"),
        ("AUTH default x", b"-ERR Protocol version is not an integer or out of range\r\n"),
        ("3 FOO", b"-ERR Syntax error in HELLO option 'FOO'\r\n"),
        ("3 AUTH u", b"-ERR Syntax error in HELLO option 'AUTH'\r\n"),
        ("3 SETNAME", b"-ERR Syntax error in HELLO option 'SETNAME'\r\n"),
        ("3 SETNAME a\n", BAD_NAME),
        ("3 AUTH u p", WRONGPASS),
        ("3 AUTH default x SETNAME q FOO", b"-ERR Syntax error in HELLO option 'FOO'\r\n"),
    ],
)
def test_hello_errors_change_nothing(client: FakeClient, words: str, reply: bytes) -> None:
    assert client.call("HELLO", *words.split(" ")) == reply
    assert client.call("CLIENT", "GETNAME") == b"$-1\r\n"


def test_auth_without_a_password_set(client: FakeClient) -> None:
    assert client.call("AUTH", "x") == (
        b"-ERR AUTH <password> called without any password configured for the default user. "
        b"Are you sure your configuration is correct?\r\n"
    )
    assert client.call("AUTH", "default", "x") == b"+OK\r\n"
    assert client.call("AUTH", "nouser", "x") == WRONGPASS
    assert client.call("AUTH", "a", "b", "c") == SYNTAX


def test_a_password_is_required_and_accepted(server: FakeServer) -> None:
    server.config.set([("requirepass", "secret")])
    client = server.connect()
    assert client.call("CLIENT", "ID") == b"-NOAUTH Authentication required.\r\n"
    assert client.call("HELLO", "3") == (
        b"-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        b"<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        b"RESP protocol version at the same time\r\n"
    )
    assert client.call("AUTH", "wrong") == WRONGPASS
    assert client.call("AUTH", "default", "") == WRONGPASS
    assert client.call("GET", "k") == b"-NOAUTH Authentication required.\r\n"
    assert client.call("HELLO", "3", "AUTH", "default", "secret") == hello(3, 1)
    assert client.call("CLIENT", "ID") == b":1\r\n"
    assert client.call("RESET") == b"+RESET\r\n"
    assert client.call("CLIENT", "ID") == b"-NOAUTH Authentication required.\r\n"
    assert client.call("AUTH", "secret") == b"+OK\r\n"
    assert client.call("CLIENT", "ID") == b":1\r\n"
    assert server.denials.counts["auth"] == 2


def test_reset_undoes_what_the_client_set(client: FakeClient) -> None:
    client.call("HELLO", "3", "SETNAME", "me")
    client.call("SELECT", "5")
    client.call("CLIENT", "NO-TOUCH", "ON")
    client.call("CLIENT", "NO-EVICT", "ON")
    client.call("CLIENT", "SETINFO", "lib-name", "x")
    assert client.call("RESET") == b"+RESET\r\n"
    line = fields_of(client.call("CLIENT", "INFO").split(b"\r\n")[1])
    assert (line["name"], line["db"], line["resp"], line["flags"]) == ("", "0", "2", "N")
    assert line["lib-name"] == "x"
    reply = client.call("RESET", "x")
    assert reply == b"-ERR wrong number of arguments for 'reset' command\r\n"


def test_quit_answers_and_closes(client: FakeClient) -> None:
    assert client.call("QUIT", "now") == b"+OK\r\n"
    assert not client.open


def test_a_pipeline_keeps_the_order_of_python_and_c(client: FakeClient) -> None:
    data = b"PING\r\nCLIENT ID\r\nSET k v\r\nHELLO 3\r\nGET nokey\r\nQUIT\r\nPING\r\n"
    assert client.send(data) == b"+PONG\r\n:1\r\n+OK\r\n" + hello(3, 1) + b"_\r\n+OK\r\n"


# --- CLIENT ---


def test_client_line_has_the_fields_of_redis_in_order(client: FakeClient) -> None:
    client.call("CLIENT", "SETNAME", "me")
    reply = client.call("CLIENT", "LIST")
    body = reply.split(b"\r\n", 1)[1].removesuffix(b"\r\n")
    assert reply.startswith(b"$%d\r\n" % len(body))
    assert body.endswith(b"\n")
    line = fields_of(body)
    assert list(line) == [
        "id",
        "addr",
        "laddr",
        "fd",
        "name",
        "age",
        "idle",
        "flags",
        "db",
        "sub",
        "psub",
        "ssub",
        "multi",
        "watch",
        "qbuf",
        "qbuf-free",
        "argv-mem",
        "multi-mem",
        "rbs",
        "rbp",
        "obl",
        "oll",
        "omem",
        "omem-shared",
        "omem-unshared",
        "tot-mem",
        "events",
        "cmd",
        "user",
        "redir",
        "resp",
        "lib-name",
        "lib-ver",
        "io-thread",
        "tot-net-in",
        "tot-net-out",
        "tot-cmds",
        "read-events",
        "avg-pipeline-len-sum",
        "avg-pipeline-len-cnt",
    ]
    assert line["cmd"] == "client|list"
    assert (line["qbuf"], line["argv-mem"], line["tot-cmds"]) == ("26", "10", "1")
    assert (line["addr"], line["name"], line["user"]) == ("127.0.0.1:50001", "me", "default")


def test_client_info_is_verbatim_in_resp3(client: FakeClient) -> None:
    client.call("HELLO", "3")
    assert re.fullmatch(rb"=\d+\r\ntxt:id=1 .*\n\r\n", client.call("CLIENT", "INFO"))


def test_client_list_of_some(server: FakeServer) -> None:
    first, second, third = server.connect(), server.connect(), server.connect()
    reply = first.call("CLIENT", "LIST", "ID", "3", "99", "2")
    assert [fields_of(line)["id"] for line in reply.split(b"\n")[1:3]] == ["3", "2"]
    assert second.call("CLIENT", "LIST").count(b"id=") == 3
    assert third.call("CLIENT", "LIST", "TYPE", "NORMAL").count(b"id=") == 3
    for kind in ("master", "slave", "replica", "pubsub"):
        assert first.call("CLIENT", "LIST", "TYPE", kind) == b"$0\r\n\r\n"


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("LIST ID", SYNTAX),
        ("LIST ID x", b"-ERR Invalid client ID\r\n"),
        ("LIST ID -1", b"$0\r\n\r\n"),
        ("LIST TYPE foo", b"-ERR Unknown client type 'foo'\r\n"),
        ("LIST TYPE", SYNTAX),
        ("LIST TYPE normal ID 3", SYNTAX),
        ("LIST FOO BAR", SYNTAX),
        ("SETNAME a\nb", BAD_NAME),
        ("SETINFO foo bar", b"-ERR Unrecognized option 'foo'\r\n"),
        (
            "SETINFO LIB-VER a\nb",
            b"-ERR LIB-VER cannot contain spaces, newlines or special characters.\r\n",
        ),
        ("PAUSE x", b"-ERR timeout is not an integer or out of range\r\n"),
        ("PAUSE -1", b"-ERR timeout is negative\r\n"),
        ("PAUSE 9223372036854775807", b"-ERR timeout is out of range\r\n"),
        ("PAUSE x FOO", b"-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n"),
        (
            "PAUSE 1 WRITE x",
            b"-ERR unknown subcommand or wrong number of arguments for 'PAUSE'. "
            b"Try CLIENT HELP.\r\n",
        ),
        ("REPLY FOO", SYNTAX),
        ("NO-EVICT foo", SYNTAX),
        ("NO-TOUCH foo", SYNTAX),
        ("UNBLOCK x", b"-ERR value is not an integer or out of range\r\n"),
        ("UNBLOCK 1", b":0\r\n"),
        ("UNBLOCK 1 ERROR", b":0\r\n"),
        ("UNBLOCK 1 FOO", b"-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n"),
        ("GETREDIR", b":-1\r\n"),
        ("TRACKING off", b"+OK\r\n"),
        ("TRACKING FOO", SYNTAX),
        ("TRACKING ON FOO", SYNTAX),
        (
            "CACHING YES",
            b"-ERR CLIENT CACHING can be called only when the client is in tracking mode with "
            b"OPTIN or OPTOUT mode enabled\r\n",
        ),
        ("KILL ID x", b"-ERR client-id should be greater than 0\r\n"),
        ("KILL ID 0", b"-ERR client-id should be greater than 0\r\n"),
        ("KILL ID 999", b":0\r\n"),
        ("KILL TYPE foo", b"-ERR Unknown client type 'foo'\r\n"),
        ("KILL TYPE pubsub SKIPME no", b":0\r\n"),
        ("KILL USER nouser", b"-ERR No such user 'nouser'\r\n"),
        ("KILL SKIPME foo", SYNTAX),
        ("KILL MAXAGE x", b"-ERR maxage is not an integer or out of range\r\n"),
        ("KILL MAXAGE 0", b"-ERR maxage should be greater than 0\r\n"),
        ("KILL MAXAGE 100", b":0\r\n"),
        ("KILL FOO x", SYNTAX),
        ("KILL ID 1 TYPE", SYNTAX),
        ("KILL ID", b"-ERR No such client\r\n"),
        ("KILL 1.2.3.4:1", b"-ERR No such client\r\n"),
    ],
)
def test_client_replies(client: FakeClient, words: str, reply: bytes) -> None:
    assert client.call("CLIENT", *words.split(" ")) == reply


def test_client_trackinginfo_in_both_protocols(client: FakeClient) -> None:
    body = b"$5\r\nflags\r\n%b1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n"
    assert client.call("CLIENT", "TRACKINGINFO") == b"*6\r\n" + body % b"*"
    client.call("HELLO", "3")
    assert client.call("CLIENT", "TRACKINGINFO") == b"%3\r\n" + body % b"~"


def test_client_kill_closes_the_others(server: FakeServer) -> None:
    me, other, third = server.connect(), server.connect(), server.connect()
    assert me.call("CLIENT", "KILL", other.addr) == b"+OK\r\n"
    assert not other.open
    assert me.call("CLIENT", "KILL", "LADDR", me.laddr, "USER", "default") == b":1\r\n"
    assert not third.open
    assert me.open


def test_client_kill_of_oneself_answers_first(client: FakeClient) -> None:
    assert client.call("CLIENT", "KILL", "ID", "1", "SKIPME", "no") == b":1\r\n"
    assert not client.open


def test_client_reply_modes(client: FakeClient) -> None:
    assert client.send(b"CLIENT REPLY SKIP\r\nPING\r\nPING\r\n") == b"+PONG\r\n"
    assert client.call("CLIENT", "REPLY", "OFF") == b""
    assert client.call("PING") == b""
    assert client.call("CLIENT", "ID") == b""
    assert client.call("CLIENT", "REPLY", "ON") == b"+OK\r\n"
    assert client.call("PING") == b"+PONG\r\n"


def test_client_pause_holds_writes_until_unpause(server: FakeServer) -> None:
    client, other = server.connect(), server.connect()
    assert client.call("CLIENT", "PAUSE", "60000", "WRITE") == b"+OK\r\n"
    assert other.call("GET", "k") == b"$-1\r\n"
    assert other.call("SET", "k", "v") == b""
    assert client.call("CLIENT", "UNPAUSE") == b"+OK\r\n"
    assert lib.session_feed(other.session, 0) & lib.FEED_OUTPUT
    assert client.call("GET", "k") == b"$1\r\nv\r\n"


def test_client_no_evict_and_no_touch_show_as_flags(client: FakeClient) -> None:
    client.call("CLIENT", "NO-EVICT", "on")
    assert b" flags=e " in client.call("CLIENT", "INFO")
    client.call("CLIENT", "NO-TOUCH", "on")
    assert b" flags=eT " in client.call("CLIENT", "INFO")
    client.call("CLIENT", "NO-EVICT", "off")
    client.call("CLIENT", "NO-TOUCH", "off")
    assert b" flags=N " in client.call("CLIENT", "INFO")


def test_touch_touches_though_nothing_else_does(client: FakeClient) -> None:
    client.call("SET", "k", "v")
    payload = parse(client.call("DUMP", "k"))
    client.call("RESTORE", "k", "0", payload, "REPLACE", "IDLETIME", "1000")
    client.call("CLIENT", "NO-TOUCH", "on")
    client.call("GET", "k")
    assert parse(client.call("OBJECT", "IDLETIME", "k")) >= 1000
    assert client.call("TOUCH", "k") == b":1\r\n"
    assert parse(client.call("OBJECT", "IDLETIME", "k")) < 1000


def test_ages_are_in_seconds(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.time_ns() + 90 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)
    line = fields_of(client.call("CLIENT", "INFO").split(b"\r\n")[1])
    assert 88 <= int(line["age"]) <= 91


def test_hostile_names_and_numbers(client: FakeClient) -> None:
    for words in ((b"\xff\xfe",), (b"LIST", b"TYPE", b"\x00\xff"), (b"KILL", b"ID", b"1" * 10000)):
        assert client.call("CLIENT", *words).startswith(b"-ERR ")
    assert client.call("CLIENT", "SETINFO", b"\xff\r\n+OK", "x").count(b"\r\n") == 1
    assert client.call("CLIENT", "ID") == b":1\r\n"
