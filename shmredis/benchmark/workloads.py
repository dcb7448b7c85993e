"""The commands of the loads: what is sent, and what must be there before.

`__rand_int__` stands for a random number of 12 digits below the size of the keyspace, as in redis-benchmark.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shmredis.benchmark.connection import Batch, encode

__all__ = ["RANDOM", "WORKLOADS", "Shape", "Workload", "arbitrary"]

RANDOM = "__rand_int__"
BATCH_COMMANDS = 200
LIST_BATCH = 100


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


@dataclass(slots=True, frozen=True)
class Workload:
    """A command to repeat: its words (VALUE is the value), and what fills the database before it."""

    name: str
    words: tuple[str, ...]
    prepare: Callable[[Shape], Iterator[Batch]] = nothing

    def argv(self, shape: Shape) -> list[str]:
        return [shape.value if word == "VALUE" else word for word in self.words]


KEY = f"key:{RANDOM}"
ELEMENT = f"element:{RANDOM}"

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
        )
    }
)


def arbitrary(text: str) -> Workload:
    """A command of the user's, words separated by spaces; the keyspace of strings is there."""
    return Workload(text, tuple(text.split()), keys)
