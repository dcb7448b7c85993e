"""Lists against Python's."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.machine import KEYS, RUNS, VALUES, EngineMachine

INDEXES = st.integers(-25, 25)
SOME = st.lists(VALUES, min_size=1, max_size=9)
ENDS = st.sampled_from(["LEFT", "RIGHT"])


class Lists(EngineMachine):
    """model: key -> list of elements."""

    @rule(key=KEYS, items=SOME, end=ENDS)
    def push(self, key: bytes, items: list[bytes], end: str) -> None:
        elements = self.model.setdefault(key, [])
        if end == "LEFT":
            elements[:0] = items[::-1]
        else:
            elements += items
        assert self.call(f"{end[0]}PUSH", key, *items) == len(elements)

    @rule(key=KEYS, count=st.integers(0, 9), end=ENDS)
    def pop(self, key: bytes, count: int, end: str) -> None:
        elements = self.model.get(key)
        popped = self.call(f"{end[0]}POP", key, count)
        if elements is None:
            assert popped is None
        elif end == "LEFT":
            assert popped == elements[:count]
            del elements[:count]
        else:
            assert popped == elements[::-1][:count]
            del elements[len(elements) - min(count, len(elements)) :]
        self.drop_empty()

    @rule(key=KEYS, index=INDEXES, value=VALUES)
    def set(self, key: bytes, index: int, value: bytes) -> None:
        elements = self.model.get(key, [])
        reply = self.engine.call("LSET", key, index, value)
        if -len(elements) <= index < len(elements):
            assert reply == "OK"
            elements[index] = value
        else:
            assert isinstance(reply, ValueError)

    @rule(key=KEYS, pivot=VALUES, value=VALUES, after=st.booleans())
    def insert(self, key: bytes, pivot: bytes, value: bytes, after: bool) -> None:
        elements = self.model.get(key)
        reply = self.call("LINSERT", key, "AFTER" if after else "BEFORE", pivot, value)
        if elements is None:
            assert reply == 0
        elif pivot not in elements:
            assert reply == -1
        else:
            elements.insert(elements.index(pivot) + after, value)
            assert reply == len(elements)

    @rule(key=KEYS, count=st.integers(-3, 3), value=VALUES)
    def remove(self, key: bytes, count: int, value: bytes) -> None:
        elements = self.model.get(key, [])
        places = [i for i, element in enumerate(elements) if element == value]
        places = places[::-1][:-count] if count < 0 else places[:count] if count else places
        assert self.call("LREM", key, count, value) == len(places)
        elements[:] = [element for i, element in enumerate(elements) if i not in places]
        self.drop_empty()

    @rule(key=KEYS, start=INDEXES, end=INDEXES)
    def trim(self, key: bytes, start: int, end: int) -> None:
        elements = self.model.get(key, [])
        assert self.call("LTRIM", key, start, end) == "OK"
        elements[:] = part(elements, start, end)
        self.drop_empty()

    @rule(key=KEYS, to=KEYS, pop=ENDS, push=ENDS)
    def move(self, key: bytes, to: bytes, pop: str, push: str) -> None:
        moved = self.call("LMOVE", key, to, pop, push)
        if key not in self.model:
            assert moved is None
            return
        assert moved == self.model[key].pop(0 if pop == "LEFT" else -1)
        elements = self.model.setdefault(to, [])
        elements.insert(0 if push == "LEFT" else len(elements), moved)
        self.drop_empty()

    @rule(key=KEYS, start=INDEXES, end=INDEXES)
    def look(self, key: bytes, start: int, end: int) -> None:
        elements = self.model.get(key, [])
        assert self.call("LRANGE", key, start, end) == part(elements, start, end)
        assert self.call("LRANGE", key, 0, -1) == elements
        assert self.call("LLEN", key) == len(elements)
        inside = -len(elements) <= start < len(elements)
        assert self.call("LINDEX", key, start) == (elements[start] if inside else None)

    @rule(key=KEYS, value=VALUES)
    def find(self, key: bytes, value: bytes) -> None:
        elements = self.model.get(key, [])
        places = [i for i, element in enumerate(elements) if element == value]
        if elements:
            assert self.call("LPOS", key, value, "COUNT", 0) == places


def part(elements: list[bytes], start: int, end: int) -> list[bytes]:
    """The elements of an inclusive range, as Redis counts."""
    n = len(elements)
    first = max(0, start if start >= 0 else n + start)
    last = end if end >= 0 else n + end
    return elements[first : last + 1] if last >= 0 else []


Lists.TestCase.settings = RUNS
TestLists = Lists.TestCase
