"""csrc/persist/lzf.h: what is compressed expands again; hostile bytes never leave their place."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from shmredis._core import ffi, lib


@pytest.fixture(scope="module")
def lzf() -> Iterator[Any]:
    handle = lib.lzf_new()
    yield handle
    lib.lzf_delete(handle)


def compress(lzf: Any, data: bytes, room: int) -> bytes:
    out = ffi.new("char[]", room)
    return ffi.buffer(out, lib.lzf_compress(lzf, data, len(data), out, room))[:]


def expand(data: bytes, size: int) -> bytes | None:
    """None: refused. The result lies before a page that nobody may touch."""
    pages = size // 4096 + 1
    place = lib.wb_guarded_new(pages)
    out = place + pages * 4096 - size
    known = lib.lzf_expand(ffi.from_buffer(data), len(data), out, size)
    result = ffi.buffer(out, size)[:] if known else None
    lib.wb_guarded_delete(place, pages)
    return result


REPEATING = st.lists(
    st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 400)), min_size=1, max_size=12
).map(lambda parts: b"".join(part * times for part, times in parts))


@given(data=REPEATING)
def test_what_is_compressed_expands_again(lzf: Any, data: bytes) -> None:
    packed = compress(lzf, data, len(data) + len(data) // 32 + 8)
    assert not packed or expand(packed, len(data)) == data
    assert packed or len(data) < 8


@given(data=st.binary(min_size=20, max_size=3000))
def test_noise_is_not_worth_it_or_expands_again(lzf: Any, data: bytes) -> None:
    packed = compress(lzf, data, len(data) - 4)
    assert not packed or expand(packed, len(data)) == data


def test_strings_of_one_letter_become_small(lzf: Any) -> None:
    assert len(compress(lzf, b"x" * 10000, 9996)) < 130


def test_far_matches_are_found_within_8192_bytes(lzf: Any) -> None:
    noise = bytes((n * n * 31 + n) >> 3 & 0xFF for n in range(8000))
    packed = compress(lzf, noise + noise[:600], 9000)
    assert expand(packed, 8600) == noise + noise[:600]
    assert len(packed) < 8000 + 8000 // 32 + 80


@pytest.mark.parametrize("distance", [*range(1, 33)])
def test_a_match_that_reaches_into_itself_repeats(distance: int) -> None:
    literals = bytes(range(65, 65 + distance))
    for length in (3, 4, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 65, 100, 263, 264):
        long = bytes([7 << 5, length - 9]) if length > 8 else bytes([length - 2 << 5])
        packed = bytes([distance - 1]) + literals + long + bytes([distance - 1])
        whole = (literals * (length + distance))[: distance + length]
        assert expand(packed, len(whole)) == whole


@given(data=st.binary(max_size=200), size=st.integers(1, 5000))
def test_hostile_bytes_are_refused_or_expand_to_the_size(data: bytes, size: int) -> None:
    result = expand(data, size)
    assert result is None or len(result) == size


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"\x00", 1),  # a literal without its byte
        (b"\x20\x00", 3),  # a match before the start
        (b"\x00a\xe0", 10),  # a match without length and distance
        (b"\x00a\x20", 4),
        (b"\x00a\x20\x00", 3),  # one more than the size
        (b"\x00a\x20\x00", 5),  # one less
        (b"\x01ab\x20\x02", 5),  # further back than the start
    ],
)
def test_broken_streams(data: bytes, size: int) -> None:
    assert expand(data, size) is None


def test_a_match_may_overlap_itself() -> None:
    assert expand(b"\x00a\xe0\x57\x00", 97) == b"a" * 97
