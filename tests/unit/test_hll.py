"""Registers of dense HyperLogLogs, all at once: read, merged, packed as a plain reading of the bits says."""

import random
from collections.abc import Iterator

import pytest

from tests.unit.engines import Engine, new_engine

REGISTERS = 16384
HEADER = b"HYLL\0\0\0\0" + bytes(7) + b"\x80"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with new_engine() as engine:
        yield engine


def packed(registers: list[int]) -> bytes:
    """The dense form: six bits each, the first in the lowest bits of the first byte."""
    number = sum(value << 6 * i for i, value in enumerate(registers))
    return HEADER + number.to_bytes(REGISTERS * 6 // 8, "little")


def some_registers(seed: int) -> list[int]:
    rng = random.Random(seed)
    return [min(63, int(rng.expovariate(0.3))) for _ in range(REGISTERS)]


def test_registers_are_read(engine: Engine) -> None:
    engine.call("SET", "h", packed(some_registers(1)))
    assert engine.call("PFDEBUG", "GETREG", "h") == some_registers(1)


def test_merging_takes_the_higher_of_each(engine: Engine) -> None:
    a, b = some_registers(2), some_registers(3)
    engine.call("SET", "a", packed(a))
    engine.call("SET", "b", packed(b))
    engine.call("DEL", "c")
    assert engine.call("PFMERGE", "c", "a", "b") == "OK"
    highest = [max(pair) for pair in zip(a, b, strict=True)]
    assert engine.call("GET", "c") == packed(highest)
    assert engine.call("PFCOUNT", "c") == engine.call("PFCOUNT", "a", "b")


def test_a_sparse_one_is_merged_into_a_dense_one(engine: Engine) -> None:
    engine.call("DEL", "s", "t")
    engine.call("PFADD", "s", *[b"element%d" % i for i in range(50)])
    engine.call("SET", "a", packed(some_registers(4)))
    before = engine.call("PFDEBUG", "GETREG", "a")
    engine.call("PFMERGE", "t", "s")
    engine.call("PFDEBUG", "TODENSE", "t")
    engine.call("PFMERGE", "a", "s")
    added = engine.call("PFDEBUG", "GETREG", "t")
    merged = [max(pair) for pair in zip(before, added, strict=True)]
    assert engine.call("PFDEBUG", "GETREG", "a") == merged
    engine.call("PFMERGE", "s", "a")
    assert engine.call("PFDEBUG", "GETREG", "s") == merged
