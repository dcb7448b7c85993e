"""Hashes with field expiry against dicts."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.machine import KEYS, NAMES, RUNS, VALUES, EngineMachine

FAR_MS = 10**13
FIELDS = st.lists(NAMES, min_size=1, max_size=6, unique=True)


class Hashes(EngineMachine):
    """model: key -> {field: (value, expiry in ms or -1)}."""

    def value(self, key: bytes, field: bytes) -> bytes | None:
        found = self.model.get(key, {}).get(field)
        return found[0] if found else None

    @rule(key=KEYS, fields=st.dictionaries(NAMES, VALUES, min_size=1, max_size=6))
    def set(self, key: bytes, fields: dict[bytes, bytes]) -> None:
        values = self.model.setdefault(key, {})
        words = [word for pair in fields.items() for word in pair]
        assert self.call("HSET", key, *words) == len(fields.keys() - values.keys())
        values.update({field: (value, -1) for field, value in fields.items()})

    @rule(key=KEYS, field=NAMES, value=VALUES)
    def set_if_missing(self, key: bytes, field: bytes, value: bytes) -> None:
        values = self.model.setdefault(key, {})
        assert self.call("HSETNX", key, field, value) == (field not in values)
        values.setdefault(field, (value, -1))

    @rule(key=KEYS, field=NAMES, value=VALUES, keep=st.booleans())
    def set_with_time(self, key: bytes, field: bytes, value: bytes, keep: bool) -> None:
        option: tuple[Any, ...] = ("KEEPTTL",) if keep else ("PXAT", FAR_MS)
        assert self.call("HSETEX", key, *option, "FIELDS", 1, field, value) == 1
        values = self.model.setdefault(key, {})
        values[field] = (value, values.get(field, (b"", -1))[1] if keep else FAR_MS)

    @rule(key=KEYS, fields=FIELDS)
    def remove(self, key: bytes, fields: list[bytes]) -> None:
        values = self.model.get(key, {})
        assert self.call("HDEL", key, *fields) == len(values.keys() & set(fields))
        for field in fields:
            values.pop(field, None)
        self.drop_empty()

    @rule(key=KEYS, fields=FIELDS)
    def take(self, key: bytes, fields: list[bytes]) -> None:
        wanted = [self.value(key, field) for field in fields]
        assert self.call("HGETDEL", key, "FIELDS", len(fields), *fields) == wanted
        for field in fields:
            self.model.get(key, {}).pop(field, None)
        self.drop_empty()

    @rule(key=KEYS, fields=FIELDS, past=st.booleans())
    def expire(self, key: bytes, fields: list[bytes], past: bool) -> None:
        values = self.model.get(key, {})
        when = 1 if past else FAR_MS
        codes = self.call("HPEXPIREAT", key, when, "FIELDS", len(fields), *fields)
        assert codes == [(2 if past else 1) if field in values else -2 for field in fields]
        for field in values.keys() & set(fields):
            if past:
                del values[field]
            else:
                values[field] = (values[field][0], FAR_MS)
        self.drop_empty()

    @rule(key=KEYS, fields=FIELDS)
    def persist(self, key: bytes, fields: list[bytes]) -> None:
        values = self.model.get(key, {})
        times = [values[field][1] if field in values else -2 for field in fields]
        codes = self.call("HPERSIST", key, "FIELDS", len(fields), *fields)
        assert codes == [1 if time > 0 else time for time in times]
        for field, time in zip(fields, times, strict=True):
            if time > 0:
                values[field] = (values[field][0], -1)

    @rule(key=KEYS, field=NAMES)
    def look(self, key: bytes, field: bytes) -> None:
        values = self.model.get(key, {})
        assert self.call("HGETALL", key) == {name: value for name, (value, _) in values.items()}
        assert self.call("HLEN", key) == len(values)
        assert self.call("HGET", key, field) == self.value(key, field)
        assert self.call("HSTRLEN", key, field) == len(self.value(key, field) or b"")
        time = values[field][1] if field in values else -2
        assert self.call("HPEXPIRETIME", key, "FIELDS", 1, field) == [time]

    @rule(key=KEYS)
    def scan(self, key: bytes) -> None:
        found: dict[bytes, bytes] = {}
        cursor = b"0"
        while True:
            cursor, page = self.call("HSCAN", key, cursor, "COUNT", 3)
            found.update(zip(page[::2], page[1::2], strict=True))
            if cursor == b"0":
                break
        assert found == {name: value for name, (value, _) in self.model.get(key, {}).items()}


Hashes.TestCase.settings = RUNS
TestHashes = Hashes.TestCase
