"""Command cases: what was asked of a real Redis, what it said, and how to compare.

A case file (tests/commands/cases/*.txt) has a command a line, quoted as in redis-cli. An empty line
ends a case; before each case the data is emptied. `tools/record_replies` asks a real server and keeps
its replies, in RESP2 and RESP3, under tests/commands/replies; the tests ask ours. A line may begin with

    ~    the reply's elements may come in any order
    @    a scan: the pages from cursor 0 to the end count as one, in any order
    ?    the reply is not compared (random, or the time); it must not be an error
    #    a comment
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shmredis.config.parser import split_words
from tests.harness.resp import Client, encode, parse

__all__ = ["CASES", "REPLIES", "Case", "Step", "equal", "load_cases", "load_replies", "run_case"]

COMMANDS = Path(__file__).parent.parent / "commands"
CASES = COMMANDS / "cases"
REPLIES = COMMANDS / "replies"


@dataclass(slots=True, frozen=True)
class Step:
    """One command; `mark` is one of "", "~", "@", "?"."""

    line: str
    mark: str
    words: list[bytes]


@dataclass(slots=True, frozen=True)
class Case:
    """Commands that belong together; `name` is its first line's number and text."""

    name: str
    steps: list[Step]


def load_cases(group: str) -> list[Case]:
    """The cases of one file."""
    return list(_cases((CASES / f"{group}.txt").read_text().splitlines()))


def _cases(lines: list[str]) -> Iterator[Case]:
    steps: list[Step] = []
    first = 0
    for number, raw in enumerate([*lines, ""], 1):
        line = raw.strip()
        if line.startswith("#"):
            continue
        if not line:
            if steps:
                yield Case(f"{first}: {steps[0].line[:60]}", steps)
            steps = []
            continue
        first = first if steps else number
        mark = line[0] if line[0] in "~@?" else ""
        text = line[len(mark) :].strip()
        words = [word.encode("latin-1") for word in split_words(text)]
        steps.append(Step(text, mark, words))


def run_case(client: Client, case: Case) -> list[bytes]:
    """The raw replies of all steps."""
    client.call("FLUSHALL")
    client.call("SELECT", "0")
    return [
        scan(client, step.words) if step.mark == "@" else client.call(*step.words)
        for step in case.steps
    ]


def scan(client: Client, words: list[bytes]) -> bytes:
    """All pages of a scan as one reply; the error if there is one."""
    found: list[bytes] = []
    cursor = words[1]
    while True:
        reply = client.call(words[0], cursor, *words[2:])
        if reply.startswith(b"-"):
            return reply
        cursor, page = parse(reply)
        found += page
        if cursor == b"0":
            return b"*2\r\n" + encode(cursor).split(b"\r\n", 1)[1] + encode(*found)


def load_replies(group: str, resp: int) -> dict[str, list[bytes]]:
    """What the real server said, by case name."""
    data = json.loads((REPLIES / f"{group}.{resp}.json").read_text())
    return {name: [reply.encode("latin-1") for reply in replies] for name, replies in data.items()}


def equal(step: Step, ours: bytes, theirs: bytes) -> bool:
    """Whether the replies are the same as far as the step's mark wants."""
    if step.mark == "?":
        return ours[:1] != b"-"
    if step.mark and theirs[:1] != b"-":
        return ours[:1] == theirs[:1] and _unordered(parse(ours)) == _unordered(parse(theirs))
    return ours == theirs


def _unordered(value: object) -> object:
    if isinstance(value, list):
        return sorted((_unordered(item) for item in value), key=repr)
    if isinstance(value, dict):
        return sorted(value.items(), key=repr)
    return value
