"""Every command's row equals the one that Redis 8.10.2 has; COMMAND and its documentation.

command_table.tsv holds what that server says in COMMAND INFO.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shmredis.commands.categories import categories_of, flags_of, key_flags, key_range
from shmredis.commands.docs import command_docs
from shmredis.commands.registry import CommandTable, Flag, Row, declared_rows
from shmredis.commands.syntax import Argument, parse_syntax, usage_of
from shmredis.engine import CommandFacts, KeySpecFacts
from tests.commands.python_commands import FakeClient, FakeServer
from tests.harness.resp import parse

OWN = {"DELIFEQ", "HPEXPIREFIELD"}  # not commands of Redis
KINDS = {"i": "index", "k": "keyword", "?": "unknown", "r": "range", "n": "keynum"}


def expected_rows() -> dict[str, dict[str, str]]:
    with (Path(__file__).parent / "command_table.tsv").open() as file:
        return {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.close()


@pytest.fixture
def client(server: FakeServer) -> Iterator[FakeClient]:
    client = server.connect()
    yield client
    client.close()


def spec_text(spec: KeySpecFacts) -> str:
    begin = {"i": f"{spec.at}", "k": f"{spec.keyword},{spec.at}", "?": ""}[spec.begin]
    find = "" if spec.find == "?" else f"{spec.a},{spec.b},{spec.c}"
    flags = ",".join(key_flags(spec.flags))
    return f"{KINDS[spec.begin]}({begin}):{KINDS[spec.find]}({find})[{flags}]"


def as_table_row(row: CommandFacts) -> dict[str, str]:
    first, last, step = key_range(row)
    doc = command_docs().get(row.name)
    return {
        "name": row.name,
        "arity": str(row.arity),
        "flags": ",".join(flags_of(row)),
        "first": str(first),
        "last": str(last),
        "step": str(step),
        "categories": ",".join(categories_of(row)),
        "tips": ",".join(doc.tips) if doc else "",
        "keys": " ".join(spec_text(spec) for spec in row.keys),
    }


def test_every_row_is_that_of_redis(server: FakeServer) -> None:
    expected = expected_rows()
    differing = [
        (ours, theirs)
        for row in server.engine.commands()
        if row.name not in OWN and (ours := as_table_row(row)) != (theirs := expected.get(row.name))
    ]
    assert differing == []


def test_every_row_is_documented_in_its_group(server: FakeServer) -> None:
    docs = command_docs()
    for row in server.engine.commands():
        assert row.name in docs, row.name
        assert docs[row.name].group == row.group, row.name


def test_every_syntax_can_be_parsed() -> None:
    for doc in command_docs().values():
        doc.arguments()
        assert doc.summary.endswith("."), doc.name


def test_a_name_declared_twice_is_refused(server: FakeServer) -> None:
    row = Row("TWICE", "server", 1, Flag.NONE, "", (), lambda ctx: None)
    with pytest.raises(ValueError, match="TWICE cannot be registered"):
        CommandTable(server.engine, [row, row])


def test_all_declared_rows_reach_the_table(server: FakeServer) -> None:
    names = {row.name for row in server.engine.commands()}
    assert {row.name for row in declared_rows()} <= names


def recorded_arguments() -> dict[str, object]:
    """What Redis 8.10.2 says of the arguments in COMMAND DOCS."""
    with (Path(__file__).parent / "command_arguments.tsv").open() as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["name"]: json.loads(row["arguments"]) for row in rows}


def as_plain(value: object) -> object:
    """A parsed RESP3 reply: text, lists and dicts, flags in order."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {as_plain(key): as_plain(inner) for key, inner in value.items()}
    return [as_plain(inner) for inner in value] if isinstance(value, list) else value


def test_arguments_are_documented_as_in_redis(client: FakeClient) -> None:
    client.call("HELLO", "3")
    docs = as_plain(parse(client.call("COMMAND", "DOCS")))
    assert isinstance(docs, dict)
    for name, doc in list(docs.items()):
        docs |= doc.get("subcommands", {})
        assert name == name.lower()
    recorded = recorded_arguments()
    differing = {
        name
        for name, doc in docs.items()
        if name.upper() not in OWN and doc.get("arguments", []) != recorded.get(name.upper(), [])
    }
    assert differing == set()


# --- syntax ---


def test_alternatives_are_one_of_several() -> None:
    (argument,) = parse_syntax("[EX seconds | PERSIST]")
    assert (argument.type, argument.optional) == ("oneof", True)
    assert argument.arguments == [
        Argument("seconds", "integer", token="EX"),
        Argument("persist", "pure-token", token="PERSIST"),
    ]


def test_a_repeated_group_is_a_multiple_block() -> None:
    key, block = parse_syntax("key score member [score member ...]")
    assert key == Argument("key", "key")
    assert (block.type, block.multiple) == ("block", True)
    assert [inner.name for inner in block.arguments] == ["score", "member"]


def test_a_repeated_token_is_marked() -> None:
    (argument,) = parse_syntax("[PREFIX prefix [PREFIX prefix ...]]")
    assert argument.multiple_token
    assert argument.optional
    assert argument.token == "PREFIX"


def test_notes_say_what_the_syntax_does_not() -> None:
    text = "dst/key1 where@6.2.0:<LEFT | RIGHT> [pair:(a b) [a b ...]] id=name/string@7.0.0 new:$"
    key, where, pair, last, token = parse_syntax(text)
    assert key == Argument("dst", "key", spec=1)
    assert (where.name, where.since, len(where.arguments)) == ("where", "6.2.0", 2)
    assert (pair.name, pair.multiple, pair.optional) == ("pair", True, True)
    assert last == Argument("id", "string", shown="name", since="7.0.0")
    assert token == Argument("new", "pure-token", token="$")
    assert usage_of(text) == "dst <LEFT | RIGHT> [a b [a b ...]] name $"


@pytest.mark.parametrize("text", ["[a", "a]", "<a | b", "[]", "<>", "(a", "x:(a"])
def test_unbalanced_syntax_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"syntax|expected|group"):
        parse_syntax(text)


# --- COMMAND ---


def test_command_count_counts_top_level_commands(client: FakeClient) -> None:
    top = [row for row in client.server.engine.commands() if "|" not in row.name]
    assert client.call("COMMAND", "COUNT") == b":%d\r\n" % len(top)
    assert client.call("COMMAND").startswith(b"*%d\r\n" % len(top))


def test_command_info_in_resp2(client: FakeClient) -> None:
    assert client.call("COMMAND", "INFO", "get", "nosuch") == (
        b"*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*3\r\n"
        b"+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access"
        b"\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5"
        b"\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec"
        b"\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n"
    )


def test_command_info_of_a_subcommand_in_resp3(client: FakeClient) -> None:
    client.call("HELLO", "3")
    assert client.call("COMMAND", "INFO", "Client|Kill") == (
        b"*1\r\n*10\r\n$11\r\nclient|kill\r\n:-3\r\n~4\r\n+admin\r\n+noscript\r\n+loading\r\n"
        b"+stale\r\n:0\r\n:0\r\n:0\r\n~4\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n+@connection\r\n"
        b"~0\r\n~0\r\n~0\r\n"
    )


def test_command_docs_gives_a_map_with_arguments(client: FakeClient) -> None:
    reply = client.call("COMMAND", "DOCS", "get", "nosuch")
    assert reply.startswith(b"*2\r\n$3\r\nget\r\n*10\r\n$7\r\nsummary\r\n")
    assert reply.endswith(
        b"$9\r\narguments\r\n*1\r\n*8\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n"
        b"$12\r\ndisplay_text\r\n$3\r\nkey\r\n$14\r\nkey_spec_index\r\n:0\r\n"
    )
    assert client.call("COMMAND", "DOCS", "nosuch") == b"*0\r\n"


def test_command_docs_of_a_deprecated_command(client: FakeClient) -> None:
    reply = client.call("COMMAND", "DOCS", "quit")
    assert reply.endswith(
        b"$9\r\ndoc_flags\r\n*1\r\n+deprecated\r\n$16\r\ndeprecated_since\r\n$5\r\n7.2.0\r\n"
        b"$11\r\nreplaced_by\r\n$27\r\njust closing the connection\r\n"
    )


def test_command_docs_without_names_has_all(client: FakeClient) -> None:
    reply = client.call("COMMAND", "DOCS")
    for row in client.server.engine.commands():
        assert b"\r\n%b\r\n" % row.name.lower().encode() in reply


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        (["FILTERBY", "PATTERN", "client|k*"], b"*1\r\n$11\r\nclient|kill\r\n"),
        (["FILTERBY", "MODULE", "x"], b"*0\r\n"),
        (["FILTERBY", "ACLCAT", "nosuch"], b"*0\r\n"),
        (["FILTERBY", "FOO", "a"], b"-ERR syntax error\r\n"),
        (["FILTERBY"], b"-ERR syntax error\r\n"),
        (["FILTERBY", "PATTERN", "x", "y"], b"-ERR syntax error\r\n"),
        (["FOO"], b"-ERR syntax error\r\n"),
    ],
)
def test_command_list_filters(client: FakeClient, words: list[str], reply: bytes) -> None:
    assert client.call("COMMAND", "LIST", *words) == reply


def test_command_list_by_category_finds_subcommands(client: FakeClient) -> None:
    reply = client.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", "connection")
    assert b"client|kill" in reply
    assert b"echo" in reply
    assert b"\r\nget\r\n" not in reply


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("GET a", b"*1\r\n$1\r\na\r\n"),
        ("MSET a b c d", b"*2\r\n$1\r\na\r\n$1\r\nc\r\n"),
        ("MSET a b c", b"*2\r\n$1\r\na\r\n$1\r\nc\r\n"),
        ("DEL a b c", b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"),
        ("OBJECT ENCODING a", b"*1\r\n$1\r\na\r\n"),
        ("MEMORY USAGE a", b"*1\r\n$1\r\na\r\n"),
        ("PING", b"-ERR The command has no key arguments\r\n"),
        ("client kill x", b"-ERR The command has no key arguments\r\n"),
        ("FOO a", b"-ERR Invalid command specified\r\n"),
        ("object foo x", b"-ERR Invalid command specified\r\n"),
        ("GET", b"-ERR Invalid number of arguments specified for command\r\n"),
        ("MSETEX 1 a b", b"*1\r\n$1\r\na\r\n"),
        ("MSETEX 2 a b", b"-ERR Invalid arguments specified for command\r\n"),
        ("MSETEX x a b", b"-ERR Invalid arguments specified for command\r\n"),
        ("MSETEX 99999999999999999999 a b", b"-ERR Invalid arguments specified for command\r\n"),
    ],
)
def test_command_getkeys(client: FakeClient, words: str, reply: bytes) -> None:
    assert client.call("COMMAND", "GETKEYS", *words.split()) == reply


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("SET k v", b"*2\r\n+OW\r\n+update\r\n"),
        ("SET k v GET", b"*3\r\n+RW\r\n+access\r\n+update\r\n"),
        ("DELEX k", b"*2\r\n+RM\r\n+delete\r\n"),
        ("DELEX k IFEQ v", b"*2\r\n+RW\r\n+delete\r\n"),
    ],
)
def test_command_getkeysandflags(client: FakeClient, words: str, flags: bytes) -> None:
    reply = client.call("COMMAND", "GETKEYSANDFLAGS", *words.split())
    assert reply == b"*1\r\n*2\r\n$1\r\nk\r\n" + flags


@pytest.mark.parametrize(
    "name", ["ACL", "CLIENT", "COMMAND", "CONFIG", "LATENCY", "MEMORY", "MODULE", "SLOWLOG"]
)
def test_help_lists_every_subcommand(client: FakeClient, name: str) -> None:
    reply = client.call(name, "HELP").decode().split("\r\n")
    head = f"+{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert reply[1] == head
    listed = {line[1:].split()[0] for line in reply[2:-1] if not line.startswith("+ ")}
    rows = client.server.engine.commands()
    assert listed >= {row.name.split("|")[1] for row in rows if row.name.startswith(f"{name}|")}
