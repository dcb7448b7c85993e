"""Dialogues: several clients by turns, and all that each of them is sent; recorded from Redis 8.10.2.

A file (tests/dialogues/*.txt) has a step a line: who, and the command, quoted as in redis-cli; indented
below it what the clients got then, one message a line, `\\r\\n` shown as a space. An empty line ends a
dialogue, all clients leave, and data and users are emptied. `tools/record_dialogues` asks a real server and
writes the indented lines.

A client connects at its first step. Its name may end with the RESP version that it speaks; a dialogue with
names that do not is held twice, and what was said in one of the versions alone has the name "a/2" or "a/3".

    $a3 in a command    the id of client a3; in messages ids are shown as <a3>
    a3: !connect        nothing but that
    a3: !close          the connection is closed by the client
    a3: !blocked        waits until some client is blocked
    a3: !raw "PING\\n"   sends these bytes as they are
    ~ before the name   messages, and the elements of each, may come in any order
    #                   a comment; one before the first step is the dialogue's name

Times, addresses and the like are shown as <time> and <address>; <end>: the server has closed, and who speaks
after that connects anew.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from shmredis.config.parser import split_words
from tests.harness.resp import Client, encode
from tests.harness.steps import read_steps

__all__ = [
    "DIALOGUES",
    "Dialogue",
    "Step",
    "comparable",
    "name_of",
    "read_dialogues",
    "start_anew",
    "versions",
]

DIALOGUES = Path(__file__).parent.parent / "dialogues"
STEP = re.compile(r"(~?)(\w+): (.*)")
ID = re.compile(r"\$(\w+[23]|[a-z])")
SHOWN_ID = re.compile(r"<(\w+[23]|[a-z])>")
# What cannot be the same: who a client is, when it was, which modules a server has.
_VARYING = [
    (re.compile(rb"^\+\d+\.\d{6} \[(\d+) [\d.]+:\d+\]"), rb"+<time> [\1 <address>]"),
    (re.compile(rb"^\+\d+\.\d{6} \[(\d+) lua\]"), rb"+<time> [\1 lua]"),
    (re.compile(rb"client-info\r\n\$\d+\r\n[^\r]*"), b"client-info <client>"),
    (re.compile(rb"age-seconds\r\n(\$\d+\r\n|,)[0-9.]+"), b"age-seconds <time>"),
    (re.compile(rb"entry-id\r\n:\d+"), b"entry-id <number>"),
    (re.compile(rb"(timestamp-created|timestamp-last-updated)\r\n:\d+"), rb"\1 <time>"),
    (re.compile(rb"\$2\r\nid\r\n:\d+"), b"id <number>"),
    (re.compile(rb"modules\r\n\*\d+\r\n.*", re.DOTALL), b"modules <modules>"),
]


@dataclass(slots=True)
class Step:
    """One command of one client, and the messages that follow: "name: text"."""

    line: str
    unordered: bool
    who: str
    command: str
    recorded: list[str] = field(default_factory=list)

    def messages(self, resp: int) -> list[str]:
        """Those of a dialogue in this version, under plain names."""
        other = f"/{5 - resp}"
        named = [text.split(":", 1) for text in self.recorded]
        return [f"{who.removesuffix(f'/{resp}')}:{text}" for who, text in named if other not in who]


def read_dialogues(path: Path) -> list[Step | str]:
    """All steps of a file, and the lines between them."""
    return read_steps(path.read_text().splitlines(), _step)


def _step(line: str) -> Step:
    match = STEP.fullmatch(line)
    assert match, line
    return Step(line, bool(match[1]), match[2], match[3])


def name_of(dialogue: list[Step | str]) -> str:
    """The comment before its first step, or that step."""
    first = dialogue[0]
    return first.line[:50] if isinstance(first, Step) else first.strip("# .")


def versions(steps: Iterable[Step]) -> list[int]:
    """Those of RESP in which a dialogue is to be held; one if all names have theirs."""
    return [2] if all(step.who[-1] in "23" for step in steps) else [2, 3]


def start_anew(admin: Client) -> None:
    """No data, no users but the default one, an empty ACL log, and no limits that a failed dialogue left."""
    if names := [name for name in admin.value("ACL", "USERS") if name != b"default"]:
        admin.call("ACL", "DELUSER", *names)
    admin.call("ACL", "SETUSER", "default", "reset", "on", "nopass", "+@all", "~*", "&*")
    admin.call("CONFIG", "SET", "acl-pubsub-default", "resetchannels", "acllog-max-len", "128")
    admin.call("CONFIG", "SET", "maxmemory", "0", "notify-keyspace-events", "")
    admin.call("ACL", "LOG", "RESET")
    admin.call("FLUSHALL")


def comparable(step: Step, messages: list[str], in_order: bool = True) -> list[str]:
    """In an order that does not matter where the server's is free."""
    if step.unordered:
        return sorted(" ".join(sorted(text.split(" "))) for text in messages)
    return messages if in_order else sorted(messages)


class Dialogue:
    """The clients of one dialogue with one server. `resp`: what those speak whose name does not say it."""

    def __init__(self, port: int, resp: int) -> None:
        self._port = port
        self._resp = resp
        self._clients: dict[str, Client] = {}
        self._ids: dict[str, int] = {}

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def act(self, step: Step) -> None:
        """Sends the step's command."""
        if step.command == "!connect":
            self._client(step.who)
        elif step.command == "!close":
            self._leave(step.who)
        elif step.command == "!blocked":
            self._await_blocked()
        else:
            words = [self._word(word) for word in split_words(step.command)]
            self._client(step.who).send(words[1] if words[:1] == [b"!raw"] else encode(*words))

    def _await_blocked(self) -> None:
        with Client(self._port) as other:
            while b"blocked_clients:0" in other.call("INFO", "clients"):
                pass

    def _leave(self, name: str) -> None:
        """Until the server has seen it."""
        self._clients.pop(name).close()
        with Client(self._port) as other:
            while b"id=" in other.call("CLIENT", "LIST", "ID", self._ids[name]):
                pass

    def _word(self, word: str) -> bytes:
        if match := ID.fullmatch(word):
            if match[1] not in self._ids:
                self._client(match[1])
            return b"%d" % self._ids[match[1]]
        return word.encode("latin-1")

    def _client(self, name: str) -> Client:
        if name not in self._clients:
            resp = int(name[-1]) if name[-1] in "23" else self._resp
            client = self._clients[name] = Client(self._port, resp)
            self._ids[name] = client.value("CLIENT", "ID")
        return self._clients[name]

    def expected(self, step: Step) -> list[str]:
        """What the step brings in this dialogue."""
        return [
            SHOWN_ID.sub(lambda match: str(self._ids.get(match[1], match[0])), text)
            for text in step.messages(self._resp)
        ]

    def hear(self, step: Step) -> list[str]:
        """A message of each client that the step is expected to bring one."""
        expected = [text.split(":", 1)[0] for text in step.messages(self._resp)]
        return [self._message(name) for name in expected]

    def _message(self, name: str) -> str:
        try:
            return f"{name}: {shown(self._clients[name].read())}"
        except TimeoutError:
            return f"{name}: nothing"
        except ConnectionError:
            self._clients.pop(name).close()
            return f"{name}: <end>"

    def silence(self) -> list[str]:
        """What came that was not expected: everything before the answer to a PING."""
        return [text for name in self._clients for text in self._before_pong(name)]

    def _before_pong(self, name: str) -> Iterable[str]:
        client = self._clients[name]
        try:
            client.send(encode("PING"))
            while not _is_pong(reply := client.read()):
                if b'"PING"' not in reply:  # a monitor sees them
                    yield f"{name}: {shown(reply)}"
        except ConnectionError:
            return


def _is_pong(reply: bytes) -> bool:
    """Or what the client got that may send none."""
    return (
        b"PONG" in reply.upper() or reply.startswith((b"+QUEUED", b"-NOAUTH")) or b"'ping'" in reply
    )


def shown(raw: bytes) -> str:
    """A message as the files have it."""
    for pattern, text in _VARYING:
        raw = pattern.sub(text, raw)
    return raw.decode("latin-1").replace("\r\n", " ").replace("\n", "\\n").rstrip()
