"""Rounds of writing, killing and comparing: what was acknowledged must be there.

Writers count upwards, each on keys of its own, and remember for each key the last value that was
acknowledged and those tried since. After a kill every key must have one of them. What may be lost besides,
if the log says that files were loaded, depends on the settings; then a key may have an older value of its
own, but no other:

    appendfsync always    nothing
    everysec, no          with everysec, what a write that waits for a slow sync had in the buffer
    no append-only file   what came after the last snapshot

When all processes die at once, and no shared memory is left, or two workers in the same instant, the last
MSET or transaction of a writer is there as a whole or not at all, if there is an append-only file.
"""

import math
import random
import re
import threading
import time
from dataclasses import dataclass, field

from tests.harness.resp import Client, encode
from tests.harness.server import wait_until
from tests.persistence.deaths import DEATHS, JOINT, Scene
from tests.persistence.place import Place
from tests.workers.places import worker_lines

__all__ = ["Crashes", "is_logged"]

KEYS = 40
PATIENCE_S = 30  # of clients: who gives up may see its command happen later
POSTPONED_S = 3.0  # a write waits up to 2 s for a sync that is slow
SNAPSHOT_LOADED = re.compile(
    r"DB loaded from disk|what was written later is lost|Starting without data|it is empty"
)
ENDED = re.compile(r"Worker (\d+) \(pid \d+\) was ended by signal")
LOG_LOADED = re.compile(r"DB loaded from append only file|what was logged since")


@dataclass
class Key:
    """What is known of one key: values are numbers that only grow."""

    acknowledged: int = 0
    tried: list[int] = field(default_factory=list)
    past: list[tuple[float, int]] = field(default_factory=list)  # when values were acknowledged

    def allows(self, value: int, *, safe_s: float) -> bool:
        """`safe_s`: what was acknowledged until then is there."""
        least = max((v for at_s, v in self.past if at_s <= safe_s), default=0)
        return value in (self.acknowledged, *self.tried) or least <= value < self.acknowledged

    def settle(self, value: int) -> None:
        self.acknowledged, self.tried = value, []
        self.past = [*self.past[-99:], (time.monotonic(), value)]

    def begin(self, value: int) -> None:
        """A round is over: this is there, whatever was before. A later one whose client had to leave may
        still wait for the workers that have died."""
        later = [each for each in self.tried if each > value]
        self.past = []
        self.settle(value)
        self.tried = later


class Writer:
    """One client that writes until told to stop, through all that happens to its server."""

    def __init__(self, place: Place, number: int) -> None:
        self._place = place
        self._number = number
        self._value = 0
        self.keys = {f"w{number}:{i}": Key() for i in range(KEYS)}
        self.writes = 0
        self.last: list[str] = []  # the keys of the last command

    def run(self, stop: threading.Event) -> None:
        client: Client | None = None
        while not stop.is_set():
            try:
                client = client or self._place.client(timeout=PATIENCE_S)
                self._write(client)
            except (OSError, ConnectionError, ValueError):
                if client:
                    client.close()
                client = None
                stop.wait(0.005)
        if client:
            client.close()

    def _write(self, client: Client) -> None:
        """SET, or MSET or a transaction of keys of several workers."""
        self._value += 1
        count = 3 if self._value % 7 in (0, 3) else 1
        names = [f"w{self._number}:{(self._value * 11 + i) % KEYS}" for i in range(count)]
        self.last = names
        for name in names:
            self.keys[name].tried.append(self._value)
        if self._execute(client, names):
            self.writes += 1
            for name in names:
                self.keys[name].settle(self._value)

    def _execute(self, client: Client, names: list[str]) -> bool:
        """Whether it was acknowledged."""
        if self._value % 7 == 3:
            commands = [encode("SET", name, self._value) for name in names]
            client.send(encode("MULTI") + b"".join(commands) + encode("EXEC"))
            replies = [client.read() for _ in range(len(names) + 2)]
            return replies[-1].startswith(b"*")
        words = [word for name in names for word in (name, self._value)]
        return client.call("SET" if len(names) == 1 else "MSET", *words) == b"+OK\r\n"

    def is_whole(self, found: dict[str, int]) -> bool:
        """Whether the last command has happened to all of its keys, or to none."""
        return len({found[name] == self._value for name in self.last}) < 2


def returns_are_told(log: str) -> bool:
    """Of each worker that ended it says how it came back: a line that is written after it serves."""
    ends = {end[1]: end.start() for end in ENDED.finditer(log)}
    return all(log.rfind(f"Worker {worker} is back", at) >= 0 for worker, at in ends.items())


class Crashes:
    """A server under load that is killed in many ways."""

    def __init__(self, place: Place, options: tuple[str, ...], workers: int, seed: int) -> None:
        self._place = place
        self._scene = Scene(place, options, workers, random.Random(seed), threading.Event())
        self._logged = "--appendonly" in options
        self._always = "always" in options
        self._writers = [Writer(place, number) for number in range(3)]
        self.losses = 0  # rounds in which something was lost that may be lost

    @property
    def writes(self) -> int:
        return sum(writer.writes for writer in self._writers)

    def round(self, death: str) -> None:
        """Writes for a while, kills, waits for the end of it, compares. Raises: AssertionError."""
        scene = self._scene
        scene.stop, scene.log, scene.cold = threading.Event(), "", False
        threads = [threading.Thread(target=w.run, args=(scene.stop,)) for w in self._writers]
        said, process = len(self._place.log()), self._place.process
        before = self.writes
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: self.writes > before + 20)
            if death == "snapshotter" or scene.chance.random() < 0.4:
                scene.ask("BGSAVE")
            scene.pause(0.05)
            killed_s = time.monotonic()
            DEATHS[death](scene)
            wait_until(self._place.answers, PATIENCE_S)
        finally:
            scene.stop.set()
            for thread in threads:
                thread.join()
        wait_until(self._settled, PATIENCE_S)
        restarted = self._place.process is not process
        if restarted:
            log = scene.log + self._place.log()
        else:
            wait_until(lambda: returns_are_told(self._place.log()[said:]), PATIENCE_S)
            log = self._place.log()[said:]
        self._compare(death, killed_s, log)

    def _settled(self) -> bool:
        """All workers are there, have done what was left to them, and answer for all keys."""
        if len(self._place.children()) < self._scene.workers:
            return False
        try:
            with self._place.client(timeout=PATIENCE_S) as client:
                if self._scene.workers > 1 and len(worker_lines(client)) < self._scene.workers:
                    return False
                if self._logged and not is_logged(client):
                    return False
                return all(client.call("TOUCH", f"w0:{i}")[:1] == b":" for i in range(KEYS))
        except (OSError, ConnectionError):
            return False

    def _safe_s(self, death: str, killed_s: float, log: str) -> float:
        """Until when nothing that was acknowledged may be lost."""
        if not self._logged and self._scene.cold:
            return 0.0
        snapshot, logged = SNAPSHOT_LOADED.search(log), LOG_LOADED.search(log)
        if snapshot and not self._logged:
            return 0.0
        if death == "switching" and (snapshot or logged):
            return 0.0  # no log is in force again: there is what a frozen arena or the old one has
        lost = not self._always and logged  # one may have been switched on
        return killed_s - POSTPONED_S if lost else math.inf

    def _compare(self, death: str, killed_s: float, log: str) -> None:
        safe_s, older = self._safe_s(death, killed_s, log), False
        with self._place.client() as client:
            for writer in self._writers:
                found = {name: int(client.value("GET", name) or 0) for name in writer.keys}
                if self._logged and death in JOINT and (self._scene.cold or math.isinf(safe_s)):
                    assert writer.is_whole(found), (writer.last, found, log)
                for name, key in writer.keys.items():
                    value = found[name]
                    assert key.allows(value, safe_s=safe_s), (death, name, key, value, log)
                    older = older or value < key.acknowledged
                    key.begin(value)
        self.losses += older


def is_logged(client: Client) -> bool:
    """No log waits for its first base: it would not be in force."""
    figures = client.value("INFO", "persistence")
    return b"aof_rewrite_in_progress:0" in figures and b"aof_rewrite_scheduled:0" in figures
