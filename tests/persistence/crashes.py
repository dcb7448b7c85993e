"""Rounds of writing, killing and comparing: what was acknowledged must be there.

Writers count upwards, each on keys of its own, and remember for each key the last value that was
acknowledged and those tried since. After a kill every key must have one of them. Without an append only
file, a worker that died inside a command or while a snapshot was written may have lost what came after the
snapshot; the log says so, and then a key may have an older value of its own, but no other.
"""

import os
import random
import re
import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.resp import Client
from tests.harness.server import wait_until
from tests.persistence.place import SAVES, Place

__all__ = ["VICTIMS", "Crashes"]

KEYS = 40
VICTIMS = ("worker", "snapshotter", "front", "all")
MAY_LOSE = re.compile(
    r"DB loaded from disk|as of the start of the last snapshot|Starting without data|it is empty"
)


@dataclass
class Key:
    """What is known of one key: values are numbers that only grow."""

    acknowledged: int = 0
    tried: list[int] = field(default_factory=list)

    def allows(self, value: int, *, may_lose: bool) -> bool:
        return value in (self.acknowledged, *self.tried) or (may_lose and value < self.acknowledged)

    def settle(self, value: int) -> None:
        self.acknowledged, self.tried = value, []


class Writer:
    """One client that writes until told to stop, through all that happens to its server."""

    def __init__(self, place: Place, number: int) -> None:
        self._place = place
        self._number = number
        self._value = 0
        self.keys = {f"w{number}:{i}": Key() for i in range(KEYS)}
        self.writes = 0

    def run(self, stop: threading.Event) -> None:
        client: Client | None = None
        while not stop.is_set():
            try:
                client = client or self._place.client(timeout=5)
                self._write(client)
            except (OSError, ConnectionError, ValueError):
                if client:
                    client.close()
                client = None
                stop.wait(0.005)
        if client:
            client.close()

    def _write(self, client: Client) -> None:
        """SET, or MSET of keys of several workers."""
        self._value += 1
        count = 3 if self._value % 7 == 0 else 1
        names = [f"w{self._number}:{(self._value * 11 + i) % KEYS}" for i in range(count)]
        for name in names:
            self.keys[name].tried.append(self._value)
        words = [word for name in names for word in (name, self._value)]
        if client.call("SET" if count == 1 else "MSET", *words) == b"+OK\r\n":
            self.writes += 1
            for name in names:
                self.keys[name].settle(self._value)


class Crashes:
    """A server under load that is killed in many ways."""

    def __init__(self, place: Place, options: tuple[str, ...], workers: int, seed: int) -> None:
        self._place = place
        self._options = options
        self._workers = workers
        self._random = random.Random(seed)
        self._strict = "--appendonly" in options
        self._writers = [Writer(place, number) for number in range(3)]
        self.losses = 0  # rounds in which something was lost that may be lost

    @property
    def writes(self) -> int:
        return sum(writer.writes for writer in self._writers)

    def round(self, victim: str) -> None:
        """Writes for a while, kills, waits for the end of it, compares. Raises: AssertionError."""
        stop = threading.Event()
        threads = [threading.Thread(target=w.run, args=(stop,)) for w in self._writers]
        said = len(self._place.log())
        before = self.writes
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: self.writes > before + 20)
            if victim == "snapshotter" or self._random.random() < 0.4:
                self._begin_snapshot()
            stop.wait(self._random.uniform(0, 0.05))
            said = self._kill(victim, said)
            wait_until(self._place.answers, 30)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        wait_until(self._settled, 30)
        self._compare(victim, self._place.log()[said:])

    def _begin_snapshot(self) -> None:
        with self._place.client() as client:
            client.call("BGSAVE")

    def _kill(self, victim: str, said: int) -> int:
        """From where on the log tells of what came after."""
        if victim in ("worker", "snapshotter"):
            pids = self._place.children()
            if victim == "snapshotter":
                pids = [child for pid in pids for child in children_of(pid)] or pids
            kill(self._random.choice(pids))
            return said
        if victim == "all":
            self._place.end(signal.SIGKILL)
        else:
            pids = self._place.children()
            self._place.process.kill()
            self._place.process.wait(10)
            wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
        self._place.again(*SAVES, *self._options, workers=self._workers)
        return 0

    def _settled(self) -> bool:
        """All workers are there, and answer for all keys."""
        if len(self._place.children()) < self._workers:
            return False
        try:
            with self._place.client(timeout=5) as client:
                return all(client.call("GET", f"w0:{i}")[:1] == b"$" for i in range(KEYS))
        except (OSError, ConnectionError):
            return False

    def _compare(self, victim: str, log: str) -> None:
        may_lose = not self._strict and bool(MAY_LOSE.search(log))
        older = False
        with self._place.client() as client:
            for writer in self._writers:
                for name, key in writer.keys.items():
                    value = int(client.value("GET", name) or 0)
                    assert key.allows(value, may_lose=may_lose), (victim, name, key, value, log)
                    older = older or value < key.acknowledged
                    key.settle(value)
        self.losses += older


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    wait_until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    """Whether it exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
