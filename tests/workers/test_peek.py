"""Reads without a hop: when a foreign key is read in place, when not, and what is then seen.

Workers run only when a test drains them: a reply that is there at once was read without its owner.
"""

import random
import time
from typing import Any

import pytest

from shmredis._core import ffi, lib
from tests.harness.resp import encode, parse
from tests.workers.fleet import Client, Fleet


@pytest.fixture
def key(fleet: Fleet) -> str:
    """A key of worker 1."""
    return fleet.keys(1, 1)[0]


@pytest.fixture
def owner(fleet: Fleet) -> Client:
    return Client(fleet, 1)


@pytest.fixture
def reader(fleet: Fleet) -> Client:
    return Client(fleet, 0)


def at_once(client: Client, *words: Any) -> bytes:
    """What comes before any other worker runs."""
    client.send(*words)
    return client.take()


def figures(fleet: Fleet, worker: int) -> Any:
    out = ffi.new("struct link_stats *")
    assert lib.engine_link_stats(fleet.engines[worker], out)
    return out


def set_option(fleet: Fleet, name: str, value: int) -> None:
    for engine in fleet.engines:
        assert lib.engine_set_option(engine, name.encode(), value)


# --- which replies ---

VALUES: list[tuple[Any, ...]] = [
    ("SET", "12345"),
    ("SET", "-9223372036854775808"),
    ("SET", "short"),
    ("SET", "m" * 31),
    ("SET", "m" * 300),
    ("SET", "r" * 20_000),
    ("SET", ""),
    ("SET", "v", "PX", 10**9),
    ("SET", 7, "PXAT", 10**13),
    ("APPEND", "grown"),
    ("RPUSH", "a", "bb", 7, "d" * 50),
    ("SADD", 3, 1, 70_000, 2**40),
    ("SADD", "a", 5, "c"),
    ("ZADD", 1.5, "a", 2, "b", "-inf", "c"),
    ("HSET", "f", "v", "g", 12, "long", "x" * 60),
]
READS: list[tuple[Any, ...]] = [
    ("GET",),
    ("STRLEN",),
    ("GETRANGE", 1, -2),
    ("SUBSTR", 0, 2),
    ("GETRANGE", "x", 2),
    ("EXISTS",),
    ("TYPE",),
    ("EXPIRETIME",),
    ("PEXPIRETIME",),
    ("HGET", "f"),
    ("HMGET", "g", "none"),
    ("HEXISTS", "f"),
    ("HLEN",),
    ("HSTRLEN", "long"),
    ("HGETALL",),
    ("HKEYS",),
    ("HVALS",),
    ("LLEN",),
    ("LINDEX", -1),
    ("LRANGE", 0, -1),
    ("SCARD",),
    ("SISMEMBER", 70_000),
    ("SMISMEMBER", "a", 3),
    ("SMEMBERS",),
    ("ZCARD",),
    ("ZSCORE", "a"),
    ("ZMSCORE", "b", "z"),
    ("ZRANK", "a"),
    ("ZREVRANK", "a", "WITHSCORE"),
    ("GET", "too many"),
]


@pytest.mark.parametrize(
    "value", [None, *VALUES], ids=lambda v: " ".join(map(str, v or ["none"]))[:20]
)
@pytest.mark.parametrize("resp", [2, 3])
def test_replies_are_those_of_the_owner(fleet: Fleet, key: str, value: Any, resp: int) -> None:
    owner, reader = Client(fleet, 1, resp), Client(fleet, 0, resp)
    if value:
        assert owner.call(value[0], key, *value[1:])[:1] != b"-"
    for name, *args in READS:
        assert at_once(reader, name, key, *args) == at_once(owner, name, key, *args), name
    assert at_once(reader, "OBJECT", "ENCODING", key) == at_once(owner, "OBJECT", "ENCODING", key)
    assert figures(fleet, 0).peeks_hopped == 0


@pytest.mark.parametrize("n", [0, 1, 3, 4, 10, 11, 100, 250, 255, 256, 400])
def test_keys_of_any_length(fleet: Fleet, reader: Client, n: int) -> None:
    names = [name.ljust(n, "x") for name in (f"{{{i}}}" for i in range(100)) if len(name) <= n]
    names = [name for name in names or ["x" * n] if fleet.owner(name) != 0][:5]
    for name in names:
        Client(fleet, fleet.owner(name)).call("SET", name, f"is {name}")
        assert reader.call("GET", name) == encode(f"is {name}")[4:]
        assert reader.call("GET", f"{name}y"[1:]) == b"$-1\r\n"


def test_time_to_live_goes_on(fleet: Fleet, owner: Client, reader: Client, key: str) -> None:
    owner.call("SET", key, 1, "PX", 50_000)
    left = parse(at_once(reader, "PTTL", key))
    assert 40_000 < left <= 50_000
    assert parse(at_once(reader, "TTL", key)) in (left // 1000, left // 1000 + 1)


def test_each_database_is_its_own(fleet: Fleet, owner: Client, reader: Client, key: str) -> None:
    lib.session_set_db(owner.session, 9)
    owner.call("SET", key, "nine")
    assert at_once(reader, "GET", key) == b"$-1\r\n"
    lib.session_set_db(reader.session, 9)
    assert at_once(reader, "GET", key) == b"$4\r\nnine\r\n"


def test_tables_of_every_size(fleet: Fleet, owner: Client, reader: Client) -> None:
    names = [f"{{{name}}}{i}" for name in fleet.keys(1, 1, "t") for i in range(30_000)]
    for name in names[:: len(names) // 50]:
        owner.call("SET", name, name)
    for end in (100, 3000, 12_000, 30_000):
        owner.feed(b"".join(encode("SET", name, name) for name in names[:end]))
        reader.feed(b"".join(encode("GET", name) for name in names[:end]))
        assert reader.take() == b"".join(encode(name)[4:] for name in names[:end])
    owner.feed(b"".join(encode("DEL", name) for name in names[100:]))
    owner.take()
    assert [parse(at_once(reader, "EXISTS", name)) for name in names[:200]] == [1] * 100 + [0] * 100
    assert figures(fleet, 0).peeks_hopped == 0


def test_it_is_counted_where_it_runs(fleet: Fleet, owner: Client, reader: Client, key: str) -> None:
    owner.call("SET", key, 1)
    stats = [lib.engine_stats(engine) for engine in fleet.engines]
    at_once(reader, "GET", key)
    at_once(reader, "GET", fleet.keys(2, 1)[0])
    assert [(s.hits, s.misses, s.commands) for s in stats] == [(1, 1, 2), (0, 0, 1), (0, 0, 0)]
    assert (figures(fleet, 0).peeks, figures(fleet, 0).requests_sent) == (2, 0)


# --- what is not read in place ---


def hops(fleet: Fleet, client: Client, *words: Any) -> bytes:
    """The reply, which must not come before others run."""
    assert at_once(client, *words) == b""
    fleet.settle()
    return client.take()


def test_large_values_hop(fleet: Fleet, owner: Client, reader: Client, key: str) -> None:
    owner.call("SET", key, "x" * 40_000)
    assert len(hops(fleet, reader, "GET", key)) == 40_010
    assert at_once(reader, "TYPE", key) == b"+string\r\n"


@pytest.mark.parametrize("write", ["RPUSH", "SADD", "ZADD", "HSET"])
def test_values_of_many_blocks_hop(
    fleet: Fleet, owner: Client, reader: Client, key: str, write: str
) -> None:
    words = [word for i in range(3000) for word in (i, f"member {i}")]
    owner.call(write, key, *words)
    length = {"RPUSH": "LLEN", "SADD": "SCARD", "ZADD": "ZCARD", "HSET": "HLEN"}[write]
    assert hops(fleet, reader, length, key) == at_once(owner, length, key)
    assert hops(fleet, reader, "GET", key).startswith(b"-WRONGTYPE")
    assert at_once(reader, "EXISTS", key) == b":1\r\n"


def test_hashes_whose_fields_expire_hop(
    fleet: Fleet, owner: Client, reader: Client, key: str
) -> None:
    owner.call("HSET", key, "f", "v")
    owner.call("HEXPIRE", key, 100, "FIELDS", 1, "f")
    assert hops(fleet, reader, "HGET", key, "f") == b"$1\r\nv\r\n"


def test_several_keys_hop(fleet: Fleet, owner: Client, reader: Client) -> None:
    names = fleet.keys(1, 2)
    owner.call("MSET", names[0], 1, names[1], 2)
    assert hops(fleet, reader, "EXISTS", *names, *names) == b":4\r\n"


def test_an_expired_key_is_left_to_its_owner(
    fleet: Fleet, owner: Client, reader: Client, key: str
) -> None:
    owner.call("SET", key, "v", "PX", 5)
    due = time.time() + 0.006
    while time.time() < due:
        pass
    assert lib.engine_stats(fleet.engines[1]).expired_keys == 0
    assert hops(fleet, reader, "GET", key) == b"$-1\r\n"
    assert lib.engine_stats(fleet.engines[1]).expired_keys == 1
    assert at_once(reader, "GET", key) == b"$-1\r\n"


@pytest.mark.parametrize(("limited", "fresh", "stale"), [(0, 50, 70), (1 << 30, 4, 10)])
def test_old_access_times_are_renewed_by_the_owner(
    fleet: Fleet, owner: Client, reader: Client, key: str, limited: int, fresh: int, stale: int
) -> None:
    set_option(fleet, "maxmemory", limited)
    owner.call("SET", key, "v")
    lib.wb_set_idle(fleet.engines[1], key.encode(), len(key), fresh)
    assert at_once(reader, "GET", key) == b"$1\r\nv\r\n"
    lib.wb_set_idle(fleet.engines[1], key.encode(), len(key), stale)
    assert at_once(reader, "TTL", key) == b":-1\r\n"  # no access
    lib.session_set_flag(reader.session, lib.SESSION_NO_TOUCH, True)
    assert at_once(reader, "GET", key) == b"$1\r\nv\r\n"
    lib.session_set_flag(reader.session, lib.SESSION_NO_TOUCH, False)
    assert hops(fleet, reader, "GET", key) == b"$1\r\nv\r\n"
    assert parse(owner.call("OBJECT", "IDLETIME", key)) <= 1
    assert at_once(reader, "GET", key) == b"$1\r\nv\r\n"


def test_each_access_counts_with_lfu(fleet: Fleet, owner: Client, reader: Client, key: str) -> None:
    owner.call("SET", key, "v")
    set_option(fleet, "maxmemory_policy", 2)
    hops(fleet, reader, "GET", key)
    assert at_once(reader, "TYPE", key) == b"+string\r\n"


def test_misses_hop_when_somebody_wants_to_know(
    fleet: Fleet, owner: Client, reader: Client, key: str
) -> None:
    set_option(fleet, "notify_events", 1 << 10 << 1 | 2)
    assert hops(fleet, reader, "GET", key) == b"$-1\r\n"
    owner.call("SET", key, "v")
    assert at_once(reader, "GET", key) == b"$1\r\nv\r\n"


# --- the order of a session's own commands ---


def test_a_session_sees_what_it_wrote(fleet: Fleet, reader: Client, key: str) -> None:
    for i in range(5):
        reader.send("SET", key, i)
        assert at_once(reader, "GET", key) == b""
        fleet.settle()
        assert reader.take() == b"+OK\r\n$1\r\n%d\r\n" % i
        assert at_once(reader, "GET", key) == b"$1\r\n%d\r\n" % i


def test_writes_on_the_way_of_others_do_not_matter(
    fleet: Fleet, owner: Client, reader: Client, key: str
) -> None:
    owner.call("SET", key, "old")
    other = Client(fleet, 0)
    other.send("SET", key, "new")
    assert at_once(reader, "GET", key) == b"$3\r\nold\r\n"
    fleet.settle()
    assert at_once(reader, "GET", key) == b"$3\r\nnew\r\n"


def test_replies_keep_their_order(fleet: Fleet, reader: Client, key: str) -> None:
    Client(fleet, 1).call("SET", key, "peeked")
    slow = fleet.keys(2, 1)[0]
    reader.feed(encode("SET", slow, "x") + encode("GET", key) + encode("GET", slow))
    assert reader.take() == b""
    fleet.settle()
    assert reader.take() == b"+OK\r\n$6\r\npeeked\r\n$1\r\nx\r\n"
    assert figures(fleet, 0).peeks == 1


def test_silent_clients_stay_silent(fleet: Fleet, reader: Client, key: str) -> None:
    lib.session_set_flag(reader.session, lib.SESSION_REPLY_SKIP, True)
    assert at_once(reader, "GET", key) == b""
    assert at_once(reader, "GET", key) == b"$-1\r\n"


# --- commands of several workers ---


def test_parts_that_are_committed_are_waited_for(fleet: Fleet) -> None:
    """MSET has happened as soon as one of its owners has done its part."""
    names = fleet.owned_by_each()
    readers = [Client(fleet, worker) for worker in range(3)]
    for seed in range(30):
        chance = random.Random(seed)
        writer = Client(fleet, chance.randrange(3))
        writer.call("MSET", *[word for name in names for word in (name, "old")])
        writer.send("MSET", *[word for name in names for word in (name, "new")])
        seen = False
        for _ in range(60):
            fleet.drain(chance.randrange(3))
            for reader in chance.sample(readers, 3):
                for name in chance.sample(names, 3):
                    value = at_once(reader, "GET", name)
                    if not value:  # it hops, and what it finds is found by the others from then on
                        fleet.settle()
                        value = reader.take()
                    assert value[4:7] == b"new" or not seen
                    seen = value[4:7] == b"new"
        fleet.settle()
        writer.close()


def test_nobody_looks_into_a_hold(fleet: Fleet) -> None:
    """The member is in one of two sets of two workers at any time."""
    a, b = fleet.keys(0, 1, "a")[0], fleet.keys(1, 1, "b")[0]
    mover, reader = Client(fleet, 2), Client(fleet, 2)
    mover.call("SADD", a, "m", "stays")
    mover.call("SADD", b, "stays")
    peeked = 0
    for seed in range(60):
        chance = random.Random(seed)
        source, target = (a, b) if seed % 2 == 0 else (b, a)
        mover.send("SMOVE", source, target, "m")
        moved = False
        while not mover.received:
            fleet.drain(chance.randrange(3))
            # in this order a move between the two reads cannot hide the member
            at_source = at_once(reader, "SISMEMBER", source, "m")
            at_target = at_once(reader, "SISMEMBER", target, "m") if at_source else b""
            if not at_source or not at_target:
                fleet.settle()
                reader.take()
                continue
            peeked += 1
            assert (at_source, at_target) in ((b":1\r\n", b":0\r\n"), (b":0\r\n", b":1\r\n"))
            assert not moved or at_source == b":0\r\n"
            moved = at_source == b":0\r\n"
        assert mover.take() == b":1\r\n"
        fleet.settle()
    assert peeked > 20


# --- lives ---


def test_the_arena_of_an_earlier_life_is_not_read(
    fleet: Fleet, owner: Client, reader: Client, key: str
) -> None:
    owner.call("SET", key, "before")
    assert at_once(reader, "GET", key) == b"$6\r\nbefore\r\n"
    fleet.kill(1)
    assert at_once(reader, "GET", key) == b""
    fleet.revive(1)
    fleet.settle()
    assert reader.take() == b"$-1\r\n"
    assert at_once(reader, "GET", key) == b"$-1\r\n"
    Client(fleet, 1).call("SET", key, "after")
    assert at_once(reader, "GET", key) == b"$5\r\nafter\r\n"


def test_what_is_being_loaded_is_not_read(
    fleet: Fleet, owner: Client, reader: Client, key: str
) -> None:
    owner.call("SET", key, "v")
    lib.engine_set_option(fleet.engines[1], b"loading", lib.LOADING_SELF)
    assert hops(fleet, reader, "GET", key).startswith(b"-LOADING")
    lib.engine_set_option(fleet.engines[1], b"loading", lib.LOADING_NOT)
    assert at_once(reader, "GET", key) == b"$1\r\nv\r\n"


def test_a_frozen_arena_is_not_read(fleet: Fleet, owner: Client, reader: Client, key: str) -> None:
    """Its object shows the instant of the freeze, not what was written since."""
    arena = lib.wb_engine_arena(fleet.engines[1])
    owner.call("SET", key, "frozen")
    lib.freeze_begin(arena)
    owner.call("SET", key, "newer")
    assert hops(fleet, reader, "GET", key) == b"$5\r\nnewer\r\n"
    while not lib.freeze_thaw(arena, 1000):
        pass
    assert at_once(reader, "GET", key) == b"$5\r\nnewer\r\n"


def test_no_hole_is_punched_under_a_reader(fleet: Fleet, owner: Client, key: str) -> None:
    owner.feed(b"".join(encode("SET", f"{{{key}}}{i}", "x" * 1000) for i in range(5000)))
    owner.call("FLUSHDB", "SYNC")
    lib.wb_set_reading(fleet.front, 2, 1)
    assert lib.engine_purge(fleet.engines[1]) == 0
    lib.wb_set_reading(fleet.front, 2, 0)  # another arena
    assert lib.engine_purge(fleet.engines[1]) > 1 << 20
