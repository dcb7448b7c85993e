"""Replies of commands as Python values: RESP3, read from bytes that the core has made."""

from typing import TypeAlias, Union

from shmredis.commands.resp import CommandError

__all__ = ["Answer", "read_answer"]

Answer: TypeAlias = Union[
    int, float, bool, bytes, str, "list[Answer]", "dict[Answer, Answer]", CommandError, None
]
"""bytes: bulk strings. str: simple strings ("OK"). list: arrays and sets. dict: maps. None: null."""


def read_answer(data: bytes) -> Answer:
    """The value; an error inside of an array is a CommandError there, one that is all is one, too."""
    return _read(data, 0)[0]


def _read(data: bytes, at: int) -> tuple[Answer, int]:
    """The value that begins there, and where the next one does."""
    end = data.index(b"\r\n", at)
    kind, text, after = data[at : at + 1], data[at + 1 : end], end + 2
    match kind:
        case b":" | b"(":
            return int(text), after
        case b"$" | b"=":
            return _read_text(data, kind, int(text), after)
        case b"*" | b"~" | b">":
            return _read_list(data, int(text), after)
        case b"%":
            return _read_map(data, int(text), after)
        case b"|":  # attributes, which stand before the value
            return _read(data, _read_map(data, int(text), after)[1])
        case _:
            return _simple(kind, text), after


def _simple(kind: bytes, text: bytes) -> Answer:
    match kind:
        case b"+":
            return text.decode("utf-8", "surrogateescape")
        case b"-":
            return CommandError(text.decode("utf-8", "surrogateescape"))
        case b",":
            return float(text)
        case b"#":
            return text == b"t"
        case b"_":
            return None
    raise ValueError(f"not a reply: {kind!r}")


def _read_text(data: bytes, kind: bytes, size: int, at: int) -> tuple[Answer, int]:
    if size < 0:
        return None, at
    text = data[at : at + size]
    return text[4:] if kind == b"=" else text, at + size + 2


def _read_list(data: bytes, count: int, at: int) -> tuple[Answer, int]:
    if count < 0:
        return None, at
    items: list[Answer] = []
    for _ in range(count):
        item, at = _read(data, at)
        items.append(item)
    return items, at


def _read_map(data: bytes, count: int, at: int) -> tuple[dict[Answer, Answer], int]:
    pairs: dict[Answer, Answer] = {}
    for _ in range(count):
        key, at = _read(data, at)
        pairs[key], at = _read(data, at)
    return pairs, at
