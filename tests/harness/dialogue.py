"""Dialogues: several clients by turns, and all that each of them is sent; recorded from Redis 8.10.2.

A file (tests/dialogues/*.txt) has a step a line: who, and the command, quoted as in redis-cli; indented
below it what the clients got then, one message a line, `\\r\\n` shown as a space. A client's name ends with
the RESP version that it speaks; it connects at its first step. An empty line ends a dialogue, all clients
leave, and the data are emptied. `tools/record_dialogues` asks a real server and writes the indented lines.

    $a3 in a command    the id of client a3; in messages ids are shown as <a3>
    a3: !close          the connection is closed by the client
    a3: !blocked        waits until some client is blocked
    ~ before the name   messages may come in any order
    #                   a comment

Times and addresses are shown as <time> and <address>.
"""

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from shmredis.config.parser import split_words
from tests.harness.resp import Client

__all__ = ["DIALOGUES", "Dialogue", "Step", "read_lines"]

DIALOGUES = Path(__file__).parent.parent / "dialogues"
STEP = re.compile(r"(~?)(\w+[23]): (.*)")
HAS_ID = re.compile(r"redirect|tracking-redir-broken")
MONITOR_HEAD = re.compile(r"\+\d+\.\d{6} \[(\d+) ([\d.]+:\d+|lua)\]")
QUIET_S = 0.12  # while recording: nothing more comes after so long
REPLY_S = 0.7  # or not even a reply


@dataclass(slots=True)
class Step:
    """One command of one client, and the messages that follow: "name: text"."""

    line: str
    unordered: bool
    who: str
    command: str
    messages: list[str] = field(default_factory=list)


def read_lines(lines: Iterable[str]) -> list[Step | str]:
    """Steps, and the lines between them as they are."""
    found: list[Step | str] = []
    for line in lines:
        if line.startswith("    "):
            step = found[-1]
            assert isinstance(step, Step)
            step.messages.append(line.strip())
        elif match := STEP.fullmatch(line):
            found.append(Step(line, bool(match[1]), match[2], match[3]))
        else:
            found.append(line)
    return found


class Dialogue:
    """The clients of one dialogue with one server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._clients: dict[str, Client] = {}
        self._ids: dict[str, int] = {}

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def act(self, step: Step) -> None:
        """Sends the step's command."""
        if step.command == "!close":
            self._leave(step.who)
            return
        if step.command == "!blocked":
            self._await_blocked()
            return
        words = [self._word(word) for word in split_words(step.command)]
        client = self._client(step.who)
        client.send(
            b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)
        )

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
        if re.fullmatch(r"\$\w+[23]", word):
            self._client(word[1:])
            return b"%d" % self._ids[word[1:]]
        return word.encode("latin-1")

    def _client(self, name: str) -> Client:
        if name not in self._clients:
            client = self._clients[name] = Client(self._port, resp=int(name[-1]))
            self._ids[name] = client.value("CLIENT", "ID")
        return self._clients[name]

    # --- what came ---

    def hear(self, step: Step) -> list[str]:
        """The messages that the step is expected to bring, and what else has come."""
        expected = [text.split(":", 1)[0] for text in step.messages]
        return [self._message(name) for name in expected]

    def _message(self, name: str) -> str:
        try:
            return f"{name}: {self._shown(self._clients[name].read())}"
        except TimeoutError:
            return f"{name}: nothing"
        except ConnectionError:
            return f"{name}: <end>"

    def silence(self) -> list[str]:
        """What came that was not expected: everything before the answer to a PING."""
        return [text for name in self._clients for text in self._before_pong(name)]

    def _before_pong(self, name: str) -> Iterable[str]:
        client = self._clients[name]
        try:
            client.send(b"*1\r\n$4\r\nPING\r\n")
            while b"PONG" not in (reply := client.read().upper()):
                if b'"PING"' not in reply:  # a monitor sees them
                    yield f"{name}: {self._shown(reply)}"
        except ConnectionError:
            return

    def record(self, who: str) -> list[str]:
        """All that comes until there is silence; `who` is most likely to be answered."""
        heard = []
        for name, client in sorted(self._clients.items(), key=lambda item: item[0] != who):
            client.sock.settimeout(REPLY_S if name == who else QUIET_S)
            data, ended = _drain(client.sock)
            client.sock.settimeout(20)
            heard += [f"{name}: {self._named(self._shown(message))}" for message in _split(data)]
            if ended:
                heard.append(f"{name}: <end>")
        return heard

    def _named(self, text: str) -> str:
        """With names in the place of the ids of clients, in messages that have such."""
        if not HAS_ID.search(text):
            return text
        for name, number in self._ids.items():
            text = re.sub(rf"(?<= ):{number}(?= |$)", f":<{name}>", text)
        return text

    def expected(self, step: Step) -> list[str]:
        """What the step brings in this dialogue."""
        names = re.compile(r"<(\w+[23])>")
        return [names.sub(lambda match: str(self._ids[match[1]]), text) for text in step.messages]

    def _shown(self, raw: bytes) -> str:
        text = raw.decode("latin-1").replace("\r\n", " ").replace("\n", "\\n").rstrip()
        return MONITOR_HEAD.sub(_masked_head, text)


def _masked_head(head: re.Match[str]) -> str:
    who = "lua" if head[2] == "lua" else "<address>"
    return f"+<time> [{head[1]} {who}]"


def _drain(sock: socket.socket) -> tuple[bytes, bool]:
    """What comes until silence, and whether the server closed."""
    data = b""
    while True:
        try:
            more = sock.recv(1 << 16)
        except TimeoutError:
            return data, False
        if not more:
            return data, True
        data += more
        sock.settimeout(QUIET_S)


def _split(data: bytes) -> list[bytes]:
    messages = []
    while data:
        n = _length(data)
        messages.append(data[:n])
        data = data[n:]
    return messages


def _length(data: bytes) -> int:
    """Of the first message."""
    end = data.index(b"\r\n") + 2
    kind, rest = data[:1], data[1 : end - 2]
    if kind in b"$=!" and rest != b"-1":
        return end + int(rest) + 2
    if kind in b"*~>%" and rest != b"-1":
        for _ in range(int(rest) * (2 if kind == b"%" else 1)):
            end += _length(data[end:])
    return end
