"""Random data of all types around the limits of their encodings, and what a server tells of it."""

import random
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["LIBRARY", "portrait", "random_data"]

THEN = 4102444800000  # a time that has not come, ms
LIBRARY = (
    "#!lua name=mine\nredis.register_function('twice', function(keys, args) return 2 * args[1] end)"
)
Words = tuple[bytes | str | int | float, ...]
Call = Callable[..., Any]

SIZES = (1, 2, 3, 16, 127, 128, 129, 511, 512, 513, 700)
LENGTHS = (0, 1, 5, 11, 12, 20, 21, 44, 45, 63, 64, 65, 200)
NUMBERS = (0, 12, 13, 127, 128, -128, -129, 4095, 4096, 32767, 32768, 2**23, -(2**23) - 1, 2**31)
NUMBERS += (-(2**31) - 1, 2**63 - 1, -(2**63))


class Source:
    """Random words, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def word(self) -> bytes:
        kind = self.random.randrange(4)
        if kind == 0:
            return b"%d" % self.random.choice(NUMBERS)
        length = self.random.choice(LENGTHS)
        if kind == 1:
            return self.random.randbytes(length)
        if kind == 2:
            return bytes([self.random.randrange(97, 123)]) * length
        return b"word:%d" % self.random.randrange(10**6)

    def words(self, count: int) -> list[bytes]:
        """All different."""
        found = {self.word() for _ in range(count)}
        found |= {b"more:%d" % i for i in range(count - len(found))}
        return sorted(found, key=lambda _: self.random.random())[:count]

    def size(self) -> int:
        return self.random.choice(SIZES)


def random_data(seed: int, *, field_ttls: bool, producers: bool) -> Iterator[Words]:
    """Commands. `producers`: of streams of Redis 8.6 and later; arrays then, too."""
    source = Source(seed)
    for i in range(6):
        yield "SELECT", 0 if i < 5 else 9
        yield "SET", f"string{i}", source.word()
        yield "SET", f"number{i}", source.random.choice(NUMBERS)
        yield "SET", f"long{i}", source.random.randbytes(3000), "PXAT", THEN + i
        yield "RPUSH", f"list{i}", *(source.word() for _ in range(source.size()))
        yield "RPUSH", f"plain{i}", b"x" * 9000, *source.words(3), b"y" * 20000
        yield "SADD", f"intset{i}", *source.random.sample(range(-(2**40), 2**40), source.size())
        yield "SADD", f"small{i}", *source.random.sample(range(1000), source.size())
        yield "SADD", f"set{i}", *source.words(source.size())
        yield "ZADD", f"zset{i}", *_scored(source)
        yield "HSET", f"hash{i}", *_paired(source)
        yield "PEXPIREAT", source.random.choice([f"list{i}", f"set{i}", f"zset{i}"]), THEN + i
        yield "PFADD", f"hll{i}", *source.words(source.size())
        yield from _stream(source, f"stream{i}")
        if field_ttls:
            yield from _timed_hash(source, f"timed{i}")
        if producers:
            yield from _produced(source, f"produced{i}")
            yield from _array(Source(seed * 10 + i), f"array{i}")
    yield "SELECT", 0
    yield "SET", b"key \x00\xff\r\n", "odd"


def _array(source: Source, key: str) -> Iterator[Words]:
    """Wide enough for several slices, narrow enough for a digest, which has every hole in it."""
    yield "ARINSERT", key, *source.words(source.size())
    yield "ARSET", key, source.random.randrange(6000), *source.words(source.size())
    for index in source.random.sample(range(30000), 20):
        yield "ARSET", key, index, source.word()
    yield "ARDEL", key, *source.random.sample(range(6000), 9)


def _scored(source: Source) -> Iterator[bytes | float]:
    for member in source.words(source.size()):
        yield source.random.choice([0, 1, -1.5, 1e300, 3.0000000000000004, source.random.random()])
        yield member


def _paired(source: Source) -> Iterator[bytes]:
    for field in source.words(source.size()):
        yield field
        yield source.word()


def _timed_hash(source: Source, key: str) -> Iterator[Words]:
    fields = source.words(source.size())
    yield "HSET", key, *(word for field in fields for word in (field, source.word()))
    for field in fields[: source.random.randrange(1, 9)]:
        yield "HPEXPIREAT", key, THEN + source.random.randrange(10**6), "FIELDS", 1, field


def _stream(source: Source, key: str) -> Iterator[Words]:
    """Entries of equal and of other fields, some deleted; groups with what is pending."""
    count = source.size()
    ids = [f"{1000 + i // 3}-{i % 3 + 1}" for i in range(count)]
    for name in ids:
        fields = source.words(source.random.choice([1, 1, 2, 3]))
        fields = [b"f1", b"f2"] if source.random.random() < 0.5 else fields
        yield "XADD", key, name, *(word for field in fields for word in (field, source.word()))
    yield "XDEL", key, *source.random.sample(ids, count // 3 or 1)
    yield "XGROUP", "CREATE", key, "idle", "$"
    yield "XGROUP", "CREATE", key, "group", source.random.choice(["0", *ids])
    yield "XGROUP", "CREATECONSUMER", key, "group", "lazy"
    for consumer in ("a", "b"):
        yield "XREADGROUP", "GROUP", "group", consumer, "COUNT", 5, "STREAMS", key, ">"
    yield "XCLAIM", key, "group", "b", 0, *ids[:3], "TIME", 1700000000000, "RETRYCOUNT", 7
    yield "XACK", key, "group", *source.random.sample(ids, min(count, 4))
    yield "XSETID", key, "5000-5", "ENTRIESADDED", count + 10, "MAXDELETEDID", ids[0]


def _produced(source: Source, key: str) -> Iterator[Words]:
    yield "XADD", key, "*", "f", "v"
    yield "XCFGSET", key, "IDMP-DURATION", 80000, "IDMP-MAXSIZE", 50
    for i in range(source.random.randrange(1, 60)):
        yield "XADD", key, "IDMP", f"producer{i % 3}", f"id{i}", "*", "f", source.word()
    yield "XADD", key, "IDMPAUTO", "auto", "*", "f", "v"
    yield "XGROUP", "CREATE", key, "group", "0"
    yield "XREADGROUP", "GROUP", "group", "a", "COUNT", 3, "STREAMS", key, ">"


def portrait(call: Call, *, producers: bool) -> dict[str, Any]:
    """What is not in the digest: times, groups of streams, libraries. `call` parses replies."""
    found: dict[str, Any] = {"digest": call("DEBUG", "DIGEST")}
    for key in sorted(call("KEYS", "*")):
        kind = call("TYPE", key)
        found[f"{key!r} expires"] = call("PEXPIRETIME", key)
        if kind == "stream":
            found[f"{key!r} stream"] = _still(
                call("XINFO", "STREAM", key, "FULL", "COUNT", 0), producers
            )
        elif kind == "hash" and key.startswith(b"timed"):
            fields = sorted(call("HKEYS", key))
            found[f"{key!r} fields"] = call("HPEXPIRETIME", key, "FIELDS", len(fields), *fields)
    found["libraries"] = [item[b"library_code"] for item in call("FUNCTION", "LIST", "WITHCODE")]
    return found


MEMORY = {b"radix-tree-keys", b"radix-tree-nodes"}  # of their structures
NEWER = {b"nacked-count", b"idmp-duration", b"idmp-maxsize", b"iids-added", b"iids-duplicates"}
NEWER |= {b"iids-tracked", b"pids-tracked"}


def _still(reply: Any, producers: bool) -> Any:
    """Without what is told of memory, and what only some servers know."""
    hidden = MEMORY if producers else MEMORY | NEWER
    if isinstance(reply, dict):
        return {key: _still(value, producers) for key, value in reply.items() if key not in hidden}
    return [_still(item, producers) for item in reply] if isinstance(reply, list) else reply
