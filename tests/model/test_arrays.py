"""Arrays against a dictionary and a cursor."""

from dataclasses import dataclass, field
from itertools import chain
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.machine import KEYS, RUNS, VALUES, EngineMachine

LAST = 2**64 - 2
INDEXES = st.one_of(
    st.integers(0, 40),
    st.integers(200, 600),
    st.sampled_from([0, 255, 256, 4095, 4096, 2**19 - 1, 2**19, 2**40, 2**63, LAST - 3]),
)
SOME = st.lists(VALUES, min_size=1, max_size=12)


@dataclass(slots=True)
class Array:
    """`last`: where the last insertion went; -1: there was none."""

    items: dict[int, bytes] = field(default_factory=dict)
    last: int = -1

    def copy(self) -> "Array":
        return Array(dict(self.items), self.last)

    def __bool__(self) -> bool:
        return bool(self.items)

    @property
    def length(self) -> int:
        return max(self.items, default=-1) + 1

    def before(self, count: int) -> list[bytes | None]:
        """What the last insertions left, the newest first; before index 0 comes the end."""
        index, found = self.last, []
        for _ in range(min(count, len(self.items))):
            index = self.length - 1 if index == -1 else index
            found.append(self.items.get(index))
            index -= 1
        return found

    def resize(self, size: int) -> None:
        """Makes it a ring of this size: what was inserted last, up to the first hole, from 0 on."""
        grows_apart = self.length < size and -1 < self.last < self.length - 1
        if self.length > size or grows_apart:
            index, kept = (self.last if self.last > -1 else self.length - 1) % self.length, []
            while len(kept) < min(size, len(self.items)) and index in self.items:
                kept.insert(0, self.items[index])
                index = (index or self.length) - 1
            self.items, self.last = dict(enumerate(kept)), len(kept) - 1


def number(value: Any) -> int:
    """An integer of a reply, which is a bulk string above 2^63 - 1."""
    return int(value)


class Arrays(EngineMachine):
    """model: key -> Array."""

    limits: ClassVar[dict[str, int]] = {
        "array_slice_size": 256,
        "array_sparse_kmin": 2,
        "array_sparse_kmax": 5,
    }

    def array(self, key: bytes) -> Array:
        return self.model.setdefault(key, Array())

    @rule(key=KEYS, index=INDEXES, values=SOME)
    def set(self, key: bytes, index: int, values: list[bytes]) -> None:
        values = values[: LAST - index + 1]
        have = self.array(key).items
        new = dict(enumerate(values, index))
        assert self.call("ARSET", key, index, *values) == len(new.keys() - have.keys())
        have.update(new)

    @rule(key=KEYS, pairs=st.lists(st.tuples(INDEXES, VALUES), min_size=1, max_size=20))
    def set_many(self, key: bytes, pairs: list[tuple[int, bytes]]) -> None:
        have = self.array(key).items
        added = len(dict(pairs).keys() - have.keys())
        assert self.call("ARMSET", key, *chain.from_iterable(pairs)) == added
        have.update(pairs)

    @rule(key=KEYS, indexes=st.lists(INDEXES, min_size=1, max_size=9))
    def remove(self, key: bytes, indexes: list[int]) -> None:
        have = self.array(key).items
        assert self.call("ARDEL", key, *indexes) == len(have.keys() & set(indexes))
        for index in indexes:
            have.pop(index, None)
        self.drop_empty()

    @rule(key=KEYS, one=INDEXES, other=INDEXES)
    def remove_range(self, key: bytes, one: int, other: int) -> None:
        array = self.array(key)
        low, high = sorted((one, other))
        left = {i: v for i, v in array.items.items() if not low <= i <= high}
        assert self.call("ARDELRANGE", key, one, other) == len(array.items) - len(left)
        array.items = left
        self.drop_empty()

    @rule(key=KEYS, values=SOME)
    def insert(self, key: bytes, values: list[bytes]) -> None:
        array = self.array(key)
        if array.last + len(values) > LAST:
            reply = self.engine.call("ARINSERT", key, *values)
            assert str(reply) == "ERR insert index overflow"
        else:
            array.items.update(enumerate(values, array.last + 1))
            array.last += len(values)
            assert number(self.call("ARINSERT", key, *values)) == array.last

    @rule(key=KEYS, index=INDEXES)
    def seek(self, key: bytes, index: int) -> None:
        assert self.call("ARSEEK", key, index) == (key in self.model)
        if key in self.model:
            self.model[key].last = index - 1

    @rule(key=KEYS, size=st.integers(1, 20), values=SOME)
    def ring(self, key: bytes, size: int, values: list[bytes]) -> None:
        array = self.array(key)
        if array:
            array.resize(size)
        for value in values:
            array.last = (array.last + 1) % size
            array.items[array.last] = value
        assert self.call("ARRING", key, size, *values) == array.last

    @rule(key=KEYS, one=INDEXES, other=INDEXES, limit=st.integers(1, 30))
    def scan(self, key: bytes, one: int, other: int, limit: int) -> None:
        have = self.model.get(key, Array())
        low, high = sorted((one, other))
        expected = sorted((i, v) for i, v in have.items.items() if low <= i <= high)
        expected = expected if one <= other else expected[::-1]
        found = [(number(i), v) for i, v in self.call("ARSCAN", key, one, other, "LIMIT", limit)]
        assert found == expected[:limit]
        assert self.call("AROP", key, one, other, "USED") == len(expected)
        matches = self.call(
            "ARGREP", key, one, other, "GLOB", "*e*", "RE", "^[0-9]+$", "LIMIT", limit
        )
        wanted = [i for i, v in expected if b"e" in v or (v.isdigit() and b"\0" not in v)]
        assert [number(i) for i in matches] == wanted[:limit]

    @rule(key=KEYS, count=st.integers(1, 30), start=st.integers(0, 600))
    def look(self, key: bytes, count: int, start: int) -> None:
        array = self.model.get(key, Array())
        span = range(start, start + count)
        values = [array.items.get(i) for i in span]
        assert self.call("ARGETRANGE", key, start, span[-1]) == values
        assert self.call("ARMGET", key, *span) == values
        assert number(self.call("ARLEN", key)) == array.length
        assert self.call("ARCOUNT", key) == len(array.items)
        assert self.call("ARLASTITEMS", key, count, "REV") == array.before(count)
        assert self.call("ARLASTITEMS", key, count) == array.before(count)[::-1]

    @rule(key=KEYS)
    def dump(self, key: bytes) -> None:
        if key in self.model:
            payload = self.call("DUMP", key)
            assert self.call("RESTORE", key, 0, payload, "REPLACE") == "OK"
            assert self.call("DUMP", key) == payload


Arrays.TestCase.settings = RUNS
TestArrays = Arrays.TestCase
