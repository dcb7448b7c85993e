"""Conversations: what several clients said to a real Redis, in this order, and what it answered.

A file (tests/commands/conversations/*.txt) has a line for each thing that a client does; clients are
named by a letter and connect when they first speak. `== name` begins a conversation with new clients and
without users. `tools/record_conversations` asks a real server, in RESP2 and RESP3.

    a GET k     sends a command and reads the reply; "<closed>" if the connection is
    a! GET k    sends a command
    a?          reads a reply
    ~a GET k    the reply's elements may come in any order
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from shmredis.config.parser import split_words
from tests.harness.resp import Client, encode, parse

__all__ = [
    "Conversation",
    "Said",
    "equal",
    "hold",
    "load_answers",
    "load_conversations",
    "save_answers",
]

PLACE = Path(__file__).parent.parent / "commands" / "conversations"
CLOSED = b"<closed>"
# What cannot be the same: who the client is, when it was.
_VARYING = [
    (re.compile(rb"client-info\r\n\$\d+\r\n[^\r]*"), b"client-info"),
    (re.compile(rb"age-seconds\r\n(\$\d+\r\n|,)[0-9.]+"), b"age-seconds"),
    (re.compile(rb"(entry-id|timestamp-created|timestamp-last-updated)\r\n:\d+"), rb"\1"),
    (re.compile(rb"\$2\r\nid\r\n:\d+"), b"id"),
    (re.compile(rb"modules\r\n\*\d+\r\n.*", re.DOTALL), b"modules"),
]


@dataclass(slots=True, frozen=True)
class Said:
    """One line; `how` is one of "", "!", "?"."""

    line: str
    client: str
    how: str
    words: list[bytes]
    unordered: bool = False


@dataclass(slots=True, frozen=True)
class Conversation:
    name: str
    lines: list[Said]


def load_conversations(group: str) -> list[Conversation]:
    """All of one file."""
    found: list[Conversation] = []
    for raw in (PLACE / f"{group}.txt").read_text().splitlines():
        line = raw.strip()
        if line.startswith("=="):
            found.append(Conversation(line[2:].strip(), []))
        elif line and not line.startswith("#"):
            found[-1].lines.append(_said(line))
    return found


def _said(line: str) -> Said:
    who, _, text = line.removeprefix("~").partition(" ")
    words = [word.encode("latin-1") for word in split_words(text)]
    return Said(line, who[0], who[1:], words, line.startswith("~"))


def hold(port: int, conversation: Conversation, resp: int) -> list[bytes]:
    """The answers, without what varies; there is one for each line that reads."""
    with ExitStack() as stack:
        admin = stack.enter_context(Client(port))
        _forget_users(admin)
        clients: dict[str, Client] = {}
        for said in conversation.lines:
            if said.client not in clients:
                clients[said.client] = stack.enter_context(Client(port, resp))
        answers = list(_answers(conversation, clients))
        _forget_users(admin)
    return answers


def _answers(conversation: Conversation, clients: dict[str, Client]) -> Iterator[bytes]:
    for said in conversation.lines:
        client = clients[said.client]
        try:
            if said.how != "?":
                client.send(encode(*said.words))
            if said.how != "!":
                yield _steady(client.read())
        except ConnectionError:
            yield CLOSED


def _steady(answer: bytes) -> bytes:
    for pattern, text in _VARYING:
        answer = pattern.sub(text, answer)
    return answer


def _forget_users(admin: Client) -> None:
    names = [name for name in admin.value("ACL", "USERS") if name != b"default"]
    if names:
        admin.call("ACL", "DELUSER", *names)
    admin.call("ACL", "SETUSER", "default", "reset", "on", "nopass", "+@all", "~*", "&*")
    admin.call("CONFIG", "SET", "acl-pubsub-default", "resetchannels", "acllog-max-len", "128")
    admin.call("ACL", "LOG", "RESET")
    admin.call("FLUSHALL")


def save_answers(group: str, resp: int, answers: dict[str, list[bytes]]) -> None:
    texts = {name: [answer.decode("latin-1") for answer in all_] for name, all_ in answers.items()}
    (PLACE / f"{group}.{resp}.json").write_text(json.dumps(texts, indent=1) + "\n")


def load_answers(group: str, resp: int) -> dict[str, list[bytes]]:
    data = json.loads((PLACE / f"{group}.{resp}.json").read_text())
    return {name: [answer.encode("latin-1") for answer in all_] for name, all_ in data.items()}


def equal(said: Said, ours: bytes, theirs: bytes) -> bool:
    if said.unordered and theirs[:1] != b"-":
        return sorted(parse(ours)) == sorted(parse(theirs))
    return ours == theirs
