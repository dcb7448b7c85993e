"""What commands log and which events they tell: files of commands with what Redis 8.10.2 did for each.

A file (tests/commands/propagation/*.txt) has a command a line, quoted as in redis-cli, and indented below
it what went to the append-only file, then the events. An empty line ends a case; before each case the
data is emptied. Times are written <ms>. `tools/record_effects` asks a real server and writes the indented
lines. A command line may begin with

    ~    which members it names is random: only their number counts
    #    a comment

`CONFIG SET name value` is a setting of the case.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from shmredis.config.parser import split_words

__all__ = ["EFFECTS", "Step", "cases", "comparable", "read_lines", "shown"]

EFFECTS = Path(__file__).parent.parent / "commands" / "propagation"
TIME = re.compile(r"\b(17|18|19)\d{11}\b")  # a time of these decades in ms


@dataclass(slots=True)
class Step:
    """One command and what it did: logged commands, and events as "event NAME KEY"."""

    line: str
    random: bool
    words: list[bytes]
    effects: list[str] = field(default_factory=list)


def read_lines(lines: Iterable[str]) -> list[Step | str]:
    """Steps, and the lines between them as they are (comments, ends of cases)."""
    found: list[Step | str] = []
    for line in lines:
        if line.startswith("    "):
            step = found[-1]
            assert isinstance(step, Step)
            step.effects.append(line.strip())
        elif not line or line.startswith("#"):
            found.append(line)
        else:
            found.append(_step(line))
    return found


def _step(line: str) -> Step:
    text = line.removeprefix("~")
    words = [word.encode("latin-1") for word in split_words(text)]
    return Step(line, line != text, words)


def cases(path: Path) -> list[list[Step]]:
    """The cases of one file."""
    found: list[list[Step]] = [[]]
    for item in read_lines(path.read_text().splitlines()):
        if isinstance(item, Step):
            found[-1].append(item)
        elif not item:
            found.append([])
    return [case for case in found if case]


def shown(db: int, command: list[bytes]) -> str:
    """A logged command or an event as the files have it."""
    words = [word.decode("latin-1") or '""' for word in command]
    text = TIME.sub("<ms>", " ".join(words))
    return f"[{db}] {text}" if db else text


def comparable(effect: str, random: bool) -> str:
    """Names of commands in upper case; random members are dots."""
    words = effect.split(" ")
    if words[0] != "event":
        words[0] = words[0].upper()
    if random and words[0] in ("SREM", "HDEL"):
        words[2:] = ["." for _ in words[2:]]
    return " ".join(words)
