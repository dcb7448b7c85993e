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
from dataclasses import dataclass, field
from pathlib import Path

from shmredis.config.parser import split_words
from tests.harness.resp import Client, parse_all
from tests.harness.steps import read_steps

__all__ = ["EFFECTS", "Events", "Log", "Step", "comparable", "read_effects", "shown"]

EFFECTS = Path(__file__).parent.parent / "commands" / "propagation"
MARK = "end-of-step"
TIME = re.compile(r"\b(17|18|19)\d{11}\b")  # a time of these decades in ms


@dataclass(slots=True)
class Step:
    """One command and what it did: logged commands, and events as "event NAME KEY"."""

    line: str
    random: bool
    words: list[bytes]
    recorded: list[str] = field(default_factory=list)


def read_effects(path: Path) -> list[Step | str]:
    """All steps of a file, and the lines between them."""
    return read_steps(path.read_text().splitlines(), _step)


def _step(line: str) -> Step:
    text = line.removeprefix("~")
    words = [word.encode("latin-1") for word in split_words(text)]
    return Step(line, line != text, words)


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


class Log:
    """The newest file of the server's append-only files, read from where the last read ended."""

    def __init__(self, client: Client) -> None:
        settings = [client.value("CONFIG", "GET", name)[1] for name in ("dir", "appenddirname")]
        folder = Path(*(text.decode() for text in settings))
        self._path = max(folder.glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
        self._at, self._db = 0, 0
        self.take()

    def take(self) -> list[str]:
        data = self._path.read_bytes()
        fresh, self._at = data[self._at :], len(data)
        found = []
        for command in parse_all(fresh):
            if command[0].upper() == b"SELECT":
                self._db = int(command[1])
            else:
                found.append(shown(self._db, command))
        return found


class Events:
    """A subscription to all keyspace events; `fields`: to those of fields of hashes too."""

    def __init__(self, client: Client, fields: bool = False) -> None:
        patterns = ["__keyevent@*", *(["__subkeyspace@*"] if fields else [])]
        classes = "KEAmnoc" + ("S" if fields else "")
        client.call("CONFIG", "SET", "notify-keyspace-events", classes)
        self._client = client
        self._client.call("PSUBSCRIBE", MARK, *patterns)
        for _ in patterns:
            self._client.read()

    def take(self, asker: Client) -> list[str]:
        asker.call("PUBLISH", MARK, "")
        found = []
        while (message := parse_all(self._client.read())[0])[2] != MARK.encode():
            where, event = message[2].split(b"__:")
            found.append(shown(int(where.split(b"@")[1]), [b"event", event, message[3]]))
        return found
