"""The commands of the loads: what is sent, and what must be there before.

`__rand_int__` stands for a random number of 12 digits below the size of the keyspace, as in redis-benchmark.
A word `;` ends a command: what it joins is sent and counted as one operation.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shmredis.benchmark.connection import Batch, encode

__all__ = ["CHANNEL", "END", "RANDOM", "WORKLOADS", "Shape", "Workload", "arbitrary"]

RANDOM = "__rand_int__"
END = ";"
BATCH_COMMANDS = 200
LIST_BATCH = 100
PLACES = 10_000
CHANNEL = "channel"


@dataclass(slots=True, frozen=True)
class Shape:
    """The sizes that commands and their preparation depend on."""

    keyspace: int
    requests: int
    value: str


def nothing(_shape: Shape) -> Iterator[Batch]:
    """The empty database."""
    return iter(())


def keys(shape: Shape) -> Iterator[Batch]:
    """A string at each key of the keyspace."""
    value = shape.value.encode()
    for first in range(0, shape.keyspace, BATCH_COMMANDS):
        numbers = range(first, min(first + BATCH_COMMANDS, shape.keyspace))
        yield b"".join(encode(b"SET", b"key:%012d" % n, value) for n in numbers), len(numbers)


def long_list(shape: Shape) -> Iterator[Batch]:
    """A list with an element for each request and some to spare."""
    push = encode(b"RPUSH", b"mylist", *[shape.value.encode()] * LIST_BATCH)
    for _ in range(shape.requests // LIST_BATCH + 100):
        yield push, 1


def list_of_100(shape: Shape) -> Iterator[Batch]:
    """A list with 100 elements."""
    yield encode(b"RPUSH", b"mylist", *[shape.value.encode()] * 100), 1


def stream(shape: Shape) -> Iterator[Batch]:
    """A stream of 1000 entries."""
    add = encode(b"XADD", b"mystream", b"*", b"field", shape.value.encode())
    for _ in range(10):
        yield add * 100, 200


def bits(shape: Shape) -> Iterator[Batch]:
    """A string of as many bits as there are keys, one in three of them set."""
    size = shape.keyspace // 8 + 1
    pattern = b"\x49\x24\x92"
    yield encode(b"SET", b"mybits", (pattern * (size // 3 + 1))[:size]), 1


def places(_shape: Shape) -> Iterator[Batch]:
    """10,000 places, spread over ten degrees each way by an additive sequence."""
    for first in range(0, PLACES, BATCH_COMMANDS):
        words: list[bytes] = []
        for n in range(first, first + BATCH_COMMANDS):
            longitude, latitude = n * 0.7548776662 % 1 * 10, 40 + n * 0.5698402910 % 1 * 10
            words += (b"%.6f" % longitude, b"%.6f" % latitude, b"place:%06d" % n)
        yield encode(b"GEOADD", b"myplaces", *words), 1


@dataclass(slots=True, frozen=True)
class Workload:
    """A command to repeat: its words (VALUE is the value), and what fills the database before it.

    `audience` is the number of connections that are subscribed to CHANNEL meanwhile.
    """

    name: str
    words: tuple[str, ...]
    prepare: Callable[[Shape], Iterator[Batch]] = nothing
    audience: int = 0

    @property
    def joined(self) -> bool:
        """Whether it is several commands."""
        return END in self.words

    def argv(self, shape: Shape) -> list[str]:
        return [shape.value if word == "VALUE" else word for word in self.words]


KEY = f"key:{RANDOM}"
ELEMENT = f"element:{RANDOM}"
TRANSACTION = ("MULTI", END, *("SET", KEY, "VALUE", END) * 2, "EXEC")
NEAR = ("GEOSEARCH", "myplaces", "FROMLONLAT", "5", "45", "BYRADIUS", "30", "km", "ASC")

WORKLOADS: Mapping[str, Workload] = MappingProxyType(
    {
        workload.name: workload
        for workload in (
            Workload("GET", ("GET", KEY), keys),
            Workload("SET", ("SET", KEY, "VALUE")),
            Workload("INCR", ("INCR", f"counter:{RANDOM}")),
            Workload("LPUSH", ("LPUSH", "mylist", "VALUE")),
            Workload("LPOP", ("LPOP", "mylist"), long_list),
            Workload("SADD", ("SADD", "myset", ELEMENT)),
            Workload("HSET", ("HSET", "myhash", ELEMENT, "VALUE")),
            Workload("ZADD", ("ZADD", "myzset", RANDOM, ELEMENT)),
            Workload("LRANGE_100", ("LRANGE", "mylist", "0", "99"), list_of_100),
            Workload("MSET", ("MSET", *(KEY, "VALUE") * 10)),
            Workload("XADD", ("XADD", "mystream", "*", "field", "VALUE")),
            Workload("XREAD_100", ("XREAD", "COUNT", "100", "STREAMS", "mystream", "0"), stream),
            Workload("PUBLISH_1", ("PUBLISH", CHANNEL, "VALUE"), audience=1),
            Workload("PUBLISH_50", ("PUBLISH", CHANNEL, "VALUE"), audience=50),
            Workload("MULTI", TRANSACTION),
            Workload("SETBIT", ("SETBIT", f"bits:{RANDOM}", "100", "1")),
            Workload("BITCOUNT", ("BITCOUNT", "mybits"), bits),
            Workload("PFADD", ("PFADD", "myhll", ELEMENT)),
            Workload("GEOSEARCH", NEAR, places),
            Workload("EVAL", ("EVAL", "return redis.call('GET', KEYS[1])", "1", KEY), keys),
        )
    }
)


def arbitrary(text: str) -> Workload:
    """A command of the user's, words separated by spaces; the keyspace of strings is there."""
    return Workload(text, tuple(text.split()), keys)
