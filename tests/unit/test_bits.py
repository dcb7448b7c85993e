"""Bits of strings against a model: the string as one row of characters 0 and 1."""

import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.engines import Engine, new_engine

LENGTHS = st.integers(0, 80)
strings = LENGTHS.flatmap(lambda n: st.binary(min_size=n, max_size=n)) | st.builds(
    lambda byte, n, tail: byte * n + tail,
    st.sampled_from([b"\x00", b"\xff"]),
    LENGTHS,
    st.binary(max_size=3),
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with new_engine() as engine:
        yield engine


def bits_of(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def bytes_of(bits: str) -> bytes:
    return int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""


def within(length: int, start: int, end: int) -> range:
    """Places from start to end, both possibly counted from the end."""
    if start < 0 and end < 0 and start > end:
        return range(0)
    first, last = (max(at + length, 0) if at < 0 else at for at in (start, end))
    return range(first, min(last, length - 1) + 1)


@settings(max_examples=150, deadline=None)
@given(data=strings, start=st.integers(-700, 700), end=st.integers(-700, 700), bit=st.booleans())
def test_counts_and_places(engine: Engine, data: bytes, start: int, end: int, bit: bool) -> None:
    engine.call("SET", "k", data)
    bits = bits_of(data)
    part = [bits[i] for i in within(len(bits), start, end)]
    assert engine.call("BITCOUNT", "k", start, end, "BIT") == part.count("1")
    first = next((i for i in within(len(bits), start, end) if bits[i] == str(int(bit))), -1)
    if not (start < 0 and end < start):  # BITPOS takes what is before bit 0 as bit 0
        assert engine.call("BITPOS", "k", int(bit), start, end, "BIT") == first
    whole = [bits[8 * i : 8 * i + 8] for i in within(len(data), start, end)]
    assert engine.call("BITCOUNT", "k", start, end) == "".join(whole).count("1")


@settings(max_examples=150, deadline=None)
@given(
    data=strings,
    at=st.integers(0, 700),
    width=st.integers(1, 63),
    value=st.integers(0, 2**63 - 1),
)
def test_fields(engine: Engine, data: bytes, at: int, width: int, value: int) -> None:
    engine.call("SET", "k", data)
    value %= 2**width
    need = -(-(at + width) // 8) * 8
    bits = bits_of(data).ljust(need, "0")
    old = int(bits[at : at + width], 2)
    assert engine.call("BITFIELD", "k", "GET", f"u{width}", at) == [old]
    assert engine.call("BITFIELD", "k", "SET", f"u{width}", at, value) == [old]
    expected = bits[:at] + f"{value:0{width}b}" + bits[at + width :]
    assert engine.call("GET", "k") == bytes_of(expected)


OPERATIONS: dict[str, Callable[[list[bool]], bool]] = {
    "AND": all,
    "OR": any,
    "XOR": lambda row: sum(row) % 2 == 1,
    "DIFF": lambda row: row[0] and not any(row[1:]),
    "DIFF1": lambda row: not row[0] and any(row[1:]),
    "ANDOR": lambda row: row[0] and any(row[1:]),
    "ONE": lambda row: sum(row) == 1,
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operations(engine: Engine, operation: str) -> None:
    rng = random.Random(7)
    data = [rng.randbytes(n) for n in (5000, 4096, 9001)]
    for i, string in enumerate(data):
        engine.call("SET", f"k{i}", string)
    assert engine.call("BITOP", operation, "d", "k0", "k1", "k2") == 9001
    rows = zip(*(bits_of(string.ljust(9001, b"\0")) for string in data), strict=True)
    combine = OPERATIONS[operation]
    expected = "".join("1" if combine([bit == "1" for bit in row]) else "0" for row in rows)
    assert engine.call("GET", "d") == bytes_of(expected)


@pytest.mark.parametrize("length", [255, 256, 257, 383, 384, 1000, 4099, 70_000])
def test_long_strings_are_counted(engine: Engine, length: int) -> None:
    data = random.Random(length).randbytes(length)
    engine.call("SET", "k", data)
    assert engine.call("BITCOUNT", "k") == int.from_bytes(data, "big").bit_count()
    inner = int.from_bytes(data[3:-2], "big").bit_count()
    assert engine.call("BITCOUNT", "k", 3, -3) == inner
