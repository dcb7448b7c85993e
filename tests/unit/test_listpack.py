"""Listpacks against a list of byte strings and an encoder written from the format alone.

| total bytes u32 | elements u16, 65535: unknown | element ... | ff |
element: encoding and data | backlen: the size of those in groups of 7 bits, from the most
significant one on, all but the first with bit 7 set
"""

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shmredis._core import ffi, lib

PAGES = 80
ROOM = PAGES * 4096


# --- the format ---


def integer_of(text: bytes) -> int | None:
    """The number if this is how it is written."""
    if not text.lstrip(b"-").isdigit():
        return None
    value = int(text)
    return value if str(value).encode() == text and -(2**63) <= value < 2**63 else None


def encode_integer(value: int) -> bytes:
    if 0 <= value <= 127:
        return bytes([value])
    if -4096 <= value <= 4095:
        return struct.pack(">H", 0xC000 | value & 0x1FFF)
    for code, size in ((0xF1, 2), (0xF2, 3), (0xF3, 4)):
        if -(2 ** (8 * size - 1)) <= value < 2 ** (8 * size - 1):
            return bytes([code]) + value.to_bytes(size, "little", signed=True)
    return b"\xf4" + struct.pack("<q", value)


def encode_string(text: bytes) -> bytes:
    if len(text) < 64:
        return bytes([0x80 | len(text)]) + text
    if len(text) < 4096:
        return struct.pack(">H", 0xE000 | len(text)) + text
    return b"\xf0" + struct.pack("<I", len(text)) + text


def backlen(size: int) -> bytes:
    limits = (127, 16382, 2097150, 268435454)
    groups = 1 + sum(size > limit for limit in limits)
    out = [(size >> 7 * i & 0x7F) | 0x80 for i in reversed(range(groups))]
    return bytes([out[0] & 0x7F, *out[1:]])


def encode_element(text: bytes) -> bytes:
    value = integer_of(text)
    body = encode_string(text) if value is None else encode_integer(value)
    return body + backlen(len(body))


def encode(elements: list[bytes]) -> bytes:
    body = b"".join(map(encode_element, elements))
    return struct.pack("<IH", len(body) + 7, min(len(elements), 65535)) + body + b"\xff"


# --- the code under test ---


class Listpack:
    """A listpack that ends right before memory nobody may touch."""

    def __init__(self) -> None:
        self.guarded = lib.wb_guarded_new(PAGES)
        self.size = ffi.new("size_t *")
        self.buffer = ffi.new("char[24]")
        self.lp = self.at_end(b"")
        self.load(encode([]))

    def close(self) -> None:
        lib.wb_guarded_delete(self.guarded, PAGES)

    def at_end(self, content: bytes) -> Any:
        return ffi.cast("uint8_t *", self.guarded + ROOM - len(content))

    def load(self, content: bytes) -> None:
        self.lp = self.at_end(content)
        ffi.memmove(self.lp, content, len(content))

    def content(self) -> bytes:
        return ffi.buffer(self.lp, lib.lp_bytes(self.lp))[:]

    def make_room(self, more: int) -> None:
        content = self.content()
        self.lp = self.at_end(content) - more
        ffi.memmove(self.lp, content, len(content))

    def settle(self) -> None:
        self.load(self.content())

    def seek(self, index: int) -> Any:
        return lib.lp_seek(self.lp, index)

    def text(self, p: Any) -> bytes:
        text = lib.wb_lp_text(p, self.buffer, self.size)
        return ffi.buffer(text, self.size[0])[:]

    def insert(self, index: int | None, text: bytes) -> Any:
        self.make_room(len(encode_element(text)))
        place = ffi.NULL if index is None else self.seek(index)
        return lib.wb_lp_insert(self.lp, place, text, len(text))

    def replace(self, index: int, text: bytes) -> Any:
        self.make_room(max(0, len(encode_element(text)) - lib.lp_size_at(self.seek(index))))
        return lib.wb_lp_replace(self.lp, self.seek(index), text, len(text))

    def forwards(self) -> list[bytes]:
        out = []
        p = lib.lp_first(self.lp)
        while p:
            out.append(self.text(p))
            p = lib.lp_next(self.lp, p)
        return out

    def backwards(self) -> list[bytes]:
        out = []
        p = lib.lp_last(self.lp)
        while p:
            out.append(self.text(p))
            p = lib.lp_prev(self.lp, p)
        return out


@pytest.fixture
def pack() -> Iterator[Listpack]:
    pack = Listpack()
    yield pack
    pack.close()


integers = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-5000, 5000),
    st.sampled_from([sign * 2**n + d for n in range(64) for d in (-1, 0, 1) for sign in (-1, 1)]),
).map(lambda value: str(value).encode())
texts = st.one_of(
    integers,
    st.binary(max_size=20),
    st.sampled_from([b"q" * n for n in (0, 1, 63, 64, 125, 126, 127, 4095, 4096, 16379, 20000)]),
    st.sampled_from([b"-0", b"007", b" 1", b"+1", b"9223372036854775808", b"-", b"1.0"]),
)


class Operations(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pack = Listpack()
        self.model: list[bytes] = []

    def teardown(self) -> None:
        self.pack.close()

    def index(self, data: st.DataObject) -> int:
        return data.draw(st.integers(0, len(self.model) - 1))

    @precondition(lambda self: len(self.model) < 12)
    @rule(text=texts)
    def append(self, text: bytes) -> None:
        assert self.pack.text(self.pack.insert(None, text)) == text
        self.model.append(text)

    @precondition(lambda self: 0 < len(self.model) < 12)
    @rule(data=st.data(), text=texts)
    def insert(self, data: st.DataObject, text: bytes) -> None:
        index = self.index(data)
        assert self.pack.text(self.pack.insert(index, text)) == text
        self.model.insert(index, text)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), text=texts)
    def replace(self, data: st.DataObject, text: bytes) -> None:
        index = self.index(data)
        assert self.pack.text(self.pack.replace(index, text)) == text
        self.pack.settle()
        self.model[index] = text

    @precondition(lambda self: self.model)
    @rule(data=st.data(), count=st.sampled_from([0, 1, 2, 5, 1 << 40]))
    def delete(self, data: st.DataObject, count: int) -> None:
        index = self.index(data)
        after = lib.lp_delete(self.pack.lp, self.pack.seek(index), count)
        del self.model[index : index + count]
        expected = self.model[index] if index < len(self.model) else None
        assert (self.pack.text(after) if after else None) == expected
        self.pack.settle()

    @rule(text=texts, skip=st.integers(0, 3), start=st.integers(0, 11))
    def find(self, text: bytes, skip: int, start: int) -> None:
        place = self.pack.seek(start)
        if not place:
            assert start >= len(self.model)
            return
        found = lib.wb_lp_find(self.pack.lp, place, text, len(text), skip)
        tries = range(start, len(self.model), skip + 1)
        index = next((i for i in tries if self.model[i] == text), None)
        assert found == (ffi.cast("uint8_t *", 0) if index is None else self.pack.seek(index))

    @invariant()
    def same(self) -> None:
        pack, model = self.pack, self.model
        assert pack.content() == encode(model)
        assert pack.lp + lib.lp_bytes(pack.lp) == pack.at_end(b"")
        assert lib.lp_valid(pack.lp, lib.lp_bytes(pack.lp))
        assert lib.lp_length(pack.lp) == len(model)
        assert pack.forwards() == model
        assert pack.backwards() == model[::-1]
        for i in range(-len(model) - 1, len(model) + 1):
            place = pack.seek(i)
            inside = -len(model) <= i < len(model)
            assert (pack.text(place) if place else None) == (model[i] if inside else None)


Operations.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestOperations = Operations.TestCase


@given(texts, texts)
def test_elements_are_equal_when_their_texts_are(one: bytes, other: bytes) -> None:
    content = ffi.new("uint8_t[]", encode([one]))
    place = lib.lp_first(content)
    assert lib.wb_lp_equal(place, one, len(one))
    assert lib.wb_lp_equal(place, other, len(other)) == (one == other)
    assert lib.wb_lp_entry_bytes(one, len(one)) == len(encode_element(one))


@pytest.mark.parametrize(
    ("text", "element"),
    [
        *[(b"0", "00 01"), (b"127", "7f 01"), (b"128", "c0 80 02"), (b"-1", "df ff 02")],
        *[(b"-4096", "d0 00 02"), (b"4095", "cf ff 02"), (b"4096", "f1 00 10 03")],
        *[(b"32768", "f2 00 80 00 04"), (b"8388608", "f3 00 00 80 00 05"), (b"", "80 01")],
        *[(b"2147483648", "f4 00 00 00 80 00 00 00 00 09"), (b"007", "83 30 30 37 04")],
    ],
)
def test_observed_bytes(pack: Listpack, text: bytes, element: str) -> None:
    """As in payloads of DUMP."""
    pack.insert(None, text)
    assert pack.content()[6:-1] == bytes.fromhex(element)


def test_count_is_unknown_from_65535_elements_on(pack: Listpack) -> None:
    pack.load(encode([b"1"] * 65534))
    for n in (65535, 65536):
        pack.insert(None, b"1")
        assert lib.lp_length(pack.lp) == n
        assert pack.content()[4:6] == b"\xff\xff"
    pack.settle()
    assert lib.lp_valid(pack.lp, lib.lp_bytes(pack.lp))
    assert pack.text(pack.seek(-1)) == b"1"
    lib.lp_delete(pack.lp, pack.seek(0), 2)
    assert pack.content() == encode([b"1"] * 65534)


# --- hostile bytes ---


def reference_valid(content: bytes) -> bool:
    if len(content) < 7 or content[-1] != 0xFF:
        return False
    total, count = struct.unpack("<IH", content[:6])
    at, found = 6, 0
    while at < len(content) - 1:
        size = body_size(content[at:-1])
        if size is None:
            return False
        end = at + size
        if content[end : end + len(backlen(size))] != backlen(size):
            return False
        at, found = end + len(backlen(size)), found + 1
    return total == len(content) == at + 1 and count in (found, 65535)


def body_size(data: bytes) -> int | None:
    first = data[0]
    fixed = {0xF1: 3, 0xF2: 4, 0xF3: 5, 0xF4: 9}
    if first < 0x80:
        size = 1
    elif first < 0xC0:
        size = 1 + (first & 0x3F)
    elif first < 0xE0:
        size = 2
    elif first < 0xF0:
        size = 2 + ((first & 0xF) << 8 | data[1]) if len(data) > 1 else 1 << 40
    elif first == 0xF0:
        size = 5 + int.from_bytes(data[1:5], "little") if len(data) > 4 else 1 << 40
    else:
        size = fixed.get(first, 1 << 40)
    return size if size < len(data) else None


def is_valid(pack: Listpack, content: bytes) -> bool:
    """With nothing behind the content, then with nothing before it."""
    pack.load(content)
    behind = lib.lp_valid(pack.lp, len(content))
    ffi.memmove(pack.guarded, content, len(content))
    before = lib.lp_valid(ffi.cast("uint8_t *", pack.guarded), len(content))
    assert behind == before
    return bool(behind)


SHARED = Listpack()
samples = st.lists(texts, max_size=6).map(encode)


@given(st.binary(max_size=40))
def test_random_bytes(content: bytes) -> None:
    assert is_valid(SHARED, content) == reference_valid(content)


@given(st.binary(max_size=30), st.integers(0, 6))
def test_random_elements(elements: bytes, count: int) -> None:
    content = struct.pack("<IH", len(elements) + 7, count) + elements + b"\xff"
    assert is_valid(SHARED, content) == reference_valid(content)


@given(samples, st.data())
def test_truncated(content: bytes, data: st.DataObject) -> None:
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    assert not is_valid(SHARED, cut)
    assert not is_valid(SHARED, cut[:-1] + b"\xff")


@given(samples, st.data())
def test_one_byte_changed(content: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, min(len(content) - 1, 200)))
    changed = bytearray(content)
    changed[at] ^= data.draw(st.integers(1, 255))
    assert is_valid(SHARED, bytes(changed)) == reference_valid(bytes(changed))
    if is_valid(SHARED, bytes(changed)):
        SHARED.load(bytes(changed))
        assert SHARED.forwards() == SHARED.backwards()[::-1]
