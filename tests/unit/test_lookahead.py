"""Pipelines over a database large enough for look-ahead: its hints change no reply."""

import random

from shmredis._core import lib
from tests.harness.resp import encode
from tests.unit.engines import Engine

KEYS = 20_000  # more than a database must have to be looked ahead in
SHAPES = (
    b"PING\r\n",  # inline: not looked beyond
    b"*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    b"*2\r\n$4\r\necho\r\n$2\r\nhi\r\n",
    encode("ECHO", b"x" * 40_000),
    encode("DEL", *[f"no{i}" for i in range(100)]),
)


def pipeline(rng: random.Random, values: dict[int, bytes]) -> tuple[bytes, bytes]:
    """Requests, and what is to be answered."""
    requests, replies = [], []
    for _ in range(rng.randrange(1, 60)):
        key = rng.randrange(2 * KEYS)
        if rng.random() < 0.3:
            values[key] = b"%d" % rng.randrange(10**9)
            requests.append(encode("SET", f"key:{key}", values[key]))
            replies.append(b"+OK\r\n")
        else:
            requests.append(encode("GET", f"key:{key}"))
            value = values.get(key)
            replies.append(b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value))
    return b"".join(requests), b"".join(replies)


def feed_in_pieces(engine: Engine, data: bytes, rng: random.Random) -> bytes:
    cuts = sorted(rng.randrange(len(data)) for _ in range(rng.randrange(3)))
    reply = b""
    for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        reply += engine.session.feed(data[begin:end])
    return reply


def test_pipelines_in_any_pieces(engine: Engine) -> None:
    lib.session_set_resp(engine.session.handle, 2)
    values = {i: b"%d" % i for i in range(KEYS)}
    for key, value in values.items():
        engine.session.feed(encode("SET", f"key:{key}", value))
    rng = random.Random(7)
    for _ in range(300):
        requests, expected = pipeline(rng, values)
        assert feed_in_pieces(engine, requests, rng) == expected


def test_other_requests_among_them(engine: Engine) -> None:
    lib.session_set_resp(engine.session.handle, 2)
    alone = []
    for i in range(KEYS):
        engine.session.feed(encode("SET", f"key:{i}", i))
    for shape in SHAPES:
        alone.append(engine.session.feed(shape))
    rng = random.Random(8)
    get, got = encode("GET", "key:77"), b"$2\r\n77\r\n"
    for _ in range(200):
        picks = [rng.randrange(len(SHAPES)) for _ in range(20)]
        requests = get + b"".join(SHAPES[i] + get for i in picks)
        expected = got + b"".join(alone[i] + got for i in picks)
        assert feed_in_pieces(engine, requests, rng) == expected


def test_a_bad_request_behind_good_ones(engine: Engine) -> None:
    for i in range(KEYS):
        engine.session.feed(encode("SET", f"key:{i}", i))
    reply = engine.session.feed(encode("GET", "key:5") * 3 + b"*2\r\n$3\r\nGET\r\n$-5\r\n")
    assert reply == b"$1\r\n5\r\n" * 3 + b"-ERR Protocol error: invalid bulk length\r\n"
