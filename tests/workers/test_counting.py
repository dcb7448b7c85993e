"""A command is one command, however many workers have a part in it: in INFO commandstats, errorstats and
stats, LATENCY HISTOGRAM, CLIENT INFO, and SLOWLOG, with its client. Three workers count the same as one."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import running
from tests.workers.places import connect_to, key_of

A, B, C = (key_of(i) for i in range(3))
MISSING = tuple(key_of(i, prefix="none") for i in range(3))
SETUP = [
    *(("SET", key, "v") for key in (A, B, C)),
    *(("RPUSH", f"{{{key}}}list", "a", "b") for key in (A, B, C)),
    *(("SADD", f"{{{key}}}set", "a", "b") for key in (A, B, C)),
    *(("ZADD", f"{{{key}}}zset", 1, "a", 2, "b") for key in (A, B, C)),
    *(("XADD", f"{{{key}}}stream", "1-1", "f", "v") for key in (A, B, C)),
    *(("PFADD", f"{{{key}}}hll", "a") for key in (A, B, C)),
]
OURS = (
    "config|resetstat",
    "info",
    "client|info",
    "slowlog|reset",
    "slowlog|get",
    "latency|histogram",
)

SPREAD = """
MGET a b c
MGET b
MSET a 1 b 2 c 3
MSETNX x 1 y 2
MSETNX a 1 y 2
DEL a b c x
UNLINK a b c
EXISTS a b c x a
TOUCH a b c
DBSIZE
KEYS *
SCAN 0 COUNT 1000
RANDOMKEY
FLUSHDB
FLUSHALL ASYNC
SWAPDB 0 1
SWAPDB 0 99
PUBLISH channel message
SPUBLISH channel message
WATCH a b c
WATCH b
"""
CROSSED = """
RENAME a b
RENAME x y
RENAMENX b z
COPY a c
COPY a c REPLACE
LMOVE {a}list {b}list LEFT RIGHT
RPOPLPUSH {a}list b
SMOVE {a}set {b}set a
SINTERSTORE x {a}set {b}set {c}set
SUNION {a}set {b}set {c}set
SINTER {a}set b
ZUNIONSTORE y 2 {a}zset {b}zset
ZRANGESTORE y {a}zset 0 -1
PFCOUNT {a}hll {b}hll {c}hll
PFMERGE x {a}hll {b}hll
BITOP OR x a b c
LCS a b
SORT {a}list BY nosort GET b STORE x
XREAD STREAMS {a}stream {b}stream 0 0
LMPOP 3 x y {c}list LEFT
"""
WAITING = """
BLPOP x {b}list 1
BLPOP x 0.01
BLPOP y 0.01
BLPOP x y z 0.01
BLMOVE x y LEFT LEFT 0.01
BZPOPMIN x y {c}zset 1
XREAD BLOCK 10 STREAMS x y 0 0
BLPOP x b 1
"""
ELSEWHERE = """
GET a
GET b
GET c
INCR {b}list
TTL c
OBJECT ENCODING b
OBJECT FREQ c
OBJECT IDLETIME z
RESTORE y 0 bad
MIGRATE 127.0.0.1 1 b 0 1
SORT b
"""
INSIDE = """
EVAL "return redis.call('MGET', KEYS[1], KEYS[2], KEYS[3])" 3 a b c
EVAL "return redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])" 3 a b c
EVAL "return redis.call('DBSIZE')" 0
EVAL "redis.call('SET', KEYS[1], 1) redis.call('FLUSHALL') return redis.call('KEYS', '*')" 2 a b
EVAL "return redis.call('SWAPDB', 0, 99)" 0
EVAL "return redis.call('INCR', KEYS[1])" 1 {b}list
EVAL "return redis.pcall('INCR', KEYS[2])" 2 a {c}list
EVAL_RO "return redis.call('GET', KEYS[1])" 1 c
"""
TRANSACTIONS = """
MULTI; SET a 1; GET b; DEL a b c; EXEC
MULTI; MGET a b c; MSET a 1 b 2; EXEC
MULTI; INCR {a}list; INCR {b}list; EXEC
MULTI; RENAME a b; FLUSHALL; DBSIZE; EXEC
MULTI; SET a 1; KEYS *; SET b 2; SCAN 0; EXEC
MULTI; BLPOP x y {a}list 1; EXEC
MULTI; EVAL "return redis.call('GET', KEYS[1])" 1 b; SET a 1; EXEC
MULTI; SET a 1; PUBLISH channel message; PING; SET b 2; EXEC
WATCH a b; SET b 1; MULTI; SET a 2; EXEC
WATCH b c; MULTI; SET a 2; SET c 2; EXEC
"""
GROUPS = (SPREAD, CROSSED, WAITING, ELSEWHERE, INSIDE, TRANSACTIONS)
LINES = [line for group in GROUPS for line in group.strip().splitlines()]
NAMES = dict(zip("abcxyz", (A, B, C, *MISSING), strict=True))


def requests(line: str) -> list[list[str]]:
    """The commands of a line; its letters are keys of three workers."""
    words = [shlex.split(part) for part in line.split("; ")]
    return [[_named(word) for word in command] for command in words]


def _named(word: str) -> str:
    found = re.fullmatch(r"([abcxyz])|\{([abc])\}(list|set|zset|stream|hll)", word)
    if found is None:
        return word
    return NAMES[found[1]] if found[1] else f"{{{NAMES[found[2]]}}}{found[3]}"


@pytest.fixture(scope="module")
def both() -> Iterator[list[Client]]:
    """A client of one worker, and one of the first of three; each command is slow for SLOWLOG."""
    with ExitStack() as stack:
        found = []
        for workers in (1, 3):
            server = stack.enter_context(
                running("--slowlog-log-slower-than", "0", "--maxclients", "500", workers=workers)
            )
            found.append(stack.enter_context(connect_to(server, 0, workers)))
            found[-1].call("CLIENT", "SETNAME", "who")
        yield found


def prepare(client: Client) -> None:
    client.call("FLUSHALL")
    client.send(b"".join(encode(*request) for request in SETUP))
    for _ in SETUP:
        client.read()
    client.call("CONFIG", "RESETSTAT")
    client.call("SLOWLOG", "RESET")


def address_of(client: Client) -> bytes:
    host, port = client.sock.getsockname()
    return f"{host}:{port}".encode()


def counted(client: Client) -> dict[str, Any]:
    """All that was counted since the last `prepare`."""
    slow = client.value("SLOWLOG", "GET", "-1")
    histogram = client.value("LATENCY", "HISTOGRAM")
    stats = client.value("INFO", "commandstats", "errorstats", "stats").decode()
    figures = r"^(total_commands_processed|total_error_replies|keyspace_\w+|errorstat_\S+):(\S+)\r"
    calls = r"^cmdstat_(\S+?):(calls=\d+),.*(rejected_calls=\d+,failed_calls=\d+)\r"
    return {
        "calls": {m[0]: m[1:] for m in re.findall(calls, stats, re.M) if m[0] not in OURS},
        "figures": dict(re.findall(figures, stats, re.M)),
        "slow": sorted(
            (words, addr == address_of(client), name)
            for _id, _time, _usec, words, addr, name, _argc in slow
            if words[0] not in (b"CONFIG", b"SLOWLOG", b"CLIENT")
        ),
        "histogram": {
            name: figures[1]
            for name, figures in zip(histogram[::2], histogram[1::2], strict=True)
            if name.decode() not in OURS
        },
    }


def line_of(client: Client) -> dict[str, str]:
    """CLIENT INFO."""
    return dict(re.findall(r"(\S+?)=(\S*)", client.value("CLIENT", "INFO").decode()))


def traffic(client: Client) -> Counter[str]:
    """What it has sent and received."""
    line = line_of(client)
    return Counter({name: int(line[name]) for name in ("tot-net-in", "tot-net-out", "tot-cmds")})


def state(client: Client) -> dict[str, str]:
    line = line_of(client)
    return {name: line[name] for name in ("flags", "db", "multi", "watch", "cmd", "name", "resp")}


@pytest.mark.parametrize("line", LINES)
def test_three_workers_count_as_one(both: list[Client], line: str) -> None:
    found = []
    for client in both:
        prepare(client)
        before = traffic(client)
        for request in requests(line):
            client.call(*request)
        spent = traffic(client) - before
        if re.search("RANDOMKEY|SCAN 0;", line):
            del spent["tot-net-out"]  # which keys they find is chance
        found.append((spent, state(client), counted(client)))
        client.call("UNWATCH")
    assert found[1] == found[0]


def test_what_no_owner_takes_is_refused_once(both: list[Client]) -> None:
    found = []
    for client in both:
        prepare(client)
        client.call("CONFIG", "SET", "maxmemory", "1")
        try:
            assert client.call("MSET", A, "1", B, "2", C, "3").startswith(b"-OOM command not")
            found.append(counted(client))
        finally:
            client.call("CONFIG", "SET", "maxmemory", "0")
    assert found[1] == found[0]
    assert found[1]["figures"]["errorstat_OOM"] == "count=1"
