"""Two servers that are told the same, step by step, and must answer, log, tell and keep the same.

A step is a command of one of three clients, who speak RESP2 and RESP3. Every so often the data is looked
at: digests, encodings, times to live, payloads of DUMP (which each side must also read from the other),
the append-only file, events of keys; at the end of a game, the statistics of commands and errors.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.harness.effects import Events, Log
from tests.harness.resp import Client, encode, parse, split_reply
from tests.harness.sameness import NOW, differs_in_order_only, is_scan, same_reply, same_text
from tests.harness.steady import KEYS, RANDOM_WRITES, said_by

__all__ = ["Difference", "Match", "Side", "Step", "shown"]

PROTOCOLS = (2, 3, 2)  # of the clients
ABOUT_KEYS = ([b"TYPE"], [b"OBJECT", b"ENCODING"], [b"PEXPIRETIME"], [b"DEBUG", b"DIGEST-VALUE"])
ABOUT_ALL = [[b"DBSIZE"], [b"DEBUG", b"DIGEST"]]
# Their order and their bytes are chance: a hash table's seed; or tell the time.
LOOSE = (b"hashtable", b"listpackex", b"stream")
# Ours has no encoding of its own for large hashes of HIMPORT.
KNOWN = [(b"$14\r\ntemplate-array\r\n", b"$9\r\nhashtable\r\n")]
NO_ORDER = (b"KEYS", b"SCAN", b"SUNION", b"SDIFF")
HASHED = (b"hashtable", b"skiplist")
FOOTER = 10  # bytes of a payload: the version of the format, for which ours has one of its own, and a sum
# What they log is left out, so what came before is compared first.
BY_CHANCE = (b"SPOP", b"XADD", b"EXEC", b"HIMPORT")
SCANS = (
    "scan",
    "sscan",
    "hscan",
    "zscan",
)  # asked for until they end, which may take more or fewer


@dataclass(slots=True, frozen=True)
class Step:
    """A command and which client says it."""

    client: int
    words: list[bytes]

    def __str__(self) -> str:
        return f"{self.client} {shown(self.words)}"


@dataclass(slots=True, frozen=True)
class Difference:
    """What differs after which command; `kind` is the same for differences of one cause, mostly."""

    what: str
    kind: str
    theirs: object
    ours: object

    def __str__(self) -> str:
        return f"{self.what}\n  theirs: {self.theirs!r}\n  ours:   {self.ours!r}"


def shown(words: list[bytes]) -> str:
    """The command as redis-cli reads it."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: bytes) -> str:
    if word and all(33 <= byte < 127 and byte not in b"\"'\\" for byte in word):
        return word.decode()
    return '"' + "".join(_escaped(byte) for byte in word) + '"'


def _escaped(byte: int) -> str:
    if byte in b'"\\':
        return "\\" + chr(byte)
    return chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}"


class Side:
    """One of the servers, and who talks to it."""

    def __init__(self, port: int, logs: bool) -> None:
        """`logs`: it has one append-only file, which is compared too."""
        self._port = port
        self.admin = Client(port)
        self.admin.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        self._listener = Client(port)
        self.events = Events(self._listener)
        self.log = Log(self.admin) if logs else None
        self.clients: list[Client] = []

    def begin(self, settings: dict[str, str]) -> None:
        """No data, new clients."""
        self.close_clients()
        self.admin.call("FLUSHALL")
        for name, value in settings.items():
            self.admin.call("CONFIG", "SET", name, value)
        self.clients = [Client(self._port, resp) for resp in PROTOCOLS]
        self.admin.call("CONFIG", "RESETSTAT")
        self.effects()

    def ask(self, *requests: list[bytes]) -> list[bytes]:
        """Replies to the admin."""
        self.admin.send(b"".join(encode(*words) for words in requests))
        return [self.admin.read() for _ in requests]

    def effects(self) -> tuple[list[str], list[str]]:
        """What was logged, and which events came, since the last time."""
        return (self.log.take() if self.log else []), self.events.take(self.admin)

    def close_clients(self) -> None:
        for client in self.clients:
            client.close()
        self.clients = []

    def close(self) -> None:
        self.close_clients()
        self.admin.close()
        self._listener.close()


class Match:
    """Compares `theirs`, a real Redis, with `ours`."""

    def __init__(self, theirs: Side, ours: Side, in_order: bool) -> None:
        """`in_order`: events of different keys come in the same order too."""
        self.theirs, self.ours = theirs, ours
        self._in_order = in_order
        self._queues: list[list[list[bytes]] | None] = []
        self.payloads: list[bytes] = []
        self._packed = False  # payloads are compressed, which each does in its own way

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.theirs, self.ours

    def play(
        self, settings: dict[str, str], steps: Iterable[Step], every: int = 20
    ) -> Difference | None:
        """One game from the beginning; the first difference. The data is looked at `every` so many steps."""
        for side in self.sides:
            side.begin(settings)
        self.payloads.clear()
        self._packed = settings["rdbcompression"] == "yes" or settings["list-compress-depth"] != "0"
        self._queues = [None for _ in PROTOCOLS]
        for n, step in enumerate(steps, 1):
            chance = said_by(step.words)[0].upper() in BY_CHANCE
            found = self._effects() if chance else None
            found = found or self._step(step) or (self._look() if n % every == 0 else None)
            if found:
                return found
        found = self._look() or self._payloads()
        # Workers count their parts of a command each.
        return found or (self._statistics() if self._in_order else None)

    def _step(self, step: Step) -> Difference | None:
        both = [side.clients[step.client] for side in self.sides]
        if is_scan(step.words) and self._queues[step.client] is None:
            theirs, ours = (scanned(client, step.words) for client in both)
        else:
            for client in both:
                client.send(encode(*step.words))
            theirs, ours = (client.read() for client in both)
        done = self._executed(step, theirs)
        found = self._compared(step.words, done, theirs, ours)
        if not found:
            self._settle(done, theirs)
        return found

    def _executed(self, step: Step, reply: bytes) -> list[list[bytes]]:
        """The commands that this step has executed: none that are queued, all of a transaction."""
        queue, name = self._queues[step.client], step.words[0].upper()
        if queue is None:
            self._queues[step.client] = [] if name == b"MULTI" and reply == b"+OK\r\n" else None
            return [step.words]
        if reply == b"+QUEUED\r\n":
            queue.append(step.words)
            return []
        if name in (b"EXEC", b"DISCARD", b"RESET") and not reply.startswith(b"-ERR wrong number"):
            self._queues[step.client] = None
            return queue if name == b"EXEC" and reply[:1] == b"*" else []
        return []

    def _compared(
        self, words: list[bytes], done: list[list[bytes]], theirs: bytes, ours: bytes
    ) -> Difference | None:
        many = done and done[0] is not words and theirs[:1] == ours[:1] == b"*"
        pairs = [(words, theirs, ours)]
        if many and len(split_reply(theirs)) == len(split_reply(ours)) == len(done):
            pairs = list(zip(done, split_reply(theirs), split_reply(ours), strict=True))
        for told, their, our in pairs:
            asked = said_by(told)
            if not same_reply(asked, their, our) or self._out_of_order(asked, their, our):
                name = asked[0].decode("latin-1").upper()
                kind = f"reply {name} {their[:5]!r} {our[:5]!r}"
                return Difference(f"the reply to {shown(asked)}", kind, their, our)
        return None

    def _out_of_order(self, words: list[bytes], theirs: bytes, ours: bytes) -> bool:
        """Whether only the order differs, and it is no chance: no value is a hash table."""
        if theirs == ours or theirs[:1] not in b"*~%" or words[0].upper() in NO_ORDER:
            return False
        if not differs_in_order_only(words, theirs, ours):
            return False
        asked = [
            [b"OBJECT", b"ENCODING", word] for word in words[1:] if word.decode("latin-1") in KEYS
        ]
        replies = [reply for side in self.sides for reply in side.ask(*asked)]
        return not any(word in reply for reply in replies for word in HASHED)

    def _settle(self, done: list[list[bytes]], reply: bytes) -> None:
        """Both sides have the same again where chance or the clock made what they have. Payloads are kept."""
        for words in map(said_by, done):
            name = words[0].upper().decode("latin-1")
            if name == "DUMP" and reply[:1] == b"$" and reply[:3] != b"$-1":
                self.payloads.append(parse(reply))
            if name == "HIMPORT":  # theirs logs the value, which no other server reads
                for side in self.sides:
                    side.effects()
            if len(words) < 2 or name not in (*RANDOM_WRITES, "XADD"):
                continue
            if name == "XADD" and not NOW.search(reply):
                continue
            payload, _ = (parse(side.ask([b"DUMP", words[1]])[0]) for side in self.sides)
            again = [b"DEL", words[1]]
            if name in RANDOM_WRITES and isinstance(payload, bytes):
                again = [b"RESTORE", words[1], b"0", payload, b"REPLACE"]
            for side in self.sides:
                side.ask(again)
                side.effects()

    def _look(self) -> Difference | None:
        return self._data() or self._effects()

    def _data(self) -> Difference | None:
        names = [key.encode() for key in KEYS]
        questions = [[*words, name] for words in ABOUT_KEYS for name in names] + ABOUT_ALL
        theirs, ours = (side.ask(*questions) for side in self.sides)
        for question, their, our in zip(questions, theirs, ours, strict=True):
            if not same_reply(question, their, our) and (their, our) not in KNOWN:
                about = question[:-1] if question[-1] in names else question
                values = "" if b"DEBUG" in about else f" {their[:12]!r} {our[:12]!r}"
                kind = f"then {shown(about)}{values}"
                return Difference(f"then {shown(question)}", kind, their, our)
        return None

    def _payloads(self) -> Difference | None:
        """DUMP: the same bytes, and each reads the other's."""
        names = [key.encode() for key in KEYS]
        asked = [[b"DUMP", name] for name in names]
        theirs, ours = (side.ask(*asked) for side in self.sides)
        about = [[b"OBJECT", b"ENCODING", name] for name in names]
        encodings, _ = (side.ask(*about) for side in self.sides)
        for name, encoding, their, our in zip(names, encodings, theirs, ours, strict=True):
            if their[:3] == b"$-1" or our[:3] == b"$-1" or b"template" in encoding:
                continue
            loose = self._packed or any(word in encoding for word in LOOSE)
            if not loose and parse(their)[:-FOOTER] != parse(our)[:-FOOTER]:
                return Difference(f"then DUMP {name.decode()}", f"dump {encoding!r}", their, our)
            found = self._exchanged(name, parse(their), parse(our))
            if found:
                return found
        return None

    def _exchanged(self, name: bytes, theirs: bytes, ours: bytes) -> Difference | None:
        head = [b"RESTORE", b"exchanged", b"0"]
        questions = [[b"DEBUG", b"DIGEST-VALUE", b"exchanged"]]
        their_answers = self.theirs.ask([*head, ours], *questions, [b"DEL", b"exchanged"])
        our_answers = self.ours.ask([*head, theirs], *questions, [b"DEL", b"exchanged"])
        if their_answers == our_answers:
            return None
        what = f"then {name.decode()} restored from the other's payload"
        return Difference(what, "exchange", their_answers, our_answers)

    def _effects(self) -> Difference | None:
        (their_log, their_events), (our_log, our_events) = (side.effects() for side in self.sides)
        # Redis does not log a BITFIELD that made a key but changed no bit.
        their_log, our_log = (
            [line for line in log if " FAIL " not in line.upper()] for log in (their_log, our_log)
        )
        if self.ours.log and not same_lines(their_log, our_log):
            return _line_difference("log", their_log, our_log)
        moved = any(line.startswith("event srem ") for line in their_events)
        their_events, our_events = map(misses_last, (their_events, our_events))
        if moved or not self._in_order:  # SMOVE: ours is in the target before it leaves the source
            their_events, our_events = sorted(their_events), sorted(our_events)
        if not same_lines(their_events, our_events):
            return _line_difference("events", their_events, our_events)
        return None

    def _statistics(self) -> Difference | None:
        for section in ("commandstats", "errorstats"):
            asked = [b"INFO", section.encode()]
            theirs, ours = (dict(figures(parse(side.ask(asked)[0]))) for side in self.sides)
            for name in sorted(theirs.keys() | ours.keys()):
                if theirs.get(name) != ours.get(name):
                    kind = f"statistics {name}"
                    return Difference(f"{section} {name}", kind, theirs.get(name), ours.get(name))
        return None


def misses_last(events: list[str]) -> list[str]:
    """SORT looks for keys in the order of a hash table."""
    misses = [line for line in events if line.startswith("event keymiss ")]
    return [line for line in events if line not in misses] + sorted(misses)


def same_lines(theirs: list[str], ours: list[str]) -> bool:
    return len(theirs) == len(ours) and all(
        same_text(a.encode(), b.encode()) for a, b in zip(theirs, ours, strict=True)
    )


def _line_difference(what: str, theirs: list[str], ours: list[str]) -> Difference:
    """The first lines that differ, with what follows."""
    at = 0
    while at < min(len(theirs), len(ours)) and same_lines([theirs[at]], [ours[at]]):
        at += 1
    words = (theirs[at : at + 1] or ours[at : at + 1])[0].split(" ")[:3]
    kind = " ".join(word.rstrip("0123456789") for word in words[: 3 if words[0] == "event" else 1])
    return Difference(what, f"{what} {kind}", theirs[at : at + 5], ours[at : at + 5])


def scanned(client: Client, words: list[bytes]) -> bytes:
    """All pages of a scan as one reply; the error if there is one."""
    at = 1 if words[0].upper() == b"SCAN" else 2
    parts, words = [], list(words)
    while True:
        reply = client.call(*words)
        if reply[:1] == b"-" or len(pages := split_reply(reply)) != 2:
            return reply
        words[at] = parse(pages[0])
        parts += split_reply(pages[1])
        if words[at] == b"0":
            return b"*2\r\n" + pages[0] + b"*%d\r\n" % len(parts) + b"".join(parts)


def figures(info: bytes) -> Iterator[tuple[str, str]]:
    """What is counted of each command and each error, without times."""
    for line in info.decode().splitlines():
        name, _, text = line.partition(":")
        if text and name.removeprefix("cmdstat_") not in SCANS:
            counted = [part for part in text.split(",") if not part.startswith(("usec", "slowlog"))]
            yield name, ",".join(counted)
