"""Streams, and one consumer group of each, against Python's."""

from dataclasses import dataclass, field
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.machine import KEYS, RUNS, VALUES, EngineMachine

Id = tuple[int, int]
STEPS = st.integers(0, 3)
IDS = st.tuples(st.integers(0, 40), st.integers(0, 3))
PAIRS = st.lists(st.tuples(st.sampled_from([b"f", b"g", b"1"]), VALUES), min_size=1, max_size=3)
CONSUMERS = st.sampled_from([b"c1", b"c2", b""])
GROUP = b"group"


def text(of: Id) -> bytes:
    return b"%d-%d" % of


def id_of(reply: bytes) -> Id:
    ms, seq = reply.split(b"-")
    return int(ms), int(seq)


@dataclass
class Stream:
    """Entries by id; what the group was given last, and who has what how often."""

    entries: dict[Id, list[bytes]] = field(default_factory=dict)
    last: Id = (0, 0)
    delivered: Id | None = None  # None: no group
    pending: dict[Id, tuple[bytes, int]] = field(default_factory=dict)

    def copy(self) -> "Stream":
        return Stream(dict(self.entries), self.last, self.delivered, dict(self.pending))

    def rows(self, ids: list[Id]) -> list[list[object]]:
        return [[text(i), self.entries[i]] for i in ids]


class Streams(EngineMachine):
    """model: key -> Stream."""

    model: dict[bytes, Stream]
    limits: ClassVar[dict[str, int]] = {
        "stream_node_max_entries": 5,
        "stream_node_max_bytes": 300,
    }

    @rule(key=KEYS, ms=STEPS, pairs=PAIRS)
    def add(self, key: bytes, ms: int, pairs: list[tuple[bytes, bytes]]) -> None:
        stream = self.model.setdefault(key, Stream())
        words = [word for pair in pairs for word in pair]
        new = (stream.last[0] + ms, 0 if ms else stream.last[1] + 1)
        assert self.call("XADD", key, b"%d-*" % new[0], *words) == text(new)
        stream.entries[new] = words
        stream.last = new

    @rule(key=KEYS, ids=st.lists(IDS, min_size=1, max_size=4))
    def delete_entries(self, key: bytes, ids: list[Id]) -> None:
        stream = self.model.get(key, Stream())
        gone = sum(stream.entries.pop(i, None) is not None for i in ids)
        assert self.call("XDEL", key, *map(text, ids)) == gone

    @rule(key=KEYS, keep=st.integers(0, 12))
    def trim_to_length(self, key: bytes, keep: int) -> None:
        stream = self.model.get(key, Stream())
        gone = sorted(stream.entries)[: max(0, len(stream.entries) - keep)]
        assert self.call("XTRIM", key, "MAXLEN", keep) == len(gone)
        for i in gone:
            del stream.entries[i]

    @rule(key=KEYS, low=IDS)
    def trim_to_id(self, key: bytes, low: Id) -> None:
        stream = self.model.get(key, Stream())
        gone = [i for i in stream.entries if i < low]
        assert self.call("XTRIM", key, "MINID", text(low)) == len(gone)
        for i in gone:
            del stream.entries[i]

    @rule(key=KEYS, low=IDS, high=IDS, count=st.integers(1, 9))
    def ranges(self, key: bytes, low: Id, high: Id, count: int) -> None:
        stream = self.model.get(key, Stream())
        ids = [i for i in sorted(stream.entries) if low <= i <= high]
        upwards = self.call("XRANGE", key, text(low), text(high), "COUNT", count)
        assert upwards == stream.rows(ids[:count])
        downwards = self.call("XREVRANGE", key, text(high), text(low), "COUNT", count)
        assert downwards == stream.rows(ids[::-1][:count])

    @rule(key=KEYS, after=IDS, count=st.integers(1, 9))
    def read(self, key: bytes, after: Id, count: int) -> None:
        stream = self.model.get(key, Stream())
        ids = [i for i in sorted(stream.entries) if i > after][:count]
        expected = {key: stream.rows(ids)} if ids else None
        assert self.call("XREAD", "COUNT", count, "STREAMS", key, text(after)) == expected

    @rule(key=KEYS)
    def create_group(self, key: bytes) -> None:
        stream = self.model.setdefault(key, Stream())
        if stream.delivered is None:
            assert self.call("XGROUP", "CREATE", key, GROUP, 0, "MKSTREAM") == "OK"
            stream.delivered = (0, 0)

    @rule(key=KEYS, consumer=CONSUMERS, count=st.integers(1, 9))
    def deliver(self, key: bytes, consumer: bytes, count: int) -> None:
        stream = self.model.get(key, Stream())
        if stream.delivered is None:
            return
        ids = [i for i in sorted(stream.entries) if i > stream.delivered][:count]
        words = ("GROUP", GROUP, consumer, "COUNT", count, "STREAMS", key, ">")
        assert self.call("XREADGROUP", *words) == ({key: stream.rows(ids)} if ids else None)
        for i in ids:
            stream.pending[i] = (consumer, 1)
            stream.delivered = i

    @rule(key=KEYS, ids=st.lists(IDS, min_size=1, max_size=6))
    def acknowledge(self, key: bytes, ids: list[Id]) -> None:
        stream = self.model.get(key, Stream())
        acked = sum(stream.pending.pop(i, None) is not None for i in ids)
        assert self.call("XACK", key, GROUP, *map(text, ids)) == acked

    @rule(key=KEYS, consumer=CONSUMERS, ids=st.lists(IDS, min_size=1, max_size=6))
    def claim(self, key: bytes, consumer: bytes, ids: list[Id]) -> None:
        stream = self.model.get(key, Stream())
        if stream.delivered is None:
            return
        claimed = []
        for i in ids:
            if i in stream.pending and i in stream.entries:
                stream.pending[i] = (consumer, stream.pending[i][1] + 1)
                claimed.append(i)
            stream.pending.pop(i) if i in stream.pending and i not in stream.entries else None
        reply = self.call("XCLAIM", key, GROUP, consumer, 0, *map(text, ids))
        assert reply == stream.rows(claimed)

    @rule(key=KEYS, ids=st.lists(IDS, min_size=1, max_size=6, unique=True))
    def give_back(self, key: bytes, ids: list[Id]) -> None:
        stream = self.model.get(key, Stream())
        if stream.delivered is None:
            return
        known = [i for i in ids if i in stream.pending]
        words = ("FAIL", "IDS", len(ids), *map(text, ids))
        assert self.call("XNACK", key, GROUP, *words) == len(known)
        for i in known:
            stream.pending[i] = (b"", stream.pending[i][1])

    @rule(key=KEYS, consumer=CONSUMERS)
    def drop_consumer(self, key: bytes, consumer: bytes) -> None:
        stream = self.model.get(key, Stream())
        if stream.delivered is None or consumer == b"":
            return
        mine = [i for i, (owner, _) in stream.pending.items() if owner == consumer]
        assert self.call("XGROUP", "DELCONSUMER", key, GROUP, consumer) == len(mine)
        for i in mine:
            del stream.pending[i]

    @rule(key=KEYS, to=KEYS)
    def dump_and_restore(self, key: bytes, to: bytes) -> None:
        payload = self.call("DUMP", key)
        if payload is not None:
            assert self.call("RESTORE", to, 0, payload, "REPLACE") == "OK"
            self.model[to] = self.model[key].copy()

    @rule(key=KEYS)
    def compare(self, key: bytes) -> None:
        stream = self.model.get(key)
        assert self.call("EXISTS", key) == (stream is not None)
        if stream is None:
            return
        assert self.call("XLEN", key) == len(stream.entries)
        assert self.call("XRANGE", key, "-", "+") == stream.rows(sorted(stream.entries))
        if stream.delivered is None:
            return
        pending = self.call("XPENDING", key, GROUP, "-", "+", 1000)
        found = {id_of(row[0]): (row[1], row[3]) for row in pending}
        assert found == stream.pending
        assert [row[0] for row in pending] == [text(i) for i in sorted(stream.pending)]


TestStreams = Streams.TestCase
TestStreams.settings = RUNS
