"""Damaged payloads and files, at random but always the same: refused or loaded, never harmful."""

import random
from pathlib import Path

import pytest

from shmredis.persistence.rdb_load import RdbError
from tests.persistence.mutation import mutate
from tests.persistence.rdb_data import FILES, fill, load_bytes, payload
from tests.unit.engines import Engine, new_engine

READS = {
    "string": [("GET",), ("APPEND", "x"), ("STRLEN",)],
    "list": [("LRANGE", 0, -1), ("LPUSH", "x"), ("LREM", 0, "a"), ("LSET", -1, "y"), ("RPOP",)],
    "set": [("SMEMBERS",), ("SADD", "x", "7"), ("SREM", "a"), ("SRANDMEMBER",), ("SPOP",)],
    "zset": [
        *[("ZRANGE", 0, -1, "WITHSCORES"), ("ZADD", 1, "x"), ("ZRANGEBYSCORE", "-inf", 5)],
        *[("ZREM", "a"), ("ZPOPMIN",)],
    ],
    "stream": [
        *[("XRANGE", "-", "+"), ("XREVRANGE", "+", "-"), ("XLEN",), ("XADD", "*", "x", "y")],
        *[("XDEL", "1000-0"), ("XTRIM", "MAXLEN", 2), ("XACK", "group", "1000-2")],
        *[
            ("XPENDING", "group", "-", "+", 10),
            ("XPENDING", "group"),
            ("XADD", "IDMP", "p", "i", "*", "f", "v"),
        ],
        *[
            ("XCLAIM", "group", "other", 0, "1000-0", "1000-3", "FORCE"),
            ("XAUTOCLAIM", "group", "c", 0, 0),
        ],
        *[
            ("XNACK", "group", "FAIL", "IDS", 2, "1000-2", "1000-3", "FORCE"),
            ("XINFO", "STREAM", "FULL"),
        ],
        *[("XGROUP", "DELCONSUMER", "group", "busy"), ("XGROUP", "DESTROY", "group")],
    ],
    "array": [
        *[("ARSCAN", 0, 2**64 - 2), ("ARSET", 3, "x", "y"), ("AROP", 0, 2**64 - 2, "SUM")],
        *[("ARGREP", "-", "+", "RE", "[a-z]+$"), ("ARLASTITEMS", 9), ("ARINFO", "FULL")],
        *[("ARDELRANGE", 1, 9000), ("ARINSERT", "z"), ("ARRING", 5, "q", "r"), ("ARDEL", 0)],
    ],
    "hash": [("HGETALL",), ("HSET", "x", "y"), ("HDEL", "f"), ("HRANDFIELD",), ("HLEN",)],
}


def use(engine: Engine, key: bytes) -> None:
    """Reads and changes the value by all ways that trust its bytes."""
    for command, *rest in READS[engine.call("TYPE", key)]:
        words = list(rest)
        container = [words.pop(0)] if command in ("XGROUP", "XINFO") else []
        engine.call(command, *container, key, *words)
        if not engine.call("EXISTS", key):
            return
    engine.call("DUMP", key)
    engine.call("COPY", key, "copy", "REPLACE")
    engine.call("OBJECT", "ENCODING", key)


@pytest.fixture(scope="module")
def payloads() -> dict[bytes, bytes]:
    """Values of all encodings, the large ones small enough to be damaged everywhere."""
    with new_engine() as engine:
        fill(engine)
        engine.call("ARINSERT", "array", "a", 1, 2.5, "long enough for a block")
        engine.call("ARSET", "array", 8000, *(f"element {i}" for i in range(20)))
        engine.call("ARSET", "array", 2**64 - 2, "x" * 40)
        engine.call("COPY", "stream", "stream of all")
        engine.call("XNACK", "stream of all", "group", "FAIL", "IDS", 1, "1000-2")
        for producer in ("p", "q"):
            engine.call("XADD", "stream of all", "IDMP", producer, "i", "*", "f", "v")
        return {key: engine.call("DUMP", key) for key in engine.call("KEYS", "*")}


@pytest.mark.parametrize("seed", range(4))
def test_damaged_payloads(payloads: dict[bytes, bytes], seed: int) -> None:
    rng = random.Random(seed)
    loaded = 0
    with new_engine(1 << 26) as engine:
        for dumped in payloads.values():
            for _ in range(25):
                body = mutate(dumped[:-10], rng)
                reply = engine.call("RESTORE", "k", 0, payload(body, rng.choice((11, 12, 15, 80))))
                if reply == "OK":
                    loaded += 1
                    engine.check()
                    use(engine, b"k")
                    engine.call("FLUSHALL")
            engine.check()
    assert loaded > 10


@pytest.mark.parametrize("path", sorted(FILES.glob("*.rdb")), ids=lambda path: path.stem)
def test_damaged_files(path: Path) -> None:
    rng = random.Random(path.stem)
    data = path.read_bytes()
    with new_engine(1 << 27) as engine:
        for _ in range(25):
            try:
                load_bytes(engine, mutate(data, rng), checksum=False)
            except RdbError as error:
                assert str(error)
            engine.check()
            engine.call("FLUSHALL")
