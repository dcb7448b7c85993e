"""A writer process that changes its keys in all ways, while processes of other workers read them.

Each process runs one engine of a fleet that was made before the fork, thousands of commands in one
call of C, so that reads and changes meet all the time. Values tell on themselves:

    strings    the number of the write, over and over again: "17|17|17|"
    others     all fields, members and scores are the number of the write, or made of it
"""

import json
import os
import random
import re
import select
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from shmredis._core import ffi, lib
from tests.harness.resp import encode, parse_all
from tests.workers.fleet import Client, Fleet

__all__ = ["Outcome", "race"]

WRITER = 0
FLUSHED_DB = 3
BATCH = 200
PATIENCE_S = 30
STARES = 20  # reads of one key again and again
HAMMERED, HAMMER = 2, 300  # keys, and times in a row
LENGTHS = [1, 2, 3, 5, 20, 100, 1000, 5000]  # repetitions: in the entry, inline, blocks, spans


@dataclass(slots=True)
class Names:
    """Keys of the writer, by what it does to them."""

    kept: list[str]  # strings, written with rising numbers and never deleted
    fleeting: list[str]  # the same, but deleted and expiring
    moving: list[str]  # strings that change names
    hashes: list[str]
    lists: list[str]
    zsets: list[str]
    flushed: list[str]  # strings of another database
    shipped: list[str]  # written by the readers, one each
    filler: list[str]  # makes the table grow and shrink

    @classmethod
    def of(cls, fleet: Fleet) -> "Names":
        tag = fleet.keys(WRITER, 1)[0]
        groups = ["kept", "fleeting", "moving", "hashes", "lists", "zsets", "flushed"]
        few = {group: [f"{{{tag}}}{group}{i}" for i in range(8)] for group in groups}
        shipped = [f"{{{tag}}}shipped{i}" for i in range(fleet.n)]
        filler = [f"{{{tag}}}filler{i}" for i in range(20_000)]
        return cls(**few, shipped=shipped, filler=filler)


@dataclass(slots=True, frozen=True)
class Outcome:
    """What the readers have done in all."""

    reads: int
    peeks: int
    again: int
    hopped: int
    values: int  # that were there and were checked


# --- the writer ---


class Writer:
    """Feeds batches of changes to the owner until the time is over."""

    def __init__(self, fleet: Fleet, names: Names, seed: int) -> None:
        self.fleet, self.names = fleet, names
        self.client = Client(fleet, WRITER)
        self.rng = random.Random(seed)
        self.number = 0
        self.filled = 0
        self.live = True  # not frozen

    def text(self) -> bytes:
        self.number += 1
        return b"%d|" % self.number * self.rng.choice(LENGTHS)

    def begin(self) -> None:
        """All keys that are never deleted are there."""
        self.client.feed(b"".join(encode("SET", key, self.text()) for key in self.names.kept))
        self.client.take()

    def change(self) -> bytes:
        """One or some commands."""
        rng, names = self.rng, self.names
        kind = rng.choice(["kept"] * 4 + ["fleeting"] * 3 + ["moving", "hash", "list", "zset"])
        if kind == "kept":
            return self.rewrite(rng.choice(names.kept))
        if kind == "fleeting":
            return self.come_and_go(rng.choice(names.fleeting))
        if kind == "moving":
            return self.move(*rng.sample(names.moving, 2))
        self.number += 1
        n, count = self.number, rng.choice([1, 3, 30, 110])
        if kind == "hash":
            words: list[Any] = [word for i in range(count) for word in (f"f{i}", n)]
            key = rng.choice(names.hashes)
            return encode("DEL", key) + encode("HSET", key, *words)
        if kind == "list":
            key = rng.choice(names.lists)
            return encode("DEL", key) + encode("RPUSH", key, *[b"%d" % n * 5] * count)
        key = rng.choice(names.zsets)
        words = [word for i in range(count) for word in (n, f"{n}-{i}")]
        return encode("DEL", key) + encode("ZADD", key, *words)

    def rewrite(self, key: str) -> bytes:
        match self.rng.randrange(4):
            case 0:
                return encode("SET", key, self.text(), "EX", 1000)
            case 1:
                return encode("GETSET", key, self.text())
            case 2:
                return encode("PERSIST", key)
        return encode("SET", key, self.text())

    def hammer(self) -> bytes:
        """One string many times over, of one length, or of lengths that need other blocks."""
        key = self.rng.choice(self.names.kept[:HAMMERED])
        lengths = self.rng.choice([[3], [1000], [5000], [2, 100], [1, 20, 1000]])
        start, self.number = self.number + 1, self.number + HAMMER
        return b"".join(
            encode("SET", key, b"%d|" % n * lengths[n % len(lengths)])
            for n in range(start, self.number + 1)
        )

    def come_and_go(self, key: str) -> bytes:
        match self.rng.randrange(5):
            case 0:
                return encode("DEL", key)
            case 1:
                return encode("SET", key, self.text(), "PX", self.rng.choice([1, 3, 20]))
            case 2:
                return encode("PEXPIRE", key, self.rng.choice([1, 50_000]))
            case 3:
                return encode("GETDEL", key)
        return encode("SET", key, self.text())

    def move(self, a: str, b: str) -> bytes:
        match self.rng.randrange(3):
            case 0:
                return encode("RENAME", a, b)
            case 1:
                return encode("COPY", a, b, "REPLACE")
        return encode("SET", a, self.text())

    def wave(self) -> bytes:
        """Filler comes or goes: the table is split, merged, and its blocks are moved."""
        filler = self.names.filler
        if self.filled < len(filler):
            batch = filler[self.filled : self.filled + 2000]
            self.filled += len(batch)
            return b"".join(encode("SET", key, "x" * 100) for key in batch)
        self.filled = 0
        return b"".join(encode("DEL", *filler[i : i + 500]) for i in range(0, len(filler), 500))

    def elsewhere(self) -> None:
        """Another database is filled, emptied, exchanged; at this worker alone."""
        self.execute("SET", self.rng.choice(self.names.flushed), self.text())
        if self.rng.randrange(20) == 0:
            self.execute("FLUSHDB", self.rng.choice(["SYNC", "ASYNC"]))
        if self.rng.randrange(20) == 0:
            self.execute("SWAPDB", FLUSHED_DB, FLUSHED_DB + 1)

    def freeze_and_thaw(self, turn: int) -> None:
        """As for a snapshot: what is written in between is not in the object."""
        arena = lib.wb_engine_arena(self.fleet.engines[WRITER])
        if turn % 40 == 3 and self.live:
            lib.freeze_begin(arena)
            self.live = False
        elif turn % 40 >= 5 and not self.live:
            self.live = lib.freeze_thaw(arena, 1000)

    def execute(self, *words: Any) -> None:
        args = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        argv = ffi.new("char *[]", [ffi.from_buffer(arg) for arg in args])
        engine, n = self.fleet.engines[WRITER], ffi.new("size_t *")
        lib.engine_execute(engine, FLUSHED_DB, 2, len(args), argv, [len(a) for a in args], n)

    def run(self, until: float, readers: int) -> dict[str, int]:
        """`readers` is a pipe that they hold open as long as they may want something."""
        engine, turns = self.fleet.engines[WRITER], 0
        while time.monotonic() < until:
            self.client.feed(b"".join(self.change() for _ in range(BATCH)))
            self.freeze_and_thaw(turns)
            self.client.feed(self.hammer())
            self.elsewhere()
            if turns % 5 == 0:
                self.client.feed(self.wave())
            if turns % 16 == 0:
                lib.engine_purge(engine)
            lib.engine_cron(engine, 1000)
            self.client.take()
            serve(self.fleet, WRITER)
            turns += 1
        while not lib.freeze_thaw(lib.wb_engine_arena(engine), 1000):
            pass
        while not select.select([readers], [], [], 0.001)[0]:
            serve(self.fleet, WRITER)
        lib.engine_check(engine)
        return {"turns": turns}


def serve(fleet: Fleet, worker: int) -> None:
    """One turn of a worker's event loop."""
    fleet.due.add(worker)
    fleet.drain(worker)


# --- readers ---


class Reader:
    """Reads all of the writer's keys from another worker, and checks each reply."""

    def __init__(self, fleet: Fleet, names: Names, worker: int, seed: int) -> None:
        self.fleet, self.names, self.worker = fleet, names, worker
        self.client = Client(fleet, worker)
        self.other = Client(fleet, worker)
        lib.session_set_db(self.other.session, FLUSHED_DB)
        self.rng = random.Random(seed * 1000 + worker)
        self.last: dict[str, int] = {}  # the newest number seen of keys whose numbers rise
        self.own = names.shipped[worker]
        self.values = 0

    def requests(self) -> list[tuple[Any, ...]]:
        rng, names = self.rng, self.names
        choices: list[tuple[list[str], list[tuple[Any, ...]]]] = [
            (names.kept, [("GET",), ("GET",), ("EXISTS",), ("STRLEN",)]),
            (names.fleeting, [("GET",), ("TTL",)]),
            (names.moving, [("GET",)]),
            (names.hashes, [("HGETALL",), ("HVALS",)]),
            (names.lists, [("LRANGE", 0, -1)]),
            (names.zsets, [("ZSCORE", "none"), ("TYPE",)]),
        ]
        asked = []
        for _ in range(BATCH):
            keys, commands = rng.choice(choices)
            name, *args = rng.choice(commands)
            asked.append((name, rng.choice(keys), *args))
        return asked

    def ask(self, client: Client, asked: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Replies to a pipeline."""
        client.feed(b"".join(encode(*words) for words in asked))
        self.wait(lambda: len(parse_all(client.received)) == len(asked))
        return parse_all(client.take())

    def wait(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < until, "the writer does not answer"
            select.select([self.fleet.wake[self.worker]], [], [], 0.001)
            serve(self.fleet, self.worker)

    def stare(self, key: str) -> int:
        """One key again and again; a value that comes several times in a row is checked once."""
        self.client.feed(encode("GET", key) * BATCH)
        self.wait(lambda: self.client.received.count(b"\r\n") == 2 * BATCH)
        for value in dict.fromkeys(self.client.take().split(b"\r\n")[1::2]):
            self.check(("GET", key), value)
        return BATCH

    def run(self, until: float) -> dict[str, int]:
        reads = number = 0
        while time.monotonic() < until:
            asked = self.requests()
            for words, value in zip(asked, self.ask(self.client, asked), strict=True):
                self.check(words, value)
            flushed = [("GET", key) for key in self.names.flushed]
            for words, value in zip(flushed, self.ask(self.other, flushed), strict=True):
                self.check(words, value)
            for _ in range(STARES):
                reads += self.stare(self.rng.choice(self.names.kept[:HAMMERED]))
            number += 1
            assert self.ask(self.client, [("SET", self.own, number)]) == ["OK"]
            assert self.ask(self.client, [("GET", self.own)]) == [b"%d" % number]
            reads += len(asked) + len(flushed) + 1
        out = ffi.new("struct link_stats *")
        lib.engine_link_stats(self.fleet.engines[self.worker], out)
        return {
            "reads": reads,
            "peeks": out.peeks,
            "again": out.peeks_again,
            "hopped": out.peeks_hopped,
            "values": self.values,
        }

    def check(self, words: tuple[Any, ...], value: Any) -> None:
        name, key, *_ = words
        assert not isinstance(value, ValueError), (words, value)
        if name == "EXISTS":
            assert value == 1, words
        if key in self.names.kept:
            assert value is not None, words
        if name == "GET" and value is not None:
            self.check_text(key, value)
        if name in ("HGETALL", "HVALS", "LRANGE") and value:
            items = value[1::2] if name == "HGETALL" else value
            assert len(set(items)) == 1, (words, value)
            assert name != "LRANGE" or re.fullmatch(rb"(\d+)\1{4}", items[0]), (words, value)
        self.values += bool(value)

    def check_text(self, key: str, value: bytes) -> None:
        number = int(value[: value.index(b"|")])
        n, rest = divmod(len(value), len(b"%d|" % number))
        assert rest == 0 and value == b"%d|" % number * n and n in LENGTHS, (key, value[:80])
        if key in self.names.moving or key in self.names.flushed:
            return
        assert number >= self.last.get(key, 0), (key, number, self.last[key])
        self.last[key] = number


# --- processes ---


def _in_child(work: Callable[[], dict[str, int]], answer: int) -> None:
    """Runs in a forked process, which ends here."""
    failed = 1
    try:
        os.write(answer, json.dumps(work()).encode())
        failed = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(failed)


def _fork(work: Callable[[], dict[str, int]]) -> tuple[int, int]:
    """Pid and the pipe with the result."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _in_child(work, write)
    os.close(write)
    return pid, read


def _results(children: list[tuple[int, int]]) -> Iterator[dict[str, int]]:
    """Takes those that have ended out of the list."""
    while children:
        pid, pipe = children[0]
        with open(pipe, "rb") as file:  # noqa: PTH123
            text = file.read()
        _, status = os.waitpid(pid, 0)
        del children[0]
        assert status == 0, f"status {status}; see above"
        yield json.loads(text)


def race(seconds: float, readers: int = 1, seed: int = 1) -> Outcome:
    """Runs a writer and so many readers for that long. Raises: AssertionError."""
    fleet = Fleet(1 + readers)  # each process runs one of its engines; here none runs any more
    children: list[tuple[int, int]] = []
    try:
        names = Names.of(fleet)
        writer = Writer(fleet, names, seed)
        writer.begin()
        until = time.monotonic() + seconds
        gone, held = os.pipe()
        for worker in range(1, 1 + readers):
            reader = Reader(fleet, names, worker, seed)
            children.append(_fork(partial(reader.run, until)))
        os.close(held)
        children.append(_fork(partial(writer.run, until, gone)))
        os.close(gone)
        total: Counter[str] = Counter()
        for result in _results(children):
            total.update(result)
        del total["turns"]
        return Outcome(**total)
    finally:
        for pid, _ in children:  # those that are left when one has failed
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        fleet.close()
