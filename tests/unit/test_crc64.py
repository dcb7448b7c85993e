"""csrc/persist/crc64.h against the plain bitwise definition."""

import random

from hypothesis import given, strategies as st

from shmredis._core import lib

POLYNOMIAL = 0x95AC9329AC4BC9B5


def crc_of(data: bytes, crc: int = 0) -> int:
    return int(lib.core_crc64(crc, data, len(data)))


def bitwise(data: bytes, crc: int = 0) -> int:
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


def test_the_check_value() -> None:
    assert crc_of(b"123456789") == 0xE9C6D914C4B8D9CA


@given(st.binary(max_size=600), st.integers(0, 2**64 - 1))
def test_it_equals_the_definition(data: bytes, start: int) -> None:
    assert crc_of(data, start) == bitwise(data, start)


def test_long_runs_in_any_alignment() -> None:
    data = random.Random(1).randbytes(20000)
    for first in range(17):
        for size in (*range(0, 300, 7), 4096, 9999):
            part = data[first : first + size]
            assert crc_of(part) == bitwise(part)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_parts_are_combined(first: bytes, second: bytes) -> None:
    joined = lib.core_crc64_combine(crc_of(first), crc_of(second), len(second))
    assert joined == crc_of(first + second)


def test_parts_of_many_bytes_are_combined() -> None:
    zeros = bytes(1 << 20)
    crc = crc_of(b"head")
    assert lib.core_crc64_combine(crc, crc_of(zeros), len(zeros)) == crc_of(b"head" + zeros)
