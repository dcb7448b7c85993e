"""The same random commands to a server of one worker and to one of three: the same replies, byte by byte.

Every command of several keys that the server has takes part; those that are not spelled out in RECIPES
get random keys. Keys lie at one worker, at two, at three, under hash tags; any key may be of any type or
missing; one command in eight is made wrong somewhere.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.harness.cases import scan
from tests.harness.resp import Client, encode, parse
from tests.harness.server import Server, running
from tests.workers.places import connect_to, key_of

WORKERS = 3
STEPS = 700
TAG = "{" + key_of(1, prefix="tag") + "}"
KEYS = [key_of(w, prefix=p) for p in ("a", "b") for w in range(WORKERS)] + [TAG + "a", TAG + "b"]
LATER = 4_000_000_000  # a time to expire at
Words = list[object]

# Replies whose elements may come in any order.
UNORDERED = {"KEYS", "SUNION", "SINTER", "SDIFF", "SMEMBERS", "HGETALL", "HKEYS", "HVALS"}
# Of several keys, but the reply is random, waits, or depends on the time.
LEFT_OUT = {"BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZMPOP", "BZPOPMIN", "BZPOPMAX"}
# These answer with several replies.
LEFT_OUT |= {"SSUBSCRIBE", "SUNSUBSCRIBE"}
LEFT_OUT |= {"XREAD", "XREADGROUP", "MIGRATE", "WATCH", "BLMOVEM"}
LEFT_OUT |= {"SSUBSCRIBE", "SUNSUBSCRIBE"}


class Dice:
    """Random words of commands."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def key(self) -> str:
        return self.rng.choice(KEYS)

    def keys(self, least: int = 1, most: int = 4) -> list[str]:
        """They may repeat."""
        return self.rng.choices(KEYS, k=self.rng.randint(least, most))

    def numbered(self) -> Words:
        """A count and so many keys."""
        keys = self.keys()
        return [len(keys), *keys]

    def member(self) -> str:
        return self.rng.choice(["1", "2", "3", "x", "y", "z"])

    def some(self, *words: object) -> Words:
        """The words, or none."""
        return list(words) if self.rng.random() < 0.4 else []

    def one(self, *words: object) -> object:
        return self.rng.choice(words)

    def side(self) -> object:
        return self.one("LEFT", "RIGHT")

    def pairs(self) -> Words:
        return [word for key in self.keys() for word in (key, self.member())]


def store(name: str) -> Callable[[Dice], Words]:
    return lambda d: [name, d.key(), *d.keys()]


def zset_operation(name: str, *head: str) -> Callable[[Dice], Words]:
    """ZUNION, or with "key" as its head ZUNIONSTORE; options are right only for some."""

    def draw(d: Dice) -> Words:
        words = [name, *[d.key() for _ in head], *d.numbered()]
        if "DIFF" not in name:
            words += d.some("AGGREGATE", d.one("SUM", "MIN", "MAX"))
        return words + ([] if head else d.some("WITHSCORES"))

    return draw


def plain(name: str, least: int = 1, most: int = 4) -> Callable[[Dice], Words]:
    return lambda d: [name, *d.keys(least, most)]


RECIPES: dict[str, Callable[[Dice], Words]] = {
    **{name: plain(name) for name in ("DEL", "UNLINK", "EXISTS", "TOUCH", "MGET")},
    **{name: plain(name) for name in ("SUNION", "SINTER", "SDIFF")},
    **{name: store(name) for name in ("SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE")},
    **{name: zset_operation(name) for name in ("ZUNION", "ZINTER", "ZDIFF")},
    **{name: zset_operation(name, "key") for name in ("ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE")},
    "MSET": lambda d: ["MSET", *d.pairs()],
    "MSETNX": lambda d: ["MSETNX", *d.pairs()],
    "MSETEX": lambda d: [
        "MSETEX",
        len(pairs := d.pairs()) // 2,
        *pairs,
        *d.some(d.one("NX", "XX")),
        *d.some("EXAT", LATER),
    ],
    "RENAME": lambda d: ["RENAME", d.key(), d.key()],
    "RENAMENX": lambda d: ["RENAMENX", d.key(), d.key()],
    "COPY": lambda d: ["COPY", d.key(), d.key(), *d.some("DB", d.one(0, 1)), *d.some("REPLACE")],
    "SMOVE": lambda d: ["SMOVE", d.key(), d.key(), d.member()],
    "SINTERCARD": lambda d: ["SINTERCARD", *d.numbered(), *d.some("LIMIT", 1)],
    "ZINTERCARD": lambda d: ["ZINTERCARD", *d.numbered(), *d.some("LIMIT", 1)],
    "RPOPLPUSH": lambda d: ["RPOPLPUSH", d.key(), d.key()],
    "LMOVE": lambda d: ["LMOVE", d.key(), d.key(), d.side(), d.side()],
    "LMOVEM": lambda d: [
        *("LMOVEM", d.key(), d.key(), d.side(), d.side()),
        *(d.one("COUNT", "EXACTLY"), d.one(1, 2, 9), d.one("OBO", "BULK")),
    ],
    "LMPOP": lambda d: ["LMPOP", *d.numbered(), d.side(), *d.some("COUNT", 2)],
    "ZMPOP": lambda d: ["ZMPOP", *d.numbered(), d.one("MIN", "MAX"), *d.some("COUNT", 2)],
    "ZRANGESTORE": lambda d: ["ZRANGESTORE", d.key(), d.key(), 0, -1, *d.some("REV")],
    "BITOP": lambda d: [
        *("BITOP", d.one("AND", "OR", "XOR", "DIFF", "DIFF1", "ANDOR", "ONE")),
        *(d.key(), *d.keys()),
    ],
    "GEOSEARCHSTORE": lambda d: [
        *("GEOSEARCHSTORE", d.key(), d.key(), "FROMLONLAT", 15, 37),
        *("BYRADIUS", 9000, "km", *d.some("STOREDIST")),
    ],
    "GEORADIUS": lambda d: [
        *("GEORADIUS", d.key(), 15, 37, 9000, "km", d.one("STORE", "STOREDIST"), d.key()),
    ],
    "GEORADIUSBYMEMBER": lambda d: [
        *("GEORADIUSBYMEMBER", d.key(), d.member(), 9000, "km", *d.some("STORE", d.key())),
    ],
    "SORT": lambda d: ["SORT", d.key(), *d.some("ALPHA"), *d.some("DESC"), "STORE", d.key()],
    "SORT_RO": lambda d: ["SORT_RO", d.key(), *d.some("ALPHA"), *d.some("LIMIT", 0, 2)],
    "PFCOUNT": plain("PFCOUNT"),
    "PFMERGE": plain("PFMERGE"),
    "LCS": lambda d: ["LCS", d.key(), d.key(), *d.some("IDX")],
}

# What fills keys with types and looks at them.
FILLERS: list[Callable[[Dice], Words]] = [
    lambda d: ["SET", d.key(), d.member(), *d.some("EXAT", LATER)],
    lambda d: ["PFADD", d.key(), d.member(), d.member()],
    lambda d: ["GEOADD", d.key(), 13, 38, d.member(), 15, 37, d.member()],
    lambda d: ["SETBIT", d.key(), 9, d.one(0, 1)],
    lambda d: ["RPUSH", d.key(), d.member(), d.member()],
    lambda d: ["SADD", d.key(), d.member(), d.member()],
    lambda d: ["SADD", d.key(), *range(5)],
    lambda d: ["ZADD", d.key(), 1, d.member(), 2.5, d.member()],
    lambda d: ["HSET", d.key(), d.member(), d.member(), "f", "v"],
    lambda d: ["HEXPIREAT", d.key(), LATER, "FIELDS", 1, "f"],
    lambda d: ["RPUSH", d.key(), *["long" * 40] * 90],
    lambda d: ["SADD", d.key(), *[f"member{i}" for i in range(200)]],
    lambda d: ["SET", d.key(), "s" * 70_000],
    lambda d: ["DEL", d.key()],
    lambda d: ["EXPIREAT", d.key(), LATER],
]
LOOKS: list[Callable[[Dice], Words]] = [
    *(lambda d, name=name: [name, d.key()] for name in ("TYPE", "EXPIRETIME", "PERSIST", "STRLEN")),
    lambda d: ["OBJECT", "ENCODING", d.key()],
    lambda d: ["HPEXPIRETIME", d.key(), "FIELDS", 1, "f"],
    lambda d: ["DBSIZE"],
    lambda d: ["KEYS", d.one("*", "a*", TAG + "*", "none")],
    lambda d: ["SCAN", 0, *d.some("MATCH", "a*"), *d.some("TYPE", d.one("set", "string", "x"))],
    lambda d: ["DEBUG", "DIGEST-VALUE", *d.keys()],
    lambda d: ["COMMAND", "GETKEYS", *d.one(*RECIPES.values())(d)],
]
RARE: list[Callable[[Dice], Words]] = [
    lambda d: ["FLUSHALL", *d.some(d.one("ASYNC", "SYNC"))],
    lambda d: ["FLUSHDB"],
    lambda d: ["SWAPDB", 0, 1],
    lambda d: ["SELECT", d.one(0, 1)],
]


def draw(d: Dice, others: list[str]) -> Words:
    """The next command."""
    chance = d.rng.random()
    if chance < 0.35:
        return d.rng.choice(FILLERS)(d)
    if chance < 0.5:
        return d.rng.choice(LOOKS)(d)
    if chance < 0.51:
        return d.rng.choice(RARE)(d)
    words = d.rng.choice([*RECIPES.values()])(d)
    if others and chance > 0.93:
        words = [d.rng.choice(others), *d.keys(1, 3), *d.some(d.member())]
    return spoiled(d, words) if d.rng.random() < 0.12 else words


def spoiled(d: Dice, words: Words) -> Words:
    """With a word too few, too many, or a wrong one."""
    at = d.rng.randrange(1, len(words) + 1)
    wrong = d.one("x", "-1", "0", "", "999999999999999999999", "FOO", d.key())
    return [
        *words[:at],
        *[wrong for _ in range(d.rng.randrange(2))],
        *words[at + d.rng.randrange(2) :],
    ]


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """A server of one worker and one of three."""
    with running() as single, running(workers=WORKERS) as trio:
        yield single, trio


@pytest.fixture(scope="module")
def others(pair: tuple[Server, Server]) -> list[str]:
    """Commands that may have several keys and are not in RECIPES."""
    with pair[0].client() as client:
        rows = client.value("COMMAND")
    several = [
        row[0].decode().upper() for row in rows if row[4] != row[3] or b"movablekeys" in row[2]
    ]
    return sorted(set(several) - set(RECIPES) - LEFT_OUT)


def reply_of(client: Client, words: Words) -> bytes:
    if words[0] == "SCAN":
        return scan(client, [str(word).encode() for word in words])
    return client.call(*words)  # type: ignore[arg-type]


def comparable(words: Words, reply: bytes) -> object:
    if str(words[0]) in UNORDERED | {"SCAN"} and reply[:1] in b"*~":
        return sorted(map(repr, parse(reply)[1] if words[0] == "SCAN" else parse(reply)))
    return reply


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_three_workers_answer_as_one(
    pair: tuple[Server, Server], others: list[str], seed: int, resp: int
) -> None:
    d = Dice(seed * 2 + resp)
    with ExitStack() as stack:
        ones = [stack.enter_context(pair[0].client(resp)) for _ in range(WORKERS)]
        threes = [stack.enter_context(connect_to(pair[1], w)) for w in range(WORKERS)]
        for client in threes:
            client.call("HELLO", resp)
        for client in (ones[0], threes[0]):
            client.call("FLUSHALL")
        for _ in range(STEPS):
            at = d.rng.randrange(WORKERS)
            words = draw(d, others)
            expected, got = reply_of(ones[at], words), reply_of(threes[at], words)
            assert comparable(words, got) == comparable(words, expected), words
        for db in (0, 1):
            for client in (ones[0], threes[2]):
                client.call("SELECT", db)
            for key in KEYS:
                asked = encode("DEBUG", "DIGEST-VALUE", key) + encode("EXPIRETIME", key)
                for client in (ones[0], threes[2]):
                    client.send(asked)
                both = [(client.read(), client.read()) for client in (ones[0], threes[2])]
                assert both[0] == both[1], key


@pytest.mark.parametrize("seed", range(4))
def test_pipelines_of_three_workers_are_answered_as_by_one(
    pair: tuple[Server, Server], others: list[str], seed: int
) -> None:
    """One client sends many commands before it reads: order, barriers and holds keep its sequence."""
    d = Dice(1000 + seed)
    with pair[0].client() as one, connect_to(pair[1], seed % WORKERS) as three:
        for client in (one, three):
            client.call("FLUSHALL")
        for _ in range(12):
            batch = [draw(d, others) for _ in range(d.rng.randrange(1, 80))]
            batch = [words for words in batch if words[0] not in UNORDERED | {"SCAN", "SELECT"}]
            for client in (one, three):
                client.send(b"".join(encode(*words) for words in batch))  # type: ignore[arg-type]
            for words in batch:
                expected, got = one.read(), three.read()
                assert got == expected, words
