"""Random commands whose outcome does not depend on when they are executed, for comparing two servers.

Values are chosen so that commands meet: few keys, few fields and members, numbers at the limits of their
types, texts at the limits of encodings. Times to live are over or last long; nobody waits for long; ids
that are made from the clock are the caller's to deal with.
"""

import random
from collections.abc import Callable, Iterable, Sequence

import xxhash

from shmredis.commands.docs import CommandDoc
from shmredis.commands.syntax import Argument
from tests.harness.grammar import EXTREMES, INTEGERS, TEXTS, Grammar, hyperloglogs

__all__ = ["KEYS", "RANDOM_WRITES", "SteadyGrammar", "said_by", "tamed"]

# Which value a key named after a group mostly has; others use them now and then.
HOMES = {
    "string": "str",
    "bitmap": "str",
    "hyperloglog": "hll",
    "list": "lst",
    "set": "set",
    "sorted-set": "zst",
    "geo": "geo",
    "hash": "hsh",
    "stream": "stm",
}
KEYS = [f"{home}{n}" for home in sorted({*HOMES.values()}) for n in (1, 2, 3)]
RANDOM_WRITES = ("SPOP",)
COUNT_MEANS_MANY = ("SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER")


def split(text: str) -> tuple[bytes, ...]:
    return tuple(text.encode().split())


NOT_NUMBERS = (b"x", b"", b"1.5", b"9223372036854775807", b"-9223372036854775808")
MEMBERS = (
    *split("1 2 3 4 5 6 7 8 9 10 11 -1 -32768 32767 32768 2147483648 9223372036854775807"),
    *split("9223372036854775808 a b c d e 01 -0 1.5 mmmmmmm mmmmmmmm mmmmmmmmm"),
    *(b"", b"\x00\xff", b"m" * 20, b"x" * 64, b"x" * 65, b"y" * 300),
)
FIELDS = (b"a", b"b", b"c", b"d", b"f", b"1", b"2", b"", b"\x00", b"n" * 65)
VALUES = (
    *split(
        "a b abc 0 1 -1 10 007 -0 +5 3.25 -1.5e3 1e5 0x10 inf -inf nan 1e400 5.0 .5 foobar ohmytext"
    ),
    *split("mynewtext 9223372036854775807 -9223372036854775808 9223372036854775808"),
    *(b"", b" 1", b"1 ", b"hello world", b"\x00\x01\xfe\xff", b"\xc3\xa9", b"a\r\nb", b"z" * 5000),
    *(letter * n for n in (8, 19, 20, 21, 43, 44, 45, 63, 64, 65, 128) for letter in (b"1", b"v")),
)
SCORES = split(
    "0 1 2 3 -1 -0 1.5 2.5 0.1 0.2 100 1e2 1e20 1e21 1e300 -1e308 1.7976931348623157e308 5e-324 inf +inf"
    " -inf 123456789012345678 9007199254740993 0.30000000000000004 1e-7 3.0 infinity"
)
BAD_SCORES = (*split("nan x 1x 0x1p3 1e400 1e-400 (1 --1"), b"", b" 1", b"1 ")
BOUNDS = split("-inf +inf inf 0 1 2 3 (1 (2 (-inf 1.5 ( nan")
LEX = (*split("- + [a (a [b (c [ ( [x a"), b"[\xff", b"")
RANKS = (*split("0 1 2 3 -1 -2 -3 5 100 -100 x"), b"")
LONGITUDES = split("13.361389 15.087269 2.35 -122.4 0 180 -180 179.999999")
LATITUDES = split("38.115556 37.502669 48.85 37.7 0 85.05112878 -85.05112878")
BAD_PLACES = (*split("180.1 -181 90 -86 nan inf x"), b"")
SIZES = split("0 1 100 166 200.5 2000 20000 1e5 50000000 -1 nan x")
STREAM_IDS = (
    *split(
        "0 0-0 0-1 1 1-0 1-1 1-2 2 2-0 2-1 3-0 3-5 5 5-0 7-0 9 1-* 2-* 5-* 9-* - + $ > * (1-1 (5 (-"
    ),
    *split("18446744073709551615 18446744073709551615-18446744073709551615 18446744073709551616"),
    *split("7000000000000-0 7000000000000-* 1- -1 x 1-1-1"),
    b"",
)
RISING_IDS = split("* * * 1-* 3-* 5-1 5-* 9-* 7000000000000-*")
SECONDS = (*split("100000 200000 1000000 0 -1"), *NOT_NUMBERS)
MORE_SECONDS = split("9223372036854775 70368744177 -9223372036854775808")
UNIX_SECONDS = (*split("4000000000 5000000000 1000000000 1 0"), *NOT_NUMBERS, *MORE_SECONDS)
UNIX_MS = (*split("4000000000000 5000000000000 70368744177663 70368744177664 0"), *NOT_NUMBERS)
MS = (*split("100000000 200000000 70000000000000 0 -1"), *NOT_NUMBERS)
IDLES = split("0 0 500000 1000000 1000000000 -1 x 9223372036854775807")
PATTERNS = (*split("* str* ?s* [a-z]* [^s]* \\* [ a set1 *1 [1-2]"), b"")
SORT_PATTERNS = split("str* # hsh*->a hsh*->f nosort * lst* hsh*-> x *->*")
ENCODINGS = (*split("u8 i8 u1 i5 i64 u63 u64 i65 u0 i0 x8 u"), b"")
BIT_OFFSETS = split("0 1 7 8 9 63 100 1000 #0 #1 #7 # -1")
MORE_BIT_OFFSETS = split("8388607 8388608 4294967295 9223372036854775807 #9223372036854775807")
SMALL = (*split("0 1 2 3 5 10 100 -1 -2 -5 x 1.5 +1 01"), b"")
EDGES = tuple(b"%d" % n for n in EXTREMES)
TIMEOUTS = (*split("0.01 0.01 -1 x nan 1e-3 inf 1e400"), b"")


def pools(rng: random.Random) -> dict[str, Callable[[], bytes]]:
    """How a word is chosen, by the name of the argument."""

    def one(*choices: Sequence[bytes]) -> Callable[[], bytes]:
        """One word of the first choice mostly, else of the others."""
        rare = [word for words in choices[1:] for word in words]
        return lambda: rng.choice(rare if rare and rng.random() < 0.1 else choices[0])

    def digest() -> bytes:
        if rng.random() < 0.3:
            return texts()
        return xxhash.xxh3_64_hexdigest(rng.choice(VALUES)).encode()

    members, texts = one(MEMBERS, TEXTS, VALUES), one(VALUES, TEXTS, MEMBERS)
    scores, ids = one(SCORES, BAD_SCORES), one(STREAM_IDS)
    table: dict[str, Callable[[], bytes]] = {
        **dict.fromkeys(("member", "member1", "member2", "pivot"), members),
        "element": lambda: members() if rng.random() < 0.6 else texts(),
        "field": one(FIELDS, TEXTS),
        **dict.fromkeys(("value", "ifeq-value", "ifne-value"), texts),
        **dict.fromkeys(("ifdeq-digest", "ifdne-digest"), digest),
        **dict.fromkeys(("score", "increment", "float", "lowerbound", "upperbound"), scores),
        "weight": scores,
        "longitude": one(LONGITUDES, BAD_PLACES),
        "latitude": one(LATITUDES, BAD_PLACES),
        **dict.fromkeys(("radius", "width", "height"), one(SIZES, BAD_SCORES)),
        **dict.fromkeys(("id", "last-id", "lastid", "max-deleted-id", "stream-id"), ids),
        "threshold": one(SMALL, STREAM_IDS),
        **dict.fromkeys(("group", "consumer"), one((b"g", b"h"), (b"", b"x"))),
        **dict.fromkeys(("pid", "iid"), one((b"p", b"q"), (b"",))),
        "seconds": one(SECONDS, MORE_SECONDS),
        "milliseconds": one(MS, MORE_SECONDS),
        "unix-time-seconds": one(UNIX_SECONDS),
        "unix-time-milliseconds": one(UNIX_MS, MORE_SECONDS),
        **dict.fromkeys(("min-idle-time", "ms"), one(IDLES)),
        "ttl": one((b"0", b"100000000", b"5000000000000"), (b"-1", b"x")),
        "pattern": one(PATTERNS),
        **dict.fromkeys(("by-pattern", "get-pattern"), one(SORT_PATTERNS, PATTERNS)),
        "encoding": one(ENCODINGS[:5], ENCODINGS),
        "bit": one((b"0", b"1"), SMALL),
        "timeout": one(TIMEOUTS),
        **dict.fromkeys(("db", "destination-db"), one((b"0", b"1"), (b"15", b"16", b"-1", b"x"))),
        "cursor": one((b"0",), (b"x", b"-1", b"")),
        "type": one((b"string", b"hash", b"ZSET", b"stream", b"list", b"set"), (b"x", b"")),
        "fieldset-name": one((b"fs", b"ft")),
        "subcommand": one((b"GETREG", b"DECODE", b"ENCODING", b"TODENSE", b"encoding", b"X")),
    }
    return table


class SteadyGrammar(Grammar):
    """A grammar for one pair of servers. `payloads` are replies of DUMP, which RESTORE uses."""

    def __init__(self, rng: random.Random, names: Iterable[str]) -> None:
        super().__init__(rng, names)
        self.payloads: list[bytes] = []
        self._pools = pools(rng)
        self._name = ""
        self._by = b""

    def command(self) -> list[bytes]:
        return tamed(super().command())

    def transaction(self) -> list[list[bytes]]:
        """MULTI, some commands, and an end."""
        inner = [self.command() for _ in range(self._rng.randrange(1, 6))]
        end = b"EXEC" if self._rng.random() < 0.9 else b"DISCARD"
        return [[b"MULTI"], *inner, [end]]

    def script(self) -> list[bytes]:
        """A command that is executed by a script."""
        command = self.command()
        if command[0] == b"HIMPORT":  # its fieldsets are a client's, and a script is one of its own
            return command
        return [b"EVAL", self._rng.choice(SCRIPTS), b"0", *command]

    def _body(self, doc: CommandDoc) -> list[bytes]:
        self._name = doc.name
        self._by = self._rng.choice((b"", b"", b"LEX", b"SCORE"))
        if doc.name.startswith("BITFIELD"):
            self._modest = self._rng.random() < 0.8
        return super()._body(doc)

    def _word(self, argument: Argument) -> bytes:
        rng, name = self._rng, argument.name
        if argument.type == "key":
            return self._key()
        if name in ("min", "max", "start", "end", "stop"):
            return self._bound()
        if name == "serialized-value":
            return rng.choice(self.payloads) if self.payloads else b"x"
        if name == "id" and self._name == "XADD":
            return rng.choice(RISING_IDS if rng.random() < 0.7 else STREAM_IDS)
        if name == "offset" and self._group == "bitmap":
            return rng.choice(BIT_OFFSETS if rng.random() < 0.9 else MORE_BIT_OFFSETS)
        if name == "value" and argument.type == "integer" and self._name == "SETBIT":
            return self._pools["bit"]()
        if argument.type == "integer" and name in ("increment", "value"):
            return self._integer()
        if self._group == "hyperloglog" and rng.random() < 0.05:
            return hyperloglogs(rng)
        if self._group == "string" and name == "value" and rng.random() < 0.03:
            return hyperloglogs(rng)
        if name in self._pools:
            return self._pools[name]()
        if argument.type == "integer":
            return self._integer()
        return self._pools["value"]()

    def _bound(self) -> bytes:
        """An end of a range: of ids, of scores, of members, or of ranks."""
        rng = self._rng
        if self._group == "stream":
            return rng.choice(STREAM_IDS)
        if rng.random() < 0.1:
            return rng.choice((*BOUNDS, *LEX, *RANKS, *EDGES))
        if "LEX" in self._name or ("ZRANGE" in self._name and self._by == b"LEX"):
            return rng.choice(LEX)
        if "SCORE" in self._name or self._name == "ZCOUNT" or self._by == b"SCORE":
            return rng.choice(BOUNDS)
        return rng.choice(RANKS)

    def _key(self) -> bytes:
        rng = self._rng
        home = HOMES.get(self._group, "")
        if not home or rng.random() < 0.08:
            return rng.choice(KEYS).encode()
        return f"{home}{rng.randrange(1, 4)}".encode()

    def _integer(self) -> bytes:
        rng = self._rng
        if rng.random() < 0.75:
            return rng.choice(SMALL)
        if not self._modest:
            return rng.choice(EDGES) if rng.random() < 0.4 else b"%d" % rng.choice(INTEGERS)
        return rng.choice(
            (b"-9223372036854775808", b"9223372036854775807", b"9223372036854775808", b"50")
        )


SCRIPTS = (
    b"return redis.call(unpack(ARGV))",
    b"return redis.pcall(unpack(ARGV))",
    b"redis.setresp(3) return redis.call(unpack(ARGV))",
)


def said_by(words: list[bytes]) -> list[bytes]:
    """The command itself, or the one that a script executes."""
    return words[3:] if len(words) > 3 and words[1] in SCRIPTS else words


# Where a time to live from now on stands, in seconds and in milliseconds.
TIMES_AT = {b"SETEX": 1000, b"EXPIRE": 1000, b"HEXPIRE": 1000}
TIMES_AT |= dict.fromkeys((b"PSETEX", b"PEXPIRE", b"HPEXPIRE", b"RESTORE"), 1_000_000)
TIME_WORDS = {b"EX": 1000, b"PX": 1_000_000}
WAITS_LAST = (b"BLPOP", b"BRPOP", b"BRPOPLPUSH", b"BLMOVE", b"BZPOPMIN", b"BZPOPMAX")
WAITS_FIRST = (b"BLMPOP", b"BZMPOP")
CONDITIONS = {b"IFDEQ", b"IFDNE"}
MOST = 100_000  # of what a negative count asks for


WIDENS = (b"ARSET", b"ARMSET", b"ARSEEK", b"ARRING")


def tamed(words: list[bytes]) -> list[bytes]:
    """The same without a time to live that ends during the comparison, a long wait, an endless reply."""
    words = list(words)
    name = words[0].upper()
    if name in TIMES_AT and len(words) > 2:
        words[2] = _far(words[2], TIMES_AT[name])
    for i, word in enumerate(words[:-1]):
        if word.upper() in TIME_WORDS and i:
            words[i + 1] = _far(words[i + 1], TIME_WORDS[word.upper()])
        if (
            word.upper() == b"BLOCK"
            and name in (b"XREAD", b"XREADGROUP")
            and _number(words[i + 1]) >= 0
        ):
            words[i + 1] = b"5"
    at = len(words) - 1 if name in WAITS_LAST else 1 if name in WAITS_FIRST else 5
    if name in (*WAITS_LAST, *WAITS_FIRST, b"BLMOVEM") and len(words) > at:
        words[at] = _short(words[at])
    if name in (b"SORT", b"SORT_RO") and len(words) > 1 and words[1][:3] in (b"zst", b"geo"):
        words[1] = b"lst1"  # Redis has a small sorted set become a large one to sort it
    if name == b"SET" and {word.upper() for word in words} & CONDITIONS:
        words = [word for word in words if word.upper() != b"GET"]  # Redis may reply twice
    if name in tuple(word.encode() for word in COUNT_MEANS_MANY) and len(words) > 2:
        words[2] = b"-50" if -(1 << 63) < _number(words[2]) < -MOST else words[2]
    if name in WIDENS:  # Redis has every hole of an array in a digest
        words[2:] = [word if _number(word) < 20000 else b"19999" for word in words[2:]]
    return words


def _number(word: bytes) -> int:
    try:
        return int(word)
    except ValueError:
        return 0


def _far(word: bytes, enough: int) -> bytes:
    return b"%d" % (_number(word) * 100_000_000) if 0 < _number(word) < enough else word


def _short(word: bytes) -> bytes:
    """A wait of no length, unless it is an error."""
    try:
        seconds = float(word)
    except ValueError:
        return word
    return b"0.01" if 0 <= seconds < float("inf") else word
