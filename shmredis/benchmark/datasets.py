"""Data sets as batches of commands, with keys, fields and values of stated lengths in bytes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shmredis.benchmark.connection import Batch, encode

__all__ = ["DATASETS", "Dataset", "sorted_set", "strings"]

BATCH_COMMANDS = 200
BATCH_MEMBERS = 200
FIELDS = 10
FIRST_MS = 1_700_000_000_000
TTL_SECONDS = b"864000"


@dataclass(slots=True, frozen=True)
class Dataset:
    """`count` elements of one shape; `batches` makes any number of them."""

    name: str
    count: int
    batches: Callable[[int], Iterator[Batch]]


def spans(count: int, size: int) -> Iterator[range]:
    """0 to count in ranges of at most `size`."""
    for first in range(0, count, size):
        yield range(first, min(first + size, count))


def strings(
    count: int, value: Callable[[int], bytes], ttl: bool = False, first: int = 0
) -> Iterator[Batch]:
    """Strings at keys of 16 bytes, numbered from `first`."""
    tail = (b"EX", TTL_SECONDS) if ttl else ()
    for span in spans(count, BATCH_COMMANDS):
        data = [encode(b"SET", b"key:%012d" % (first + n), value(n), *tail) for n in span]
        yield b"".join(data), len(span)


def fixed(length: int, ttl: bool = False) -> Callable[[int], Iterator[Batch]]:
    """Strings with values of `length` bytes that are not numbers."""
    return lambda count: strings(count, lambda _: b"x" * length, ttl)


def integers(ttl: bool = False) -> Callable[[int], Iterator[Batch]]:
    """Strings with different integers of 7 and 8 digits."""
    return lambda count: strings(count, lambda n: b"%d" % (n + 9_000_000), ttl)


def one_hash(count: int) -> Iterator[Batch]:
    """One hash: fields of 11 bytes, values of 8."""
    for span in spans(count, BATCH_MEMBERS):
        pairs = [word for n in span for word in (b"field%06d" % n, b"v%07d" % n)]
        yield encode(b"HSET", b"big", *pairs), 1


def one_set(count: int) -> Iterator[Batch]:
    """One set: members of 11 bytes."""
    for span in spans(count, BATCH_MEMBERS):
        yield encode(b"SADD", b"big", *[b"mem%08d" % n for n in span]), 1


def sorted_set(count: int) -> Iterator[Batch]:
    """One sorted set: members of 11 bytes, scores in no order."""
    for span in spans(count, BATCH_MEMBERS):
        pairs = [word for n in span for word in (b"%d" % (n * 7919 % 1_000_003), b"mem%08d" % n)]
        yield encode(b"ZADD", b"big", *pairs), 1


def one_stream(count: int) -> Iterator[Batch]:
    """One stream: entries of one field of 5 bytes with a value of 8, a millisecond apart."""
    for span in spans(count, BATCH_COMMANDS):
        data = [
            encode(b"XADD", b"big", b"%d-0" % (FIRST_MS + n), b"field", b"v%07d" % n) for n in span
        ]
        yield b"".join(data), 2 * len(span)


def small_hashes(count: int) -> Iterator[Batch]:
    """Hashes of 10 fields of 6 bytes with values of 8, at keys of 16 bytes; `count` is of fields."""
    for span in spans(count // FIELDS, BATCH_COMMANDS):
        data = []
        for n in span:
            pairs = [word for i in range(FIELDS) for word in (b"field%d" % i, b"v%07d" % (n + i))]
            data.append(encode(b"HSET", b"key:%012d" % n, *pairs))
        yield b"".join(data), len(span)


MILLION = 1_000_000

DATASETS: tuple[Dataset, ...] = (
    Dataset("string: key 16, value 3", MILLION, fixed(3)),
    Dataset("string: key 16, value 3, TTL", MILLION, fixed(3, ttl=True)),
    Dataset("string: key 16, value 64", MILLION, fixed(64)),
    Dataset("string: key 16, value 64, TTL", MILLION, fixed(64, ttl=True)),
    Dataset("string: key 16, integer", MILLION, integers()),
    Dataset("string: key 16, integer, TTL", MILLION, integers(ttl=True)),
    Dataset("one hash: field 11, value 8", MILLION, one_hash),
    Dataset("one set: member 11", MILLION, one_set),
    Dataset("one sorted set: member 11", MILLION, sorted_set),
    Dataset("one stream: field 5, value 8", MILLION, one_stream),
    Dataset("hashes of 10 fields: a field", MILLION, small_hashes),
)
