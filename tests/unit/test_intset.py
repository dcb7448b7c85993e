"""Intsets against a sorted list and an encoder written from the format alone.

| width u32: 2, 4 or 8 | count u32 | integers, ascending |, all little endian.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from shmredis._core import ffi, lib

ROOM = 4096
FORMS = {2: "h", 4: "i", 8: "q"}


def width_for(value: int) -> int:
    return next(width for width in FORMS if -(2 ** (8 * width - 1)) <= value < 2 ** (8 * width - 1))


def encode(width: int, values: list[int]) -> bytes:
    return struct.pack(f"<II{len(values)}{FORMS[width]}", width, len(values), *values)


class Intset:
    """An intset that ends right before memory nobody may touch."""

    def __init__(self) -> None:
        self.guarded = lib.wb_guarded_new(1)
        self.position = ffi.new("uint32_t *")
        self.load(encode(2, []))

    def load(self, content: bytes) -> Any:
        self.set = ffi.cast("uint8_t *", self.guarded + ROOM - len(content))
        ffi.memmove(self.set, content, len(content))

    def content(self) -> bytes:
        return ffi.buffer(self.set, lib.intset_bytes(self.set))[:]

    def insert(self, value: int) -> bool:
        content = self.content()
        more = lib.intset_bytes_with(self.set, value) - len(content)
        self.load(content + bytes(more))
        done = lib.intset_insert(self.set, value)
        self.load(self.content())
        return bool(done)

    def delete(self, value: int) -> bool:
        done = lib.intset_delete(self.set, value)
        self.load(self.content())
        return bool(done)

    def find(self, value: int) -> tuple[bool, int]:
        found = lib.intset_find(self.set, value, self.position)
        return bool(found), self.position[0]

    def close(self) -> None:
        lib.wb_guarded_delete(self.guarded, 1)


@pytest.fixture
def intset() -> Iterator[Intset]:
    intset = Intset()
    yield intset
    intset.close()


SHARED = Intset()
values = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-8, 8),
    st.sampled_from([s * 2**n + d for n in (15, 31) for d in (-1, 0, 1) for s in (-1, 1)]),
)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from([True, True, False]), values), max_size=60))
def test_same_as_a_sorted_list(steps: list[tuple[bool, int]]) -> None:
    SHARED.load(encode(2, []))
    model: list[int] = []
    width = 2
    for adding, value in steps:
        assert SHARED.find(value) == (value in model, bisect_left(model, value))
        if adding:
            assert SHARED.insert(value) == (value not in model)
            model = sorted({*model, value})
            width = max(width, width_for(value))
        else:
            assert SHARED.delete(value) == (value in model)
            model = [v for v in model if v != value]
        assert SHARED.content() == encode(width, model)
        assert lib.intset_length(SHARED.set) == len(model)
        assert [lib.intset_get(SHARED.set, i) for i in range(len(model))] == model


@pytest.mark.parametrize(
    ("members", "content"),
    [
        ([-5, 1, 2, 3], "02000000 04000000 fbff 0100 0200 0300"),
        ([1, 70000], "04000000 02000000 01000000 70110100"),
        ([1, 5000000000], "08000000 02000000 0100000000000000 00f2052a01000000"),
    ],
)
def test_observed_bytes(intset: Intset, members: list[int], content: str) -> None:
    """As in payloads of DUMP."""
    for member in reversed(members):
        assert intset.insert(member)
    assert intset.content() == bytes.fromhex(content)


# --- hostile bytes ---


def reference_valid(content: bytes) -> bool:
    if len(content) <= 8:
        return False
    width, count = struct.unpack("<II", content[:8])
    if width not in FORMS or len(content) != 8 + width * count:
        return False
    members = struct.unpack(f"<{count}{FORMS[width]}", content[8:])
    return all(a < b for a, b in pairwise(members))


def is_valid(content: bytes) -> bool:
    SHARED.load(content)
    return bool(lib.intset_valid(SHARED.set, len(content)))


samples = st.builds(
    lambda members: encode(max(map(width_for, members)), sorted(members)),
    st.sets(values, min_size=1, max_size=20),
)


@given(samples)
def test_valid(content: bytes) -> None:
    assert is_valid(content)
    assert is_valid(content) == reference_valid(content)


@given(st.binary(max_size=40))
def test_random_bytes(content: bytes) -> None:
    assert is_valid(content) == reference_valid(content)


@given(st.sampled_from([2, 4, 8]), st.integers(0, 8), st.binary(max_size=48))
def test_random_members(width: int, count: int, members: bytes) -> None:
    content = struct.pack("<II", width, count) + members[: width * count]
    assert is_valid(content) == reference_valid(content)


@given(samples, st.data())
def test_truncated(content: bytes, data: st.DataObject) -> None:
    assert not is_valid(content[: data.draw(st.integers(0, len(content) - 1))])
    assert not is_valid(content + b"\0")


@given(samples, st.data())
def test_one_byte_changed(content: bytes, data: st.DataObject) -> None:
    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    assert is_valid(bytes(changed)) == reference_valid(bytes(changed))


@pytest.mark.parametrize(
    "content", ["", "02000000", "0200000000000000", "0200000001000000", "02000000ffffffff0100"]
)
def test_refused(content: str) -> None:
    assert not is_valid(bytes.fromhex(content))
