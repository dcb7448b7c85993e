"""Replies of commands written in Python, encoded as RESP2 or RESP3.

A handler returns plain values and the encoder knows the protocol version:

    int, bytes, str     integer, bulk string
    bool, float         boolean and double (RESP2: 1 or 0, bulk string)
    None                null
    list, tuple         array
    dict                map (RESP2: array of keys and values)

and the classes below for what Python has no word for.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias, Union

__all__ = [
    "NO_REPLY",
    "NULL_ARRAY",
    "OK",
    "CommandError",
    "Push",
    "Raw",
    "Reply",
    "Set",
    "Simple",
    "Verbatim",
    "encode",
    "encode_error",
    "encode_request",
    "format_double",
    "read_request",
]


@dataclass(slots=True, frozen=True)
class Simple:
    """A simple string, `+OK`."""

    text: str


@dataclass(slots=True, frozen=True)
class Verbatim:
    """Text for people; RESP2: a bulk string."""

    text: bytes
    format: str = "txt"


@dataclass(slots=True, frozen=True)
class Set:
    """An unordered collection; RESP2: an array."""

    items: "list[Reply]"


@dataclass(slots=True, frozen=True)
class Push:
    """A message out of turn; RESP2: an array."""

    items: "list[Reply]"


@dataclass(slots=True, frozen=True)
class Raw:
    """Bytes that are RESP already, from the C core."""

    data: bytes


class Special(Enum):
    """Replies without content."""

    NULL_ARRAY = 1
    NO_REPLY = 2


NULL_ARRAY = Special.NULL_ARRAY
NO_REPLY = Special.NO_REPLY
OK = Simple("OK")

Reply: TypeAlias = Union[
    int,
    bytes,
    str,
    bool,
    float,
    "list[Reply]",
    "tuple[Reply, ...]",
    "dict[Any, Reply]",
    Simple,
    Verbatim,
    Set,
    Push,
    Raw,
    Special,
    "CommandError",
    None,
]


class CommandError(Exception):
    """The error reply of a command: the line with its prefix, "ERR syntax error"."""

    @property
    def line(self) -> str:
        return str(self.args[0])


def encode(reply: Reply, resp: int) -> bytes:
    """The reply's bytes in RESP version 2 or 3."""
    out: list[bytes] = []
    _write(out, reply, resp)
    return b"".join(out)


def encode_error(line: str) -> bytes:
    """An error reply; line breaks become spaces, since they would end it."""
    clean = line.replace("\r", " ").replace("\n", " ")
    return b"-" + clean.encode("utf-8", "surrogateescape") + b"\r\n"


def encode_request(argv: Iterable[bytes]) -> bytes:
    """A command as an array of bulk strings."""
    words = [b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in argv]
    return b"*%d\r\n%b" % (len(words), b"".join(words))


def read_request(request: bytes) -> list[bytes]:
    """The words of a command that is a whole array of bulk strings."""
    words, at = [], request.index(b"\n") + 1
    while at < len(request):
        end = request.index(b"\n", at)
        start, size = end + 1, int(request[at + 1 : end])
        words.append(request[start : start + size])
        at = start + size + 2
    return words


def format_double(value: float) -> bytes:
    """A double's text as RESP3 has it: shortest digits that read back, no trailing `.0`."""
    if math.isnan(value):
        return b"nan"
    if math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    if value == int(value) and abs(value) < 1e17:
        return b"%d" % int(value)
    return repr(value).encode()


def _write(out: list[bytes], reply: Reply, resp: int) -> None:
    match reply:
        case bool():
            out.append((b"#t\r\n" if reply else b"#f\r\n") if resp > 2 else b":%d\r\n" % reply)
        case int() if -(1 << 63) <= reply < 1 << 63:
            out.append(b":%d\r\n" % reply)
        case int():
            text = b"%d" % reply
            out.append(b"(%b\r\n" % text if resp > 2 else b"$%d\r\n%b\r\n" % (len(text), text))
        case bytes():
            out.append(b"$%d\r\n%b\r\n" % (len(reply), reply))
        case str():
            _write(out, reply.encode("utf-8", "surrogateescape"), resp)
        case list() | tuple():
            _write_items(out, b"*", reply, resp)
        case dict():
            _write_map(out, reply, resp)
        case float():
            text = format_double(reply)
            out.append(b",%b\r\n" % text if resp > 2 else b"$%d\r\n%b\r\n" % (len(text), text))
        case _:
            _write_special(out, reply, resp)


def _write_special(out: list[bytes], reply: Reply, resp: int) -> None:
    match reply:
        case None:
            out.append(b"_\r\n" if resp > 2 else b"$-1\r\n")
        case Simple(text):
            out.append(b"+" + text.encode("utf-8", "surrogateescape") + b"\r\n")
        case CommandError():
            out.append(encode_error(reply.line))
        case Set(items):
            _write_items(out, b"~" if resp > 2 else b"*", items, resp)
        case Push(items):
            _write_items(out, b">" if resp > 2 else b"*", items, resp)
        case Verbatim(text, form) if resp > 2:
            out.append(b"=%d\r\n%b:%b\r\n" % (len(text) + 4, form.encode(), text))
        case Verbatim(text):
            _write(out, text, resp)
        case Raw(data):
            out.append(data)
        case Special.NULL_ARRAY:
            out.append(b"_\r\n" if resp > 2 else b"*-1\r\n")
        case _:
            raise TypeError(f"{type(reply).__name__} is no reply")


def _write_items(
    out: list[bytes], mark: bytes, items: "list[Reply] | tuple[Reply, ...]", resp: int
) -> None:
    out.append(b"%b%d\r\n" % (mark, len(items)))
    for item in items:
        _write(out, item, resp)


def _write_map(out: list[bytes], pairs: "dict[Any, Reply]", resp: int) -> None:
    out.append(b"%%%d\r\n" % len(pairs) if resp > 2 else b"*%d\r\n" % (2 * len(pairs)))
    for key, value in pairs.items():
        _write(out, key, resp)
        _write(out, value, resp)
