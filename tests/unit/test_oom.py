"""Every writing command with the n-th allocation failing, for n = 0, 1, 2 ... until none fails.

A command that cannot get memory answers -OOM. What it has changed by then, usually nothing, is what
it has propagated; what it had allocated is free again. Memory that a command can do without may fail
unseen.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from shmredis._core import ffi, lib
from tests.harness.resp import parse_all
from tests.unit.arenas import heap_stats
from tests.unit.engines import Engine, new_engine

WRITE = 1
TTL = 10**9
THEN = 10**13  # ms

# Words that stand for much: of cases, and of what is there before.
LONG = {"S100": "s" * 100, "B5000": "b" * 5000, "H70000": "h" * 70_000}
MANY = {
    "NUMBERS": [str(i) for i in range(512)],
    "MEMBERS": [f"member{i}" for i in range(700)],
    "FIELDS-700": [word for i in range(700) for word in (f"f{i}", f"v{i}")],
    "SCORES": [word for i in range(700) for word in (str(i % 50), f"m{i}")],
    "ITEMS": [f"item{i}" * 10 for i in range(700)],
}

BEFORE = {
    "missing": [],
    "many keys": [f"SET key{i} x" for i in range(11 * 4 - 1)],
    "string": ["SET k abcdef"],
    "integer": ["SET k 5"],
    "long string": ["SET k B5000"],
    "volatile string": [f"SET k S100 PXAT {THEN}"],
    "hyperloglog": ["PFADD k x y z"],
    "dense hyperloglog": ["PFADD k x y z", "PFDEBUG TODENSE k"],
    "list": ["RPUSH k a b c"],
    "large list": ["RPUSH k ITEMS"],
    "list of plain nodes": ["RPUSH k H70000 a H70000"],
    "hash": ["HSET k f0 v f1 2 f2 w"],
    "large hash": ["HSET k f0 v f1 2 FIELDS-700"],
    "hash with times": ["HSET k f0 v f1 2 f2 w", f"HPEXPIREAT k {THEN} FIELDS 1 f0"],
    "large hash with times": ["HSET k FIELDS-700", f"HPEXPIREAT k {THEN} FIELDS 2 f0 f1"],
    "template hash": ["HIMPORT PREPARE t f0 f1 f2", "HIMPORT SET k t v 2 w"],
    "intset": ["SADD k 1 2 3"],
    "full intset": ["SADD k NUMBERS"],
    "set": ["SADD k a b c 1"],
    "large set": ["SADD k a b c 1 MEMBERS"],
    "sorted set": ["ZADD k 1 a 2 b 3 c"],
    "places": ["GEOADD k 13.36 38.11 a 15.08 37.5 b"],
    "many places": [f"GEOADD k {13 + i / 300} {38 + i / 400} p{i}" for i in range(300)],
    "large sorted set": ["ZADD k 1 a 2 b 3 c SCORES"],
    "two lists": ["RPUSH k ITEMS", "RPUSH o a b"],
    "two sets": ["SADD k a b c MEMBERS", "SADD o b 1 member5"],
    "two intsets": ["SADD k 1 2 3", "SADD o NUMBERS"],
    "stream": ["XADD k 1-1 a 1 b B5000", "XADD k 1-2 a 2", "XADD k 1-3 c 3"],
    "large stream": [f"XADD k {i}-1 f S100" for i in range(1, 150)],
    "stream with groups": [
        *[f"XADD k {i}-1 f {i}" for i in range(1, 150)],
        *["XGROUP CREATE k g 0", "XGROUP CREATE k h 5", "XGROUP CREATE k i $"],
        *["XREADGROUP GROUP g c COUNT 100 STREAMS k >", "XREADGROUP GROUP h c COUNT 1 STREAMS k >"],
        *["XREADGROUP GROUP g d COUNT 20 STREAMS k >", "XNACK k g FAIL IDS 2 2-1 3-1"],
        "XIDMPRECORD k p i 1-1",
    ],
    "array": ["ARSET k 0 a 1 2.5 S100", "ARINSERT k B5000 x"],
    "large array": [
        *["ARSET k 100 ITEMS", "ARSET k 5000 a b c d e f g h i j", "ARSET k 90000 S100 B5000"],
        *[f"ARSET k {i * 100000} S100" for i in range(1, 150)],
    ],
    "two sorted sets": ["ZADD k 1 a 2 b SCORES", "ZADD o 1 a 2 z"],
}

STRINGS = ("missing", "string", "integer", "long string", "volatile string")
LISTS = ("list", "large list", "list of plain nodes")
HASHES = (*("hash", "large hash", "hash with times", "large hash with times", "template hash"),)
SETS = ("intset", "full intset", "set", "large set")
ZSETS = ("sorted set", "large sorted set")
STREAMS = ("stream", "large stream", "stream with groups")
ARRAYS = ("array", "large array")
ANY = (*STRINGS[1:], *LISTS, *HASHES, *SETS, *ZSETS, *STREAMS, *ARRAYS)

CASES = {
    STRINGS: [
        *["SET k B5000", "SET k 7", f"SET k S100 PX {TTL}", "SET k x KEEPTTL GET", "SETNX k S100"],
        *[f"PSETEX k {TTL} B5000", "SETEX k 100000 x", "GETSET k S100", "MSET k B5000 o S100 p 1"],
        *["MSETNX k S100 o B5000", "MSETEX 2 k B5000 o S100 EX 100000", "APPEND k B5000"],
        *["APPEND k x", "SETRANGE k 3 yy", "SETRANGE k 20000 y", "GETDEL k", "DEL k", "UNLINK k"],
        *[f"GETEX k PX {TTL}", "GETEX k PERSIST", "DELEX k", "DELIFEQ k abcdef"],
        *["SETBIT k 7 1", "SETBIT k 4000 1", "SETBIT k 80000 1", "BITFIELD k SET u8 5000 9 GET u8 0"],
        *["BITOP OR d k k", "BITOP NOT k k", "BITOP XOR d k missing", "BITOP AND k missing"],
    ],
    ("missing", "hyperloglog", "dense hyperloglog"): [
        *["PFADD k", "PFADD k MEMBERS", "PFADD k a b c", "PFMERGE k", "PFMERGE d k k", "PFCOUNT k"],
        *["PFDEBUG TODENSE k", "PFDEBUG GETREG k"],
    ],
    ("missing", "integer"): [
        *["INCR k", "DECR k", "INCRBY k 100", "DECRBY k 3", "INCRBYFLOAT k 1.5", "INCREX k BYINT 2"],
    ],
    ("many keys",): ["SET k B5000", "HSET k a b", "RPUSH k a", "SADD k a", "ZADD k 1 a", "COPY key1 o"],
    ANY: [
        *["SET k S100", "EXPIRE k 100000", f"PEXPIRE k {TTL}", "EXPIREAT k 99999999999"],
        *[f"PEXPIREAT k {10**14}", "PERSIST k", "DEL k", "UNLINK k", "RENAME k o", "RENAMENX k o"],
        *["MOVE k 1", "COPY k o", "COPY k o DB 1", "FLUSHDB", "FLUSHALL", "SWAPDB 0 1"],
    ],
    ("missing", *LISTS): [
        *["RPUSH k x", "LPUSH k S100 S100 B5000 B5000 7", "RPUSH k H70000 x", "LPUSHX k x H70000"],
        *["RPUSHX k B5000", "LPUSH k ITEMS", "LPOP k", "RPOP k 2", "LPOP k 600", "LTRIM k 1 1"],
        *["LREM k 0 a", "LREM k -1 b", "LMPOP 1 k LEFT COUNT 2"],
    ],
    LISTS: [
        *["LSET k 1 B5000", "LSET k 0 x", "LSET k 1 H70000", "LINSERT k BEFORE a H70000"],
        *["LINSERT k AFTER a x", "LMOVE k k LEFT RIGHT", "LMOVE k o LEFT RIGHT", "RPOPLPUSH k o"],
        *["LMOVEM k o LEFT LEFT COUNT 2 BULK", "LMOVEM k k LEFT RIGHT COUNT 2 OBO"],
    ],
    ("list", "large list"): [
        *["BLPOP k 0", "BRPOP k 0", "BLMPOP 0 1 k LEFT COUNT 2", "BRPOPLPUSH k o 0"],
        *["BLMOVE k k LEFT RIGHT 0", "BLMOVE k o LEFT RIGHT 0"],
        *["BLMOVEM k o LEFT LEFT 0 COUNT 2 BULK"],
    ],
    ("sorted set", "large sorted set"): ["BZPOPMIN k 0", "BZPOPMAX k 0", "BZMPOP 0 1 k MIN COUNT 2"],
    ("missing", "list", "large list", "set", "sorted set"): [
        *["SORT k ALPHA STORE d", "SORT k BY nosort GET # GET x* STORE k", "SORT k BY y* STORE k"],
    ],
    ("two lists",): ["LMOVE k o RIGHT LEFT", "LMOVEM k o LEFT RIGHT COUNT 500 BULK", "RPOPLPUSH o k"],
    ("missing", *HASHES): [
        *["HSET k new 1", "HSET k f0 S100 new S100", "HSET k FIELDS-700", "HMSET k f0 B5000 x y"],
        *["HSETNX k new B5000", "HINCRBY k f1 2", "HINCRBY k new 2", "HINCRBYFLOAT k new 1.5"],
        *["HDEL k f0", "HDEL k f0 f1 f2", "HGETDEL k FIELDS 2 f0 f1"],
        *[f"HGETEX k PX {TTL} FIELDS 2 f0 f1", "HGETEX k PERSIST FIELDS 1 f0"],
        *[f"HSETEX k PX {TTL} FIELDS 2 f0 S100 new 1", "HSETEX k FIELDS 1 f0 x"],
        *[f"HPEXPIRE k {TTL} FIELDS 2 f1 f2", "HEXPIRE k 100000 FIELDS 1 f0"],
        *["HEXPIREAT k 99999999999 FIELDS 1 f1", f"HPEXPIREAT k {10**14} FIELDS 2 f0 f2"],
        *["HPERSIST k FIELDS 2 f0 f1", f"HPEXPIREFIELD k {TTL} f1"],
    ],
    ("template hash",): ["HIMPORT SET k t 1 2 S100", "HIMPORT SET o t B5000 2 3"],
    ("missing", *SETS): [
        *["SADD k 7", "SADD k 100000 x", "SADD k S100", "SADD k B5000 y 9999999999", "SADD k MEMBERS"],
        *["SADD k NUMBERS", "SREM k 1 a", "SREM k 2 b zz 3", "SPOP k", "SPOP k 2", "SPOP k 400"],
        *["SMOVE k o 1", "SMOVE k o a"],
    ],
    ("two sets", "two intsets"): [
        *["SMOVE k o a", "SMOVE o k 1", "SMOVE k o 2", "SUNIONSTORE d k o", "SINTERSTORE d k o"],
        *["SDIFFSTORE d k o", "SUNIONSTORE o k o", "SDIFFSTORE k k o", "SINTERSTORE o o o"],
    ],
    ("missing", *ZSETS): [
        *["ZADD k 1 x", "ZADD k 9 a 8 S100", "ZADD k SCORES", "ZADD k 5 B5000 6 a", "ZADD k INCR 2 a"],
        *["ZINCRBY k 3 a", "ZINCRBY k 30 new", "ZREM k a", "ZREM k a b c", "ZPOPMIN k", "ZPOPMAX k 3"],
        *["ZMPOP 1 k MIN COUNT 2", "ZREMRANGEBYRANK k 0 1", "ZREMRANGEBYSCORE k 2 9"],
        *["ZREMRANGEBYLEX k - +", "ZRANGESTORE d k 0 -1", "ZRANGESTORE k k 1 2"],
    ],
    ("places",): ["GEORADIUSBYMEMBER k a 500 km STORE o"],
    ("missing", "places", "many places"): [
        *["GEOADD k 1 1 new", "GEOADD k 13 38 a 15 37 S100", "GEOADD k CH 2 2 a 3 3 B5000"],
        *["GEOSEARCHSTORE d k FROMLONLAT 15 37 BYRADIUS 900 km", "GEORADIUS k 15 37 1 m STORE k"],
        *["GEORADIUS k 15 37 900 km STOREDIST d", "GEORADIUS k 15 37 900 km STORE k"],
    ],
    ("missing", *STREAMS): [
        *["XADD k 1000-1 a 1", "XADD k 1000-1 x B5000 y S100", "XADD k MAXLEN 1 1000-1 f x"],
        *["XADD k 1000-1 NUMBERS", "XDEL k 1-1 1-2 2-1", "XTRIM k MAXLEN 1", "XTRIM k MAXLEN ~ 1"],
        *["XDELEX k DELREF IDS 2 1-1 2-1", "XGROUP CREATE k new 0 MKSTREAM", "XCFGSET k IDMP-MAXSIZE 9"],
        *["XGROUP CREATE k S100 $", "XSETID k 2000-1", "XIDMPRECORD k p S100 1-1"],
    ],
    ("missing", *ARRAYS): [
        *["ARSET k 7 S100 B5000 x", "ARSET k 18446744073709551614 S100", "ARMSET k 0 S100 70000 y"],
        *["ARSET k 5000 a b c d e f g h i j k l m", "ARINSERT k S100 a b", "ARRING k 3 S100 x B5000"],
        *["ARRING k 300 S100", "ARDEL k 0 1 5000", "ARDELRANGE k 1 5005", "ARSEEK k 3"],
    ],
    ("stream with groups",): [
        *["XREADGROUP GROUP g e STREAMS k >", "XREADGROUP GROUP h c STREAMS k >", "XDEL k 1-1"],
        *["XREADGROUP GROUP g e CLAIM 0 STREAMS k >", "XREADGROUP GROUP g c NOACK STREAMS k >"],
        *["XACK k g 1-1 2-1 3-1", "XACKDEL k g DELREF IDS 2 1-1 2-1", "XNACK k g FAIL IDS 2 5-1 6-1"],
        *["XNACK k i FATAL IDS 3 5-1 6-1 7-1 FORCE RETRYCOUNT 3", "XCLAIM k g e 0 1-1 2-1 5-1"],
        *["XCLAIM k i e 0 1-1 2-1 5-1 FORCE", "XAUTOCLAIM k g e 0 0 COUNT 150 JUSTID"],
        *["XGROUP CREATECONSUMER k g e", "XGROUP DELCONSUMER k g c", "XGROUP DESTROY k g"],
        *["XGROUP SETID k g 5-1", "XCLAIM k g S100 0 4-1 LASTID 120-1"],
    ],
    ("two sorted sets", "two sets"): [
        *["ZUNIONSTORE d 2 k o", "ZINTERSTORE d 2 k o", "ZDIFFSTORE d 2 k o", "ZUNIONSTORE k 2 k o"],
    ],
    ("missing", "string", "large hash"): [
        *[f"RESTORE k 0 DUMP:{name.replace(' ', '-')} REPLACE" for name in ANY],
        f"RESTORE k {THEN} DUMP:long-string REPLACE ABSTTL",
    ],
    ("many keys", "missing"): ["RESTORE-ASKING o 0 DUMP:large-sorted-set"],
}  # fmt: skip
ALL = [(before, line) for befores, lines in CASES.items() for before in befores for line in lines]


@functools.cache
def payload(before: str) -> bytes:
    """What DUMP says of the key k."""
    with new_engine() as engine:
        for line in BEFORE[before]:
            engine.call(*words(line))
        dumped = engine.call("DUMP", "k")
    assert isinstance(dumped, bytes)
    return dumped


def words(line: str) -> list[str | bytes]:
    full: list[str | bytes] = []
    for word in line.split():
        if word.startswith("DUMP:"):
            full.append(payload(word.removeprefix("DUMP:").replace("-", " ")))
        else:
            full += MANY.get(word, [LONG.get(word, word)])
    return full


@dataclass(slots=True, frozen=True)
class Twins:
    """The engine under test, and one that executes what the first propagates."""

    engine: Engine
    replica: Engine
    empty: int  # blocks of an engine without keys


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    engine, replica = Engine(1 << 26), Engine(1 << 26)
    engine.record()
    prepare(engine, "many keys")
    prepare(engine, "missing")
    yield Twins(engine, replica, heap_stats(engine.arena).blocks)
    engine.close()
    replica.close()


def timeless(info: Any) -> Any:
    """What XINFO says, but for times: when entries were delivered, when consumers were seen."""
    if isinstance(info, dict):
        return [
            (k, timeless(v)) for k, v in info.items() if k not in (b"seen-time", b"active-time")
        ]
    if isinstance(info, list):
        return [timeless(v) for v in info]
    return "time" if isinstance(info, int) and 10**12 < info < 10**15 else info


def value(engine: Engine, kind: str, key: bytes) -> Any:
    match kind:
        case "string":
            return engine.call("GET", key)
        case "list":
            return engine.call("LRANGE", key, 0, -1)
        case "set":
            return sorted(engine.call("SMEMBERS", key))
        case "zset":
            return engine.call("ZRANGE", key, 0, -1, "WITHSCORES")
        case "hash":
            fields = engine.call("HGETALL", key)
            names = sorted(fields)
            times = engine.call("HPEXPIRETIME", key, "FIELDS", len(names), *names)
            return [(name, fields[name], time) for name, time in zip(names, times, strict=True)]
        case "array":
            return engine.call("ARSCAN", key, 0, 2**64 - 2), engine.call("ARNEXT", key)
        case "stream":
            return timeless(engine.call("XINFO", "STREAM", key, "FULL", "COUNT", 0))
    raise AssertionError(kind)


def dump(engine: Engine) -> dict[bytes, Any]:
    """All keys of databases 0 and 1: type, time, value."""
    content = {}
    for db in (0, 1):
        lib.session_set_db(engine.session.handle, db)
        for key in engine.call("KEYS", "*"):
            kind = engine.call("TYPE", key)
            time = engine.call("PEXPIRETIME", key)
            content[b"%d %b" % (db, key)] = (kind, time, value(engine, kind, key))
    lib.session_set_db(engine.session.handle, 0)
    return content


def comparable(content: dict[bytes, Any], line: str) -> Any:
    """What does not depend on chance or on the time."""
    if line.startswith("SPOP"):
        return {key: (kind, len(value)) for key, (kind, _, value) in content.items()}
    return {
        key: (kind, time > 0, [row[:2] for row in value] if kind == "hash" else value)
        for key, (kind, time, value) in content.items()
    }


def prepare(engine: Engine, before: str) -> None:
    engine.call("FLUSHALL")
    engine.call("HIMPORT", "DISCARDALL")
    lib.engine_purge(engine.handle)
    for line in BEFORE[before]:
        assert not isinstance(engine.call(*words(line)), ValueError), line
    engine.take_recorded()


def attempt(engine: Engine, line: str, n: int) -> tuple[Any, bool]:
    """The reply with the n-th allocation failing, and whether it came to that."""
    lib.heap_fail_after(engine.arena, n)
    reply = engine.call(*words(line))
    failed = lib.wb_heap_fail_left(engine.arena) < 0
    lib.heap_fail_after(engine.arena, -1)
    engine.check()
    return reply, failed


def replay(replica: Engine, recorded: bytes) -> None:
    for db, *command in parse_all(recorded):
        if command[0] in (b"event", b"MULTI", b"EXEC"):
            continue
        lib.session_set_db(replica.session.handle, int(db))
        assert not isinstance(replica.call(*command), ValueError)
    lib.session_set_db(replica.session.handle, 0)


def is_oom(reply: Any) -> bool:
    return isinstance(reply, ValueError) and str(reply).startswith("OOM")


def some(n: int) -> int:
    """The next n to try: all of the first, then ever fewer."""
    return n + 1 + n // 12


@pytest.mark.parametrize(("before", "line"), ALL)
def test_out_of_memory(twins: Twins, before: str, line: str) -> None:
    engine, replica = twins.engine, twins.replica
    prepare(engine, before)
    whole = engine.call(*words(line))
    after = comparable(dump(engine), line)
    n, failed = 0, True
    while failed:
        prepare(engine, before)
        reply, failed = attempt(engine, line, n)
        recorded = engine.take_recorded()
        if failed and is_oom(reply):
            prepare(replica, before)
            replay(replica, recorded)
            assert dump(engine) == dump(replica), n
        else:
            assert type(reply) is type(whole), n
            assert comparable(dump(engine), line) == after, n
        prepare(engine, "missing")
        assert heap_stats(engine.arena).blocks == twins.empty, n
        n = some(n)


def test_every_writing_command_is_tried(twins: Twins) -> None:
    info = ffi.new("struct command_info *")
    names = set()
    for row in range(lib.engine_command_count(twins.engine.handle)):
        lib.engine_command_info(twins.engine.handle, row, info)
        if info.flags & WRITE and not info.python:
            names.add(ffi.string(info.name).decode().replace("|", " "))
    tried = {line for _, line in ALL}
    assert {name for name in names if not any(line.startswith(name) for line in tried)} == set()
