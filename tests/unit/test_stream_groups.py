"""Groups with many consumers and much that is pending: sizes that the state machine does not reach."""

import random

from shmredis._core import lib
from tests.unit.arenas import heap_stats
from tests.unit.engines import Engine

ENTRIES = 3000
CONSUMERS = 200


def fill(engine: Engine) -> None:
    for n in range(1, ENTRIES + 1):
        engine.call("XADD", "s", f"{n}-1", "field", n)
    engine.call("XGROUP", "CREATE", "s", "g", "0")
    for n in range(CONSUMERS):
        words = ("GROUP", "g", f"c{n * 7919 % CONSUMERS}", "COUNT", ENTRIES // CONSUMERS)
        assert engine.call("XREADGROUP", *words, "STREAMS", "s", ">")


def summary(engine: Engine) -> dict[bytes, int]:
    return {row[0]: int(row[1]) for row in engine.call("XPENDING", "s", "g")[3] or []}


def test_consumers_are_in_the_order_of_their_names(engine: Engine) -> None:
    fill(engine)
    names = [row[b"name"] for row in engine.call("XINFO", "CONSUMERS", "s", "g")]
    assert names == sorted(b"c%d" % n for n in range(CONSUMERS))
    assert set(summary(engine).values()) == {ENTRIES // CONSUMERS}


def test_consumers_go_and_come_with_what_they_have(engine: Engine) -> None:
    fill(engine)
    names = [b"c%d" % n for n in range(CONSUMERS)]
    order = random.Random(1)
    for n in range(150):
        name, new = names.pop(order.randrange(len(names))), b"new%d" % n
        held = summary(engine).get(name, 0)
        assert engine.call("XGROUP", "DELCONSUMER", "s", "g", name) == held
        first = engine.call("XPENDING", "s", "g")[1]
        assert engine.call("XCLAIM", "s", "g", new, 0, first, "JUSTID") == [first]
        assert summary(engine)[new] == 1
        names.append(new)
        engine.check()
    there = [row[b"name"] for row in engine.call("XINFO", "CONSUMERS", "s", "g")]
    assert there == sorted(names)
    assert sum(summary(engine).values()) == engine.call("XPENDING", "s", "g")[0]


def test_all_moves_and_all_goes(engine: Engine) -> None:
    empty = heap_stats(engine.arena).blocks
    fill(engine)
    ids = [f"{n}-1" for n in range(1, ENTRIES + 1) if n % 20]
    for n in range(0, len(ids), 100):
        engine.call("XACK", "s", "g", *ids[n : n + 100])
    engine.call("XDEL", "s", *ids)
    before = engine.call("XINFO", "STREAM", "s", "FULL", "COUNT", 0)
    moved = heap_stats(engine.arena).moved
    lib.engine_purge(engine.handle)
    assert heap_stats(engine.arena).moved > moved
    engine.check()
    assert engine.call("XINFO", "STREAM", "s", "FULL", "COUNT", 0) == before
    assert engine.call("COPY", "s", "t")
    assert engine.call("XINFO", "STREAM", "t", "FULL", "COUNT", 0) == before
    engine.call("DEL", "s")
    assert engine.call("XGROUP", "DESTROY", "t", "g") == 1
    engine.call("DEL", "t")
    lib.engine_purge(engine.handle)
    assert heap_stats(engine.arena).blocks == empty


def test_idle_entries_come_in_the_order_of_their_deliveries(engine: Engine) -> None:
    fill(engine)
    order = random.Random(2).sample(range(1, ENTRIES + 1), 500)
    for n in order:
        engine.call("XCLAIM", "s", "g", "slow", 0, f"{n}-1", "TIME", 5, "JUSTID")
    engine.call("XNACK", "s", "g", "FAIL", "IDS", 2, "9-1", "3-1")
    words = ("GROUP", "g", "quick", "CLAIM", 10**9, "COUNT", 1000, "STREAMS", "s", ">")
    claimed = engine.call("XREADGROUP", *words)[b"s"]
    expected = [9, 3, *(n for n in order if n not in (3, 9))]
    assert [row[0] for row in claimed] == [b"%d-1" % n for n in expected]
