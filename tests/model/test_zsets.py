"""Sorted sets against a dict of scores."""

import math

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.machine import KEYS, NAMES, RUNS, EngineMachine

SCORES = st.one_of(
    st.integers(-5, 5).map(float),
    st.sampled_from([0.1, -0.1, 2.5, 1e300, -1e300, 1e-300, math.inf, -math.inf]),
    st.floats(allow_nan=False),
)
RANKS = st.integers(-25, 25)
PAIRS = st.dictionaries(NAMES, SCORES, min_size=1, max_size=9)
AGGREGATES = {"SUM": lambda a, b: a + b, "MIN": min, "MAX": max}


class SortedSets(EngineMachine):
    """model: key -> {member: score}."""

    def ordered(self, key: bytes) -> list[list[bytes | float]]:
        scores = self.model.get(key, {})
        return [[member, score] for score, member in sorted((s, m) for m, s in scores.items())]

    def forget(self, key: bytes, gone: list[list[bytes | float]]) -> None:
        for member, _ in gone:
            del self.model[key][member]
        self.drop_empty()

    @rule(key=KEYS, pairs=PAIRS)
    def add(self, key: bytes, pairs: dict[bytes, float]) -> None:
        scores = self.model.setdefault(key, {})
        words = [word for member, score in pairs.items() for word in (repr(score), member)]
        changed = [member for member in pairs if scores.get(member) != pairs[member]]
        assert self.call("ZADD", key, "CH", *words) == len(changed)
        scores.update({member: pairs[member] for member in changed})

    @rule(key=KEYS, member=NAMES, by=st.integers(-5, 5))
    def increment(self, key: bytes, member: bytes, by: int) -> None:
        scores = self.model.setdefault(key, {})
        scores[member] = scores.get(member, 0.0) + by
        assert self.call("ZINCRBY", key, by, member) == scores[member]

    @rule(key=KEYS, members=st.lists(NAMES, min_size=1, max_size=6, unique=True))
    def remove(self, key: bytes, members: list[bytes]) -> None:
        scores = self.model.get(key, {})
        there = [member for member in members if member in scores]
        assert self.call("ZREM", key, *members) == len(there)
        for member in there:
            del scores[member]
        self.drop_empty()

    @rule(key=KEYS, count=st.integers(0, 5), largest=st.booleans())
    def pop(self, key: bytes, count: int, largest: bool) -> None:
        wanted = self.ordered(key)[:: -1 if largest else 1][:count]
        assert self.call("ZPOPMAX" if largest else "ZPOPMIN", key, count) == wanted
        self.forget(key, wanted)

    @rule(key=KEYS, start=RANKS, end=RANKS)
    def remove_ranks(self, key: bytes, start: int, end: int) -> None:
        wanted = part(self.ordered(key), start, end)
        assert self.call("ZREMRANGEBYRANK", key, start, end) == len(wanted)
        self.forget(key, wanted)

    @rule(key=KEYS, low=SCORES, high=SCORES, opened=st.booleans())
    def remove_scores(self, key: bytes, low: float, high: float, opened: bool) -> None:
        wanted = [
            pair for pair in self.ordered(key) if low <= pair[1] <= high and not (opened and pair[1] == low)
        ]  # fmt: skip
        bound = "(" * opened + repr(low)
        assert self.call("ZCOUNT", key, bound, repr(high)) == len(wanted)
        assert self.call("ZREMRANGEBYSCORE", key, bound, repr(high)) == len(wanted)
        self.forget(key, wanted)

    @rule(
        keys=st.lists(KEYS, min_size=1, max_size=3), to=KEYS, how=st.sampled_from(list(AGGREGATES))
    )
    def union(self, keys: list[bytes], to: bytes, how: str) -> None:
        result: dict[bytes, float] = {}
        in_order = sorted(keys, key=lambda key: len(self.model.get(key, {})))  # as Redis sums
        for key in in_order:
            for member, score in self.model.get(key, {}).items():
                result[member] = (
                    AGGREGATES[how](result[member], score) if member in result else score
                )
        result = {member: 0.0 if math.isnan(score) else score for member, score in result.items()}
        words = ["ZUNIONSTORE", to, len(keys), *keys, "AGGREGATE", how]
        assert self.call(*words) == len(result)
        self.model[to] = result
        self.drop_empty()

    @rule(key=KEYS, start=RANKS, end=RANKS)
    def look(self, key: bytes, start: int, end: int) -> None:
        ordered = self.ordered(key)
        assert self.call("ZRANGE", key, 0, -1, "WITHSCORES") == ordered
        assert self.call("ZRANGE", key, start, end, "WITHSCORES") == part(ordered, start, end)
        backwards = self.call("ZRANGE", key, start, end, "REV", "WITHSCORES")
        assert backwards == part(ordered[::-1], start, end)
        assert self.call("ZCARD", key) == len(ordered)

    @rule(key=KEYS, low=SCORES, high=SCORES, skip=st.integers(0, 4), count=st.integers(0, 9))
    def look_by_score(self, key: bytes, low: float, high: float, skip: int, count: int) -> None:
        inside = [pair for pair in self.ordered(key) if low <= pair[1] <= high]
        words = ["BYSCORE", "LIMIT", skip, count, "WITHSCORES"]
        reply = self.call("ZRANGE", key, repr(low), repr(high), *words)
        assert reply == inside[skip : skip + count]

    @rule(key=KEYS, member=NAMES)
    def look_at(self, key: bytes, member: bytes) -> None:
        members = [pair[0] for pair in self.ordered(key)]
        rank = members.index(member) if member in members else None
        assert self.call("ZRANK", key, member) == rank
        assert self.call("ZREVRANK", key, member) == (
            None if rank is None else len(members) - 1 - rank
        )
        assert self.call("ZSCORE", key, member) == self.model.get(key, {}).get(member)


def part(pairs: list[list[bytes | float]], start: int, end: int) -> list[list[bytes | float]]:
    """The pairs of an inclusive range, as Redis counts."""
    n = len(pairs)
    first = max(0, start if start >= 0 else n + start)
    last = end if end >= 0 else n + end
    return pairs[first : last + 1] if last >= 0 else []


SortedSets.TestCase.settings = RUNS
TestSortedSets = SortedSets.TestCase
