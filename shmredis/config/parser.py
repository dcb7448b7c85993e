"""redis.conf syntax: lines of words, quotes and escapes, includes; and the command line in its place."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Line", "LineError", "command_line", "read_lines", "split_words"]

SWITCHES = {"discard-shm"}  # on the command line they mean yes by themselves
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}


@dataclass(slots=True, frozen=True)
class Line:
    """One directive as it was written; `number` counts from 1, 0 for the command line."""

    number: int
    text: str
    words: list[str]


class LineError(Exception):
    """A line that cannot be used: number, text and what is wrong."""

    def __init__(self, number: int, text: str, why: str) -> None:
        super().__init__(why)
        self.number = number
        self.text = text


def split_words(text: str) -> list[str]:
    """The words of a line. Double quotes take escapes, single quotes take \\' only.

    Raises: ValueError for quotes that do not balance.
    """
    words: list[str] = []
    i = 0
    while True:
        while i < len(text) and text[i].isspace():
            i += 1
        if i == len(text):
            return words
        word, i = _take_word(text, i)
        words.append(word)


def _take_word(text: str, i: int) -> tuple[str, int]:
    out: list[str] = []
    while i < len(text) and not text[i].isspace():
        if text[i] in "\"'":
            i = _take_quoted(text, i, out)
            if i < len(text) and not text[i].isspace():
                raise ValueError("a closing quote must be followed by a space")
        else:
            out.append(text[i])
            i += 1
    return "".join(out), i


def _take_quoted(text: str, i: int, out: list[str]) -> int:
    quote = text[i]
    i += 1
    while i < len(text) and text[i] != quote:
        step, char = _take_char(text, i, quote)
        out.append(char)
        i += step
    if i == len(text):
        raise ValueError("a quote is not closed")
    return i + 1


def _take_char(text: str, i: int, quote: str) -> tuple[int, str]:
    if text[i] != "\\" or i + 1 == len(text):
        return 1, text[i]
    after = text[i + 1]
    if quote == "'":
        return (2, "'") if after == "'" else (1, "\\")
    digits = text[i + 2 : i + 4]
    if after == "x" and len(digits) == 2 and all(c in "0123456789abcdefABCDEF" for c in digits):
        return 4, chr(int(digits, 16))
    return 2, ESCAPES.get(after, after)


def read_lines(text: str, first: int = 1) -> Iterator[Line]:
    """The directives of a text; comments and empty lines are left out. Raises: LineError."""
    for number, raw in enumerate(text.splitlines(), first):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            words = split_words(line)
        except ValueError:
            raise LineError(number, line, "Unbalanced quotes in configuration line") from None
        if words:
            yield Line(number, line, words)


def command_line(argv: list[str]) -> tuple[Path | None, str]:
    """The configuration file that the arguments name, if any, and a text of the directives they give.

    `--name value value` is a line; what follows a name at once is its value, whatever it looks like, but
    after --save, and switches need none. `-`, first or last, reads lines from standard input.
    """
    path: Path | None = None
    rest = list(argv)
    lines: list[str] = []
    if rest and not rest[0].startswith("-"):
        path = Path(rest.pop(0))
    if "-" in (*rest[:1], *rest[-1:]):
        rest.pop(0 if rest[0] == "-" else -1)
        lines.extend(sys.stdin.read().splitlines())
    for word in rest:
        bare = bool(lines) and " " not in lines[-1] and lines[-1] not in SWITCHES
        if word.startswith("--") and len(word) > 2 and bare and lines[-1] == "save":
            lines[-1] += ' ""'
            lines.append(word[2:])
        elif word.startswith("--") and len(word) > 2 and not bare:
            lines.append(word[2:])
        elif lines:
            lines[-1] += " " + in_quotes(word)
        else:
            raise LineError(0, word, "Bad directive or wrong number of arguments")
    return path, "\n".join(line + " yes" if line in SWITCHES else line for line in lines)


def quoted(word: str) -> str:
    """The word as it can stand in a file."""
    if word and not any(c.isspace() or c in "\"'\\#" or not c.isprintable() for c in word):
        return word
    return in_quotes(word)


def in_quotes(word: str) -> str:
    """The word with double quotes around it, and escapes."""
    body = word.replace("\\", "\\\\").replace('"', '\\"')
    for letter, char in ESCAPES.items():
        body = body.replace(char, "\\" + letter)
    return f'"{body}"'
