"""DUMP and RESTORE: round trips, the forms of old and other servers, what is refused, what is told."""

import struct
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st

from shmredis._core import ffi, lib
from tests.harness.resp import parse_all
from tests.persistence.rdb_data import THEN, payload
from tests.unit.engines import Engine, new_engine

TEXTS = st.one_of(
    st.binary(max_size=80),
    st.integers(-(2**64), 2**64).map(lambda n: b"%d" % n),
    st.integers(0, 300).map(lambda n: b"ab" * n),
)
SCORES = st.floats(allow_nan=False)
MANY = st.integers(0, 3).map(lambda n: 60**n // 1000)  # 0 0 3 216: fillers that make it large


def assert_round_trip(engine: Engine, read: tuple[Any, ...]) -> None:
    """The value at k comes back at c with the same content, encoding and payload."""
    dumped = engine.call("DUMP", "k")
    assert engine.call("RESTORE", "c", 0, dumped) == "OK"
    command, _, *rest = read
    assert engine.call(command, "c", *rest) == engine.call(*read)
    assert engine.call("OBJECT", "ENCODING", "c") == engine.call("OBJECT", "ENCODING", "k")
    assert len(engine.call("DUMP", "c")) == len(dumped)
    engine.check()


@settings(max_examples=60, deadline=None)
@given(value=TEXTS, times=st.integers(1, 40))
def test_strings(value: bytes, times: int) -> None:
    with new_engine(1 << 24) as engine:
        engine.call("SET", "k", value * times)
        assert_round_trip(engine, ("GET", "k"))


@settings(max_examples=40, deadline=None)
@given(values=st.lists(TEXTS, min_size=1, max_size=30), large=st.sampled_from([0, 300, 9000]))
def test_lists(values: list[bytes], large: int) -> None:
    """But a push counts lengths of elements without their headers, as in Redis: it may leave a
    listpack that is a little above 8 KiB, which comes back as a quicklist."""
    items = [*values, *([b"z" * large, *values * 9] if large else [])]
    bare = sum(map(len, items))
    assume(not bare <= 8192 < bare + 11 * len(items))
    with new_engine(1 << 24) as engine:
        engine.call("RPUSH", "k", *items)
        assert_round_trip(engine, ("LRANGE", "k", 0, -1))


@settings(max_examples=40, deadline=None)
@given(members=st.sets(TEXTS, min_size=1, max_size=30), more=MANY)
def test_sets(members: set[bytes], more: int) -> None:
    with new_engine(1 << 24) as engine:
        engine.call("SADD", "k", *members, *range(more * 10))
        dumped = engine.call("DUMP", "k")
        assert engine.call("RESTORE", "c", 0, dumped) == "OK"
        assert engine.call("SDIFF", "k", "c") == engine.call("SDIFF", "c", "k")
        assert engine.call("SCARD", "c") == engine.call("SCARD", "k")


@settings(max_examples=40, deadline=None)
@given(scores=st.dictionaries(TEXTS, SCORES, min_size=1, max_size=30), more=MANY)
def test_sorted_sets(scores: dict[bytes, float], more: int) -> None:
    with new_engine(1 << 24) as engine:
        words = [word for member, score in scores.items() for word in (repr(score), member)]
        engine.call("ZADD", "k", *words, *(w for n in range(more) for w in (n, f"filler{n}")))
        assert_round_trip(engine, ("ZRANGE", "k", 0, -1, "WITHSCORES"))


@settings(max_examples=40, deadline=None)
@given(
    fields=st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=20),
    times=st.lists(st.integers(THEN, THEN * 10), max_size=8),
    more=MANY,
)
def test_hashes(fields: dict[bytes, bytes], times: list[int], more: int) -> None:
    with new_engine(1 << 24) as engine:
        words = [word for pair in fields.items() for word in pair]
        engine.call("HSET", "k", *words, *(w for n in range(3 * more) for w in (f"filler{n}", n)))
        names = list(fields)
        for name, time in zip(names, times, strict=False):
            engine.call("HPEXPIREAT", "k", time, "FIELDS", 1, name)
        dumped = engine.call("DUMP", "k")
        assert engine.call("RESTORE", "c", 0, dumped) == "OK"
        assert engine.call("HGETALL", "c") == engine.call("HGETALL", "k")
        read = ("HPEXPIRETIME", "FIELDS", len(names), *names)
        assert engine.call(read[0], "c", *read[1:]) == engine.call(read[0], "k", *read[1:])


# --- forms that others write ---

SCORE = struct.Struct("<d").pack
TIME = struct.Struct("<q").pack
PAIRS = bytes.fromhex("020166c0 01 0167c0 02".replace(" ", ""))
ZIPLIST_HASH = bytes.fromhex(
    "53000000500000001200000166030176 03016e03c0393004016d03feff03036269670"
    "5e0ffe30b54020000000a026938 04fe6403036932 3405f070110105036933 3205d0"
    "00e1f50506017a03f10201740 3fdff".replace(" ", "")
)
ZIPMAP = bytes.fromhex("0203666f6f030062617205 68656c6c6f050077 6f726c64ff".replace(" ", ""))
FIELDS = {b"f": b"v", b"n": b"12345", b"m": b"-1", b"big": b"9999999999", b"i8": b"100"}
FIELDS |= {b"i24": b"70000", b"i32": b"100000000", b"z": b"0", b"t": b"12"}


def blob(data: bytes) -> bytes:
    return bytes([len(data)]) + data


FORMS: dict[str, tuple[bytes, int, tuple[Any, ...], Any]] = {
    "integer of 8 bits": (b"\x00\xc0\x80", 9, ("GET",), b"-128"),
    "integer of 16 bits": (b"\x00\xc1\x7f\xff", 9, ("GET",), b"-129"),
    "integer of 32 bits": (b"\x00\xc2\xa0\x86\x01\x00", 9, ("GET",), b"100000"),
    "compressed": (
        bytes.fromhex("00c30940640161 61e057000161 61".replace(" ", "")),
        9,
        ("GET",),
        b"a" * 100,
    ),
    "plain list": (b"\x01\x03\x01a\xc0\x05\x02bb", 6, ("LRANGE", 0, -1), [b"a", b"5", b"bb"]),
    "set": (b"\x02\x02\x01a\xc0\x07", 6, ("SMEMBERS",), {b"a", b"7"}),
    "scores as text": (
        b"\x03\x04\x01a\x031.5\x01b\x03-10\x01c\xfe\x01d\xff",
        6,
        ("ZRANGE", 0, -1, "WITHSCORES"),
        [[b"d", float("-inf")], [b"b", -10.0], [b"a", 1.5], [b"c", float("inf")]],
    ),
    "sorted set": (
        b"\x05\x02\x01b" + SCORE(2) + b"\x01c" + SCORE(-1),
        8,
        ("ZRANGE", 0, -1),
        [b"c", b"b"],
    ),
    "hash": (b"\x04" + PAIRS, 6, ("HGETALL",), {b"f": b"1", b"g": b"2"}),
    "zipmap": (b"\x09" + blob(ZIPMAP), 6, ("HGETALL",), {b"foo": b"bar", b"hello": b"world"}),
    "ziplist hash": (b"\x0d\x40\x53" + ZIPLIST_HASH, 9, ("HGETALL",), FIELDS),
    "fields of release candidates": (
        bytes.fromhex("16028100 0001b8dac5b400 0166017600016b0177".replace(" ", "")),
        12,
        ("HPEXPIRETIME", "FIELDS", 2, "f", "k"),
        [1893456000000, -1],
    ),
    "fields of Valkey": (
        b"\x16\x02\x01f\x01v" + TIME(THEN) + b"\x01g\x01w" + TIME(-1),
        80,
        ("HPEXPIRETIME", "FIELDS", 2, "f", "g"),
        [THEN, -1],
    ),
    "fields": (
        b"\x18" + TIME(THEN) + b"\x03\x01\x01n\xc0\x01\x41\xf5\x01f\x01v\x00\x01k\xc0\x02",
        12,
        ("HPEXPIRETIME", "FIELDS", 3, "n", "f", "k"),
        [THEN, THEN + 500, -1],
    ),
    "template hash of Redis 8.10": (
        bytes.fromhex("1d001313000000030081610282 7a7a038362626204ff121200000004000101814102"
                      "815a02814202ff".replace(" ", "")),
        15,
        ("HGETALL",),
        {b"a": b"A", b"zz": b"Z", b"bbb": b"B"},
    ),
    "plain and packed nodes": (
        b"\x12\x02\x02\x07" + bytes.fromhex("070000000000ff") + b"\x01\x01a",
        10,
        ("LRANGE", 0, -1),
        [b"a"],
    ),
    "pairs that are not in order": (
        b"\x11\x11" + bytes.fromhex("1100000004008161020501816202 0101ff".replace(" ", "")),
        10,
        ("ZRANGE", 0, -1),
        [b"b", b"a"],
    ),
    "an integer as text": (
        b"\x14\x0b" + bytes.fromhex("0b00000001008237370 3ff".replace(" ", "")),
        11,
        ("SISMEMBER", "77"),
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_forms(engine: Engine, form: str) -> None:
    body, version, (command, *words), expected = FORMS[form]
    assert engine.call("RESTORE", "k", 0, payload(body, version)) == "OK"
    reply = engine.call(command, "k", *words)
    assert (set(reply) if isinstance(expected, set) else reply) == expected


# --- what is refused ---

EMPTY_PACK = bytes.fromhex("07000000 0000 ff")
DOUBLE = bytes.fromhex("0d0000000200 816102 816102 ff")
BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "unknown type": b"\xfe\x05hello",
    "string too short": b"\x00\x06hello",
    "string of 2^60 bytes": b"\x00\x81\x10" + bytes(7) + b"x",
    "length of 0x82": b"\x00\x82\x00",
    "unknown string form": b"\x00\xc4\x00",
    "compressed to nothing": b"\x00\xc3\x02\x00\x00a",
    "compressed to too much": b"\x00\xc3\x02\x80\x7f\xff\xff\xff\x00a",
    "compressed to another size": b"\x00\xc3\x02\x03\x00a",
    "empty list": b"\x01\x00",
    "list of 2^60": b"\x01\x81\x10" + bytes(7) + b"\x01a",
    "member twice": b"\x02\x02\x01a\x01a",
    "field twice": b"\x04\x02\x01a\x01a\x01a\x01b",
    "score twice": b"\x05\x02\x01a" + SCORE(1) + b"\x01a" + SCORE(2),
    "score not a number": b"\x05\x01\x01a" + SCORE(float("nan")),
    "text score not a number": b"\x03\x01\x01a\xfd",
    "text score of letters": b"\x03\x01\x01a\x03abc",
    "packed score of letters": b"\x11\x0d" + bytes.fromhex("0d0000000200 816102 817802 ff"),
    "half a pair": b"\x10\x0a" + bytes.fromhex("0a0000000100 816102 ff"),
    "empty listpack": b"\x14\x07" + EMPTY_PACK,
    "empty intset": b"\x0b\x08" + bytes.fromhex("0200000000000000"),
    "intset not in order": b"\x0b\x0c" + bytes.fromhex("0200000002000000 0500 0100"),
    "intset of width 3": b"\x0b\x0b" + bytes.fromhex("0300000001000000 050000"),
    "listpack of another size": b"\x14\x0a" + bytes.fromhex("0b0000000100 816102 ff"),
    "listpack of another count": b"\x14\x0a" + bytes.fromhex("0a0000000200 816102 ff"),
    "listpack with a wild length": b"\x14\x0a" + bytes.fromhex("0a0000000100 bf6102 ff"),
    "listpack with a wrong backlen": b"\x14\x0a" + bytes.fromhex("0a0000000100 816103 ff"),
    "no nodes": b"\x12\x00",
    "empty plain node": b"\x12\x01\x01\x00",
    "empty nodes only": b"\x12\x01\x02\x07" + EMPTY_PACK,
    "node of kind 3": b"\x12\x01\x03\x01a",
    "ziplist too short": b"\x0a\x05hello",
    "ziplist of another count": b"\x0a\x0d" + bytes.fromhex("0d0000000a0000000200 00f1 ff"),
    "zipmap without an end": b"\x09\x05\x01\x01a\x01\x00",
    "field time too late": b"\x18" + TIME(2**48) + b"\x01\x02\x01a\x01b",
    "negative field time": b"\x16\x01\x01a\x01v" + TIME(-5),
    "time of letters": b"\x19" + bytes(8) + b"\x10" + bytes.fromhex(
        "100000000300 816102 816102 816102 ff"),
    "unknown template": b"\x1e\x0c" + bytes.fromhex("0c0000000200 0501 816102 ff"),
    "template of other length": b"\x1d\x00\x0a" + bytes.fromhex("0a0000000100 816102 ff")
    + b"\x09" + bytes.fromhex("090000000100 0001 ff"),
    "module": b"\x07\x81" + bytes.fromhex("45e25238df912c03") + b"\x00",
}  # fmt: skip


@pytest.mark.parametrize("why", BROKEN)
@pytest.mark.parametrize("version", [9, 12, 80])
def test_broken_values_are_refused(engine: Engine, why: str, version: int) -> None:
    if why == "negative field time" and version != 80:
        return  # it is another form there
    engine.call("SET", "k", "before")
    used = lib.heap_used(engine.arena)
    reply = engine.call("RESTORE", "k", 0, payload(BROKEN[why], version), "REPLACE")
    assert str(reply) == "ERR Bad data format"
    assert lib.heap_used(engine.arena) == used
    assert engine.call("GET", "k") == b"before"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        payload(b"\x00\x05hello", 16),
        payload(b"\x00\x05hello", 79),
        payload(b"\x00\x05hello", 81),
        payload(b"\x00\x05hello")[:-1],
        payload(b"\x00\x05hello", crc=lambda _: 0),
        payload(b"\x00\x05hello", crc=lambda data: lib.core_crc64(1, data, len(data))),
    ],
)
def test_broken_footers_are_refused(engine: Engine, data: bytes) -> None:
    reply = engine.call("RESTORE", "k", 0, data)
    assert str(reply) == "ERR DUMP payload version or checksum are wrong"


@pytest.mark.parametrize("level", [0, 1, 2])
def test_sanitizing_is_about_elements_that_are_twice(engine: Engine, level: int) -> None:
    lib.engine_set_option(engine.handle, b"sanitize_dump_payload", level)
    reply = engine.call("RESTORE", "k", 0, payload(b"\x14\x0d" + DOUBLE))
    assert (reply == "OK") == (level == 0)
    assert lib.engine_stats(engine.handle).sanitized == (level > 0)


@pytest.mark.parametrize("level", [1, 2])
def test_users_who_skip_it_are_trusted_if_it_is_about_clients(engine: Engine, level: int) -> None:
    user = ffi.gc(lib.acl_user_new(b"ann", 3), lib.acl_user_release)
    lib.acl_user_define(user, True, True, 0)
    lib.session_set_user(engine.session.handle, user)
    lib.engine_set_option(engine.handle, b"sanitize_dump_payload", level)
    reply = engine.call("RESTORE", "k", 0, payload(b"\x14\x0d" + DOUBLE))
    assert (reply == "OK") == (level == 2)


# --- versions, what is told ---


def test_payloads_carry_the_version_that_their_type_needs(engine: Engine) -> None:
    engine.call("HSET", "plain", "f", "v")
    engine.call("HSET", "timed", "f", "v")
    engine.call("HPEXPIREAT", "timed", THEN, "FIELDS", 1, "f")
    assert engine.call("DUMP", "plain")[-10:-8] == b"\x0b\x00"
    assert engine.call("DUMP", "timed")[-10:-8] == b"\x0c\x00"
    engine.call("HPERSIST", "timed", "FIELDS", 1, "f")
    assert engine.call("DUMP", "timed")[-10:-8] == b"\x0b\x00"


def recorded(engine: Engine, *words: bytes | str | int) -> list[list[bytes]]:
    engine.take_recorded()
    engine.call(*words)
    return [command[1:] for command in parse_all(engine.take_recorded())]


HELLO = payload(b"\x00\x05hello")


def test_a_relative_ttl_is_logged_as_a_time(engine: Engine) -> None:
    engine.record()
    *_, logged = recorded(engine, "RESTORE", "k", 10**9, HELLO, "REPLACE")
    assert logged[:2] == [b"RESTORE", b"k"]
    assert int(logged[2]) == engine.call("PEXPIRETIME", "k")
    assert logged[3:] == [HELLO, b"REPLACE", b"ABSTTL"]
    *_, logged = recorded(engine, "RESTORE", "k", THEN, HELLO, "REPLACE", "ABSTTL")
    assert logged == [b"RESTORE", b"k", b"%d" % THEN, HELLO, b"REPLACE", b"ABSTTL"]


def test_events_come_in_the_order_of_redis(engine: Engine) -> None:
    engine.record()
    events = [e[1] for e in recorded(engine, "RESTORE", "k", 0, HELLO) if e[0] == b"event"]
    assert events == [b"new", b"restore"]
    engine.call("DEL", "k")
    engine.call("LPUSH", "k", "x")
    told = recorded(engine, "RESTORE", "k", 0, HELLO, "REPLACE")
    events = [e[1] for e in told if e[0] == b"event"]
    assert events == [b"new", b"restore", b"overwritten", b"type_changed"]


def test_a_time_that_is_over_deletes_what_was_there(engine: Engine) -> None:
    engine.record()
    assert recorded(engine, "RESTORE", "k", 1, HELLO, "ABSTTL") == []
    engine.call("SET", "k", "v")
    told = recorded(engine, "RESTORE", "k", 1, HELLO, "ABSTTL", "REPLACE")
    assert told == [[b"event", b"del", b"k"], [b"DEL", b"k"]]
