"""Input in pieces: however the bytes of several clients are cut and mixed, each gets the same replies.

Streams are commands of both forms, pipelines, transactions, and damaged bytes. Each is given whole to one
engine and in pieces, between those of other clients, to another; net/resp.c, net/feed.c, net/stash.c.
"""

import random
from dataclasses import dataclass, field

import pytest

from shmredis._core import ffi, lib
from tests.harness.resp import encode
from tests.persistence.mutation import mutate
from tests.unit.engines import Engine, Session, new_engine

CLIENTS = 4
INSIDE = b"+by Python\r\n"  # what all commands of Python answer here
BIG = (16383, 16384, 40_000, 70_000, 300_000)  # around the sizes of buffers
ODD = (
    *(b"\r\n", b"*0\r\n", b"*-1\r\n", b"PING\n", b"  ping \r\n", b'"PI\\x4eG"\r\n', b"PING\rx\n"),
    *(b"'PING'\r\n", b"*1\r\n$0\r\n\r\n", b"\xff\xfe\r\n", b"$4\r\nPING\r\n", b"*1\rX$4\rXPINGxx"),
    *(b"*3\r\n$3\r\nSET\r\n", b"*2147483647\r\n", b"*1\r\n$536870912\r\n", b"*1\r\n$x\r\n"),
    *(b'PING "abc\r\n', b"GET '\\'\r\n", b"PI\0NG\r\n"),
)


@dataclass(slots=True)
class Peer:
    """A client's side: what it has yet to send and what it was answered."""

    session: Session
    said: bytes = b""
    closed: bool = False
    pieces: list[bytes] = field(default_factory=list)

    def feed(self, data: bytes) -> None:
        """These bytes arrive, unless the connection was closed."""
        while data and not self.closed:
            size = self.session.room()
            part, data = data[:size], data[size:]
            self._handle(self.session.put(part))

    def _handle(self, outcome: int) -> None:
        while True:
            if outcome & lib.FEED_OUTPUT:
                self.said += self.session.take_output()
            self.closed = self.closed or bool(outcome & lib.FEED_CLOSE)
            if self.closed:
                return
            if outcome & lib.FEED_CALL:
                lib.session_reply(self.session.handle, INSIDE, len(INSIDE), 1)
            elif not outcome & lib.FEED_AGAIN:
                return
            outcome = lib.session_feed(self.session.handle, 0)


def stream_of(rng: random.Random) -> bytes:
    """What a client sends."""
    data = b"".join(_frame(rng) for _ in range(rng.randrange(1, 25)))
    return mutate(data, rng) if rng.random() < 0.4 else data


def _frame(rng: random.Random) -> bytes:
    key, value = rng.choice((b"a", b"b", b"\0\r\n")), rng.randbytes(rng.randrange(40))
    commands: tuple[tuple[bytes, ...], ...] = (
        *((b"GET", key), (b"SET", key, value), (b"APPEND", key, value), (b"STRLEN", key)),
        *((b"RPUSH", key, value, value), (b"LRANGE", key, b"0", b"-1"), (b"DEL", key)),
        *((b"MGET", key, key, b"0"), (b"PING",), (b"ECHO", value), (b"PYTHON", value)),
        *((b"MULTI",), (b"EXEC",), (b"DISCARD",), (b"WATCH", key), (b"BLPOP", key, b"0"), (value,)),
        *((b"GETSET", key, b"x" * rng.choice(BIG)), (b"SET", b"y" * rng.choice(BIG), value)),
        (b"MSET", *(b"%d" % i for i in range(2 * rng.choice((1, 9, 400))))),
    )
    weights = [1.0] * (len(commands) - 3) + [0.1] * 3
    words = rng.choices(commands, weights)[0]
    match rng.randrange(10):
        case 0:
            return rng.choice(ODD)
        case 1 | 2:
            return b" ".join(_quoted(word) for word in words[:9]) + rng.choice((b"\n", b"\r\n"))
    return encode(*words)


def _quoted(word: bytes) -> bytes:
    """As an inline command has it."""
    return b'"' + b"".join(b"\\x%02x" % byte for byte in word[:200]) + b'"'


def cut(data: bytes, rng: random.Random) -> list[bytes]:
    """The same bytes in pieces: single ones, short ones, or a few long ones."""
    longest = rng.choice((1, 2, 7, 100, 5000, 100_000))
    if len(data) > 2000 * longest:
        longest = len(data) // 300
    pieces, at = [], 0
    while at < len(data):
        size = rng.randrange(1, longest + 1)
        pieces.append(data[at : at + size])
        at += size
    return pieces


def replies(engine: Engine, pieces: list[list[bytes]], rng: random.Random) -> list[bytes]:
    """What each client, of a database of its own, is answered when pieces arrive in any order."""
    lib.engine_register_command(engine.handle, b"PYTHON", b"server", -1, 0, b"", ffi.NULL)
    peers = [Peer(Session(engine, i + 2), pieces=p[::-1]) for i, p in enumerate(pieces)]
    for db, peer in enumerate(peers):
        lib.session_set_db(peer.session.handle, db)
    sending = list(peers)
    while sending:
        peer = rng.choice(sending)
        if peer.pieces and not peer.closed:
            peer.feed(peer.pieces.pop())
        else:
            sending.remove(peer)
    for peer in peers:
        peer.session.close()
    engine.check()
    return [peer.said for peer in peers]


def compare(rng: random.Random) -> list[bytes]:
    """Plays the same streams whole and in pieces; the replies, which must be the same."""
    streams = [stream_of(rng) for _ in range(CLIENTS)]
    with new_engine() as one, new_engine() as other:
        whole = replies(one, [[data] for data in streams], rng)
        assert replies(other, [cut(data, rng) for data in streams], rng) == whole
    return whole


@pytest.mark.parametrize("seed", range(12))
def test_replies_do_not_depend_on_how_input_is_cut(seed: int) -> None:
    rng = random.Random(seed)
    said = [reply for _ in range(6) for reply in compare(rng)]
    assert any(said)


def test_a_pipeline_cut_at_each_byte() -> None:
    frames = [encode("SET", "k", "v" * 9), b'get "k"\r\n', encode("MULTI"), encode("INCR", "n")]
    frames += [b"*0\r\n", encode("EXEC"), encode("PYTHON", "x"), encode("GET", "n"), b"\n", b"*1x"]
    data = b"".join(frames)
    with new_engine() as engine:
        rng = random.Random(0)
        (whole,) = replies(engine, [[data]], rng)
        assert whole.startswith(b"+OK\r\n$9\r\nvvvvvvvvv\r\n+OK\r\n+QUEUED\r\n")
        for at in range(1, len(data)):
            engine.call("FLUSHALL")
            assert replies(engine, [[data[:at], data[at:]]], rng) == [whole]
