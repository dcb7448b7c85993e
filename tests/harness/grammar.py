"""Random commands from their documented syntax, with values that find holes.

Every command of C can be made from its row of the documentation: options in any order and in any case,
some of them twice, counts that mostly fit. One in ten is damaged afterwards: words dropped, doubled,
exchanged, or replaced by bytes that mean something elsewhere.
"""

import random
from collections.abc import Callable, Iterable

from shmredis.commands.docs import CommandDoc, command_docs
from shmredis.commands.syntax import Argument
from tests.persistence.mutation import mutate

__all__ = ["EXTREMES", "IDS", "INTEGERS", "REPEATS", "TEXTS", "Grammar", "hyperloglogs"]

INTEGERS = (0, 1, -1, 2, 3, 5, 10, 63, 64, 100, 127, 128, 255, 256, 1000, 65535, 65536)
EXTREMES = (1 << 20, (1 << 31) - 1, -(1 << 31), 1 << 32, (1 << 63) - 1, -(1 << 63), 1 << 63, -2)
DOUBLES = (
    b"0",
    b"1.5",
    b"-2.25",
    b"1e300",
    b"-1e-300",
    b"inf",
    b"-inf",
    b"nan",
    b"0.1",
    b"1e5",
    b"",
)
IDS = (
    b"0",
    b"$",
    b">",
    b"+",
    b"-",
    b"*",
    b"1-1",
    b"1-*",
    b"5-0",
    b"(1-1",
    b"0-0",
    b"18446744073709551615-1",
)
TEXTS = (
    b"",
    b"a",
    b"b",
    b"f",
    b"x" * 20,
    b"hello world",
    b"\x00",
    b"\xff" * 9,
    b"12",
    b"-7",
    b"3.25",
    b"*",
    b"#",
)
BOUNDS = (b"-", b"+", b"[a", b"(a", b"[", b"(", b"-inf", b"+inf", b"(1", b"(nan", b"[\xff")
TYPES = (b"u8", b"i64", b"u63", b"u64", b"i1", b"u0", b"#1", b"i16")
KEYS_A_GROUP = 5
COUNTS = ("numkeys", "numfields", "numids")
REPEATS = (1, 1, 2, 3, 8)
DEPTH = 6


def hyperloglogs(rng: random.Random) -> bytes:
    """Sparse ones with runs that do not add up, dense ones of all lengths, and no such thing at all."""
    head = b"HYLL" + bytes([rng.choice((0, 1, 2, 255))]) + bytes(3) + rng.randbytes(8)
    body = rng.choice(
        (
            b"\x7f\xff",
            b"\x7f\xf0\x80\x0f",
            b"\x00" * 256,
            rng.randbytes(rng.randrange(40)),
            bytes(12288),
        )
    )
    return mutate(head + body, rng) if rng.random() < 0.5 else head + body


class Grammar:
    """Makes commands for some keys of each group, mostly those of the command's own."""

    def __init__(self, rng: random.Random, names: Iterable[str]) -> None:
        """`names` of commands, as "OBJECT|ENCODING"."""
        self._rng = rng
        self._group = ""
        self._modest = False
        docs = command_docs()
        self._docs = [docs[name] for name in names if name in docs]
        self._groups = sorted({doc.group for doc in self._docs})

    def command(self) -> list[bytes]:
        doc = self._rng.choice(self._docs)
        if (
            doc.group == "pubsub" and self._rng.random() < 0.9
        ):  # who is subscribed can do little else
            doc = self._rng.choice(self._docs)
        self._group = doc.group
        self._modest = "RAND" in doc.name  # a count below zero is how many there will be
        words = [*doc.name.encode().split(), *self._body(doc)]
        return self._damaged(words) if self._rng.random() < 0.1 else words

    def _body(self, doc: CommandDoc) -> list[bytes]:
        return self._sequence(self._reordered(doc.arguments()), 0)

    def _reordered(self, arguments: list[Argument]) -> list[Argument]:
        """Options sometimes in another order than they are documented, rarely one twice."""
        rng = self._rng
        if rng.random() < 0.7:
            return arguments
        places = [i for i, argument in enumerate(arguments) if argument.optional or argument.token]
        shuffled = list(arguments)
        for place, source in zip(places, rng.sample(places, len(places)), strict=True):
            shuffled[place] = arguments[source]
        if places and rng.random() < 0.2:
            at = rng.choice(places)
            shuffled.insert(at, shuffled[at])
        return shuffled

    def _sequence(self, arguments: list[Argument], depth: int) -> list[bytes]:
        """Arguments in a row. What repeats does so as often as a count before it says, and in step."""
        rng = self._rng
        repeated = sum(argument.multiple for argument in arguments)
        times = rng.choice(REPEATS) if repeated > 1 and rng.random() < 0.9 else 0
        words: list[bytes] = []
        for argument in arguments:
            if argument.name in COUNTS and rng.random() < 0.93:
                times = rng.choice(REPEATS)
                words.append(b"%d" % times)
            else:
                words += self._words(argument, depth, times)
        return words

    def _words(self, argument: Argument, depth: int, times: int = 0) -> list[bytes]:
        """`times` that it comes if it may be repeated; 0: any."""
        rng = self._rng
        if depth > DEPTH or (argument.optional and rng.random() < 0.6):
            return []
        words: list[bytes] = []
        for i in range((times or rng.choice(REPEATS)) if argument.multiple else 1):
            if argument.token and (i == 0 or argument.multiple_token):
                words.append(self._token(argument.token))
            words += self._value(argument, depth)
        return words

    def _token(self, token: str) -> bytes:
        word = token.strip('"')
        match self._rng.randrange(20):
            case 0:
                word = word.lower()
            case 1:
                word = word.title()
        return word.encode()

    def _value(self, argument: Argument, depth: int) -> list[bytes]:
        match argument.type:
            case "pure-token":
                return []
            case "oneof":
                return self._words(self._rng.choice(argument.arguments), depth + 1)
            case "block":
                return self._sequence(argument.arguments, depth + 1)
        return [self._word(argument)]

    def _word(self, argument: Argument) -> bytes:
        rng = self._rng
        makers: dict[str, Callable[[], bytes]] = {
            "key": self._key,
            "integer": self._integer,
            "unix-time": self._integer,
            "double": lambda: rng.choice(DOUBLES),
            "pattern": lambda: rng.choice(
                (b"*", b"k*", b"[a-", b"h?llo", b"\\", b"{k}*->f", b"[^x]*")
            ),
        }
        if argument.type in makers:
            return makers[argument.type]()
        name = argument.name
        if "key" in name:
            return self._key()
        if "id" in name:
            return rng.choice(IDS)
        if name in ("min", "max", "start", "end", "stop"):
            return rng.choice((*BOUNDS, *IDS, self._integer()))
        if name in ("encoding", "type"):
            return rng.choice(TYPES)
        if name in ("group", "consumer"):
            return rng.choice((b"g", b"h"))
        return rng.choice(
            (*TEXTS, self._integer(), hyperloglogs(rng), rng.randbytes(rng.randrange(100)))
        )

    def _key(self) -> bytes:
        group = self._group if self._rng.random() < 0.9 else self._rng.choice(self._groups)
        return f"{group}:{self._rng.randrange(KEYS_A_GROUP)}".encode()

    def _integer(self) -> bytes:
        usual = self._modest or self._rng.random() < 0.9
        return b"%d" % self._rng.choice(INTEGERS if usual else EXTREMES)

    def _damaged(self, words: list[bytes]) -> list[bytes]:
        rng = self._rng
        at, other = rng.randrange(len(words)), rng.randrange(len(words))
        match rng.randrange(5):
            case 0:
                return words[:at] or words
            case 1:
                return [*words[: at + 1], words[at], *words[at + 1 :]]
            case 2 if at and other:
                words[at], words[other] = words[other], words[at]
            case 3 if at:
                words[at] = rng.choice((*TEXTS, *IDS, *BOUNDS, self._integer()))
            case 4 if at:
                words[at] = mutate(words[at], rng)
        return words
