"""Whether two servers answered a command alike: byte by byte, but for order, chance and time where a
command has them by nature."""

import re

from tests.harness.resp import split_reply

__all__ = ["differs_in_order_only", "is_scan", "same_reply", "same_text"]

UNORDERED = {b"KEYS", b"SUNION", b"SINTER", b"SDIFF", b"SMEMBERS", b"HKEYS", b"HVALS", b"HGETALL"}
PAIRED = {b"HGETALL", b"HSCAN", b"ZSCAN"}  # their elements belong together by two
RANDOM = {b"RANDOMKEY", b"SPOP", b"SRANDMEMBER", b"HRANDFIELD", b"ZRANDMEMBER"}
SCANS = {b"SCAN", b"SSCAN", b"HSCAN", b"ZSCAN"}
# Their numbers tell how long still, or when.
TIMES = {b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME"}
TIMES |= {b"H" + name for name in TIMES}
NUMBER = re.compile(rb"\d+")
TOLERANCE, LONG = 20_000, 1000  # long numbers may be times
FOREVER = 270_000_000_000  # s; ours ends earlier than theirs, but no sooner than this
# A time of these decades in milliseconds, or an id that was made of one.
NOW = re.compile(rb"\b1[789]\d{11}(-\d+)?\b")
# How long ago, or when, something was delivered, before how often; or of a consumer.
SINCE = re.compile(
    rb":\d+\r\n(?=:\d+\r\n)|(?<=idle\r\n):\d+|(?<=active\r\n|e-time\r\n|n-time\r\n):-?\d+"
)
WITH_SINCE = {b"XPENDING", b"XINFO", b"XREADGROUP"}


def is_scan(words: list[bytes]) -> bool:
    """Whether pages are asked for from the beginning."""
    at = 1 if words[0].upper() == b"SCAN" else 2
    return words[0].upper() in SCANS and len(words) > at and words[at] == b"0"


def same_reply(words: list[bytes], theirs: bytes, ours: bytes) -> bool:
    """`words` is what was asked."""
    if theirs == ours:
        return True
    name = words[0].upper()
    if theirs[:1] != ours[:1] or theirs[:1] == b"-":
        return False
    if name in RANDOM:
        return _shape(theirs) == _shape(ours)
    if name in SCANS:
        return (
            not _is_whole(theirs)
            or not _is_whole(ours)
            or differs_in_order_only(words, theirs, ours)
        )
    if name in UNORDERED:
        return differs_in_order_only(words, theirs, ours)
    if name == b"DUMP":
        return theirs[:1] == ours[:1]  # what payloads hold is looked at by itself
    if name in TIMES:
        return same_text(theirs, ours)
    if name in WITH_SINCE:
        theirs, ours = SINCE.sub(b":since", theirs), SINCE.sub(b":since", ours)
    if [word.upper() for word in words[:2]] == [b"OBJECT", b"IDLETIME"]:
        return True
    return NOW.sub(b"", theirs) == NOW.sub(b"", ours)


def same_text(theirs: bytes, ours: bytes) -> bool:
    """Whether texts are alike but for long numbers that are nearly so."""
    if NUMBER.sub(b"", theirs) != NUMBER.sub(b"", ours):
        return False
    pairs = zip(NUMBER.findall(theirs), NUMBER.findall(ours), strict=True)
    return all(_near(int(a), int(b)) for a, b in pairs)


def _near(a: int, b: int) -> bool:
    return a == b or min(a, b) >= FOREVER or (min(a, b) >= LONG and abs(a - b) <= TOLERANCE)


def differs_in_order_only(words: list[bytes], theirs: bytes, ours: bytes) -> bool:
    """Whether the same elements came, in whatever order."""
    name = words[0].upper()
    if b"NOVALUES" in map(bytes.upper, words):
        name = b"SSCAN"
    if name in SCANS:
        (cursor, page), (our_cursor, our_page) = split_reply(theirs), split_reply(ours)
        return cursor == our_cursor and _sorted(page, name) == _sorted(our_page, name)
    return _sorted(theirs, name) == _sorted(ours, name)


def _is_whole(page: bytes) -> bool:
    """Whether a scan's page is the last."""
    return split_reply(page)[0] == b"$1\r\n0\r\n"


def _sorted(reply: bytes, name: bytes) -> list[bytes]:
    parts = split_reply(reply)
    if name in PAIRED and len(parts) % 2 == 0:
        return sorted(a + b for a, b in zip(parts[::2], parts[1::2], strict=True))
    return sorted(parts)


def _shape(reply: bytes) -> object:
    """Kinds and numbers of elements; a value's length is left to chance."""
    if reply[:1] in b"*~>%" and not reply.startswith(b"*-1"):
        return reply[:1], [_shape(part) for part in split_reply(reply)]
    return reply[:1], reply.startswith(b"$-1")
