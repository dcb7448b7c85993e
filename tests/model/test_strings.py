"""Strings against a model, with expiries that are far away or over."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.machine import KEYS, RUNS, VALUES, EngineMachine

FAR_MS = 10**13
LIMIT = 2**63
OFFSETS = st.integers(0, 700)


class Strings(EngineMachine):
    """model: key -> (value, expiry in ms or -1)."""

    def value(self, key: bytes) -> bytes | None:
        return self.model[key][0] if key in self.model else None

    def keep(self, key: bytes, value: bytes) -> None:
        self.model[key] = (value, self.model.get(key, (b"", -1))[1])

    @rule(key=KEYS, value=VALUES, far=st.booleans())
    def set(self, key: bytes, value: bytes, far: bool) -> None:
        options: tuple[Any, ...] = ("PXAT", FAR_MS) if far else ()
        assert self.call("SET", key, value, "GET", *options) == self.value(key)
        self.model[key] = (value, FAR_MS if far else -1)

    @rule(key=KEYS, value=VALUES)
    def set_and_keep_the_time(self, key: bytes, value: bytes) -> None:
        assert self.call("SET", key, value, "KEEPTTL") == "OK"
        self.keep(key, value)

    @rule(key=KEYS, value=VALUES)
    def set_if_missing(self, key: bytes, value: bytes) -> None:
        assert self.call("SETNX", key, value) == (key not in self.model)
        self.model.setdefault(key, (value, -1))

    @rule(key=KEYS, value=VALUES)
    def append(self, key: bytes, value: bytes) -> None:
        whole = (self.value(key) or b"") + value
        assert self.call("APPEND", key, value) == len(whole)
        self.keep(key, whole)

    @rule(key=KEYS, offset=OFFSETS, value=VALUES)
    def set_range(self, key: bytes, offset: int, value: bytes) -> None:
        old = self.value(key)
        whole = old or b""
        if value:
            padded = whole.ljust(offset, b"\0")
            whole = padded[:offset] + value + padded[offset + len(value) :]
        assert self.call("SETRANGE", key, offset, value) == len(whole)
        if value:
            self.keep(key, whole)

    @rule(key=KEYS, start=st.integers(-20, 700), end=st.integers(-20, 700))
    def get_range(self, key: bytes, start: int, end: int) -> None:
        whole = self.value(key) or b""
        first = max(0, start if start >= 0 else len(whole) + start)
        last = end if end >= 0 else max(0, len(whole) + end)
        wanted = whole[first : last + 1]
        if start < 0 and end < 0 and start > end:
            wanted = b""
        assert self.call("GETRANGE", key, start, end) == wanted

    @rule(key=KEYS, by=st.integers(-1000, 1000))
    def increment(self, key: bytes, by: int) -> None:
        old = self.value(key)
        number = 0 if old is None else as_integer(old)
        reply = self.engine.call("INCRBY", key, by)
        if number is None or not -LIMIT <= number + by < LIMIT:
            assert isinstance(reply, ValueError)
        else:
            assert reply == number + by
            self.keep(key, b"%d" % reply)

    @rule(key=KEYS, past=st.booleans())
    def expire(self, key: bytes, past: bool) -> None:
        assert self.call("PEXPIREAT", key, 1 if past else FAR_MS) == (key in self.model)
        if key in self.model:
            if past:
                del self.model[key]
            else:
                self.model[key] = (self.model[key][0], FAR_MS)

    @rule(key=KEYS)
    def persist(self, key: bytes) -> None:
        volatile = key in self.model and self.model[key][1] > 0
        assert self.call("PERSIST", key) == volatile
        if volatile:
            self.model[key] = (self.model[key][0], -1)

    @rule(key=KEYS)
    def take(self, key: bytes) -> None:
        assert self.call("GETDEL", key) == self.value(key)
        self.model.pop(key, None)

    @rule(key=KEYS)
    def look(self, key: bytes) -> None:
        assert self.call("GET", key) == self.value(key)
        assert self.call("STRLEN", key) == len(self.value(key) or b"")
        assert self.call("PEXPIRETIME", key) == self.model.get(key, (b"", -2))[1]


def as_integer(text: bytes) -> int | None:
    """The number if the text is what the number is written as."""
    try:
        number = int(text)
    except ValueError:
        return None
    return number if b"%d" % number == text and -LIMIT <= number < LIMIT else None


Strings.TestCase.settings = RUNS
TestStrings = Strings.TestCase
