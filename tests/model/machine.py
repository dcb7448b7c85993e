"""What the state machines of all types have in common."""

from collections.abc import Iterable
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shmredis._core import lib
from tests.unit.engines import Engine

__all__ = ["KEYS", "NAMES", "RUNS", "VALUES", "EngineMachine", "binary"]

KEYS = st.sampled_from([b"a", b"b", b"key:3"])
NAMES = st.one_of(
    st.integers(-9, 9).map(lambda i: b"%d" % i),
    st.sampled_from([b"", b"x", b"field:1", b"2.50", b"00", b"y" * 20, b"z" * 80, b"w" * 300]),
    st.integers(0, 120).map(lambda i: b"member:%d" % i),
)
VALUES = st.one_of(NAMES, st.integers(-(2**63), 2**63 - 1).map(lambda i: b"%d" % i), st.binary())
RUNS = settings(
    max_examples=100,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
ARENA = 1 << 26


def binary(items: Iterable[int | str | bytes]) -> list[bytes]:
    return [item if isinstance(item, bytes) else str(item).encode() for item in items]


class EngineMachine(RuleBasedStateMachine):
    """An engine whose encodings change early. `model` maps keys to values of Python."""

    limits: ClassVar[dict[str, int]] = {
        "hash_max_listpack_entries": 12,
        "set_max_intset_entries": 8,
        "set_max_listpack_entries": 12,
        "zset_max_listpack_entries": 12,
        "list_max_listpack_size": 6,
    }

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(ARENA)
        self.model: dict[bytes, Any] = {}
        for option, value in self.limits.items():
            lib.engine_set_option(self.engine.handle, option.encode(), value)

    def call(self, *words: int | str | bytes) -> Any:
        reply = self.engine.call(*words)
        assert not isinstance(reply, ValueError), (words, reply)
        return reply

    def drop_empty(self) -> None:
        self.model = {key: value for key, value in self.model.items() if value}

    @rule()
    def defragment(self) -> None:
        lib.engine_purge(self.engine.handle)

    @rule(key=KEYS)
    def delete(self, key: bytes) -> None:
        assert self.call("DEL", key) == (self.model.pop(key, None) is not None)

    @rule(key=KEYS, to=KEYS)
    def rename(self, key: bytes, to: bytes) -> None:
        if key in self.model:
            assert self.call("RENAME", key, to) == "OK"
            self.model[to] = self.model.pop(key)

    @rule(key=KEYS, to=KEYS)
    def copy(self, key: bytes, to: bytes) -> None:
        if key != to:
            assert self.call("COPY", key, to, "REPLACE") == (key in self.model)
            if key in self.model:
                value = self.model[key]
                self.model[to] = value.copy() if hasattr(value, "copy") else value

    @invariant()
    def sound(self) -> None:
        self.engine.check()
        assert sorted(self.call("KEYS", "*")) == sorted(self.model)

    def teardown(self) -> None:
        self.engine.close()
