"""Sets against Python's."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.machine import KEYS, NAMES, RUNS, EngineMachine

SOME = st.lists(NAMES, min_size=1, max_size=9)
ALGEBRA = {"SUNION": set.union, "SINTER": set.intersection, "SDIFF": set.difference}


class Sets(EngineMachine):
    """model: key -> set of members."""

    @rule(key=KEYS, members=SOME)
    def add(self, key: bytes, members: list[bytes]) -> None:
        have = self.model.setdefault(key, set())
        assert self.call("SADD", key, *members) == len(set(members) - have)
        have.update(members)

    @rule(key=KEYS, members=SOME)
    def remove(self, key: bytes, members: list[bytes]) -> None:
        have = self.model.get(key, set())
        assert self.call("SREM", key, *members) == len(have & set(members))
        have -= set(members)
        self.drop_empty()

    @rule(key=KEYS, count=st.integers(0, 9))
    def pop(self, key: bytes, count: int) -> None:
        have = self.model.get(key, set())
        popped = self.call("SPOP", key, count)
        assert len(popped) == len(set(popped)) == min(count, len(have))
        assert set(popped) <= have
        have -= set(popped)
        self.drop_empty()

    @rule(key=KEYS, to=KEYS, member=NAMES)
    def move(self, key: bytes, to: bytes, member: bytes) -> None:
        there = member in self.model.get(key, set())
        assert self.call("SMOVE", key, to, member) == there
        if there:
            self.model[key].discard(member)
            self.model.setdefault(to, set()).add(member)
            self.drop_empty()

    @rule(name=st.sampled_from(sorted(ALGEBRA)), keys=st.lists(KEYS, min_size=1), to=KEYS)
    def store(self, name: str, keys: list[bytes], to: bytes) -> None:
        operands = [self.model.get(key, set()) for key in keys]
        result = ALGEBRA[name](*operands)
        assert set(self.call(name, *keys)) == result
        assert self.call(f"{name}STORE", to, *keys) == len(result)
        self.model[to] = set(result)
        self.drop_empty()

    @rule(key=KEYS, members=SOME, count=st.integers(-9, 9))
    def look(self, key: bytes, members: list[bytes], count: int) -> None:
        have = self.model.get(key, set())
        assert set(self.call("SMEMBERS", key)) == have
        assert self.call("SCARD", key) == len(have)
        assert self.call("SMISMEMBER", key, *members) == [member in have for member in members]
        drawn = self.call("SRANDMEMBER", key, count)
        assert set(drawn) <= have
        assert len(drawn) == (min(count, len(have)) if count >= 0 else -count if have else 0)

    @rule(key=KEYS)
    def scan(self, key: bytes) -> None:
        found: set[bytes] = set()
        cursor = b"0"
        while True:
            cursor, page = self.call("SSCAN", key, cursor, "COUNT", 3)
            found.update(page)
            if cursor == b"0":
                break
        assert found == self.model.get(key, set())


Sets.TestCase.settings = RUNS
TestSets = Sets.TestCase
