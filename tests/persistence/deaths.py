"""Ways to die: who is killed, when, and what follows. Each is one function, by its name in DEATHS.

Some need a certain moment (a thaw, a rewrite, an end in order, a start): they begin it, and kill a bit later.
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.harness.processes import children_named, children_of
from tests.harness.server import is_alive, wait_until
from tests.persistence.place import SAVES, Place

__all__ = ["DEATHS", "JOINT", "Scene"]

MOST_WORKERS = 4
CANNOT_EXIT = "Errors trying to shut down the server"
SUPERBLOCK = 700  # about the bytes of an arena's superblock (csrc/mem/arena.h)


@dataclass
class Scene:
    """A server under load, and what a death may do about it."""

    place: Place
    options: tuple[str, ...]
    workers: int
    chance: random.Random
    stop: threading.Event  # no more commands are begun
    log: str = ""  # of the lives that have ended since the kill
    cold: bool = False  # shared memory was given up or damaged: files count

    def pause(self, most_s: float) -> None:
        time.sleep(self.chance.uniform(0, most_s))

    def ask(self, *words: object) -> bytes:
        """A command whose fate does not matter."""
        with (
            contextlib.suppress(OSError, ConnectionError, ValueError),
            self.place.client() as client,
        ):
            return client.call(*words)
        return b""

    def launch(self, *more: str) -> None:
        self.log += self.place.log()
        self.place.launch(*SAVES, *self.options, *more, workers=self.workers)

    def start(self, *more: str) -> None:
        self.launch(*more)
        self.place.wait_ready()

    def end(self, sig: signal.Signals = signal.SIGKILL) -> None:
        self.place.end(sig)

    def kill_one(self, pids: list[int]) -> None:
        if pids:
            kill(self.chance.choice(pids))

    def kill_some_or_all(self) -> None:
        """A worker, which comes back by itself, or all processes, which are started again."""
        if self.chance.random() < 0.5:
            self.kill_one(self.place.children())
        else:
            self.stop.set()
            self.end()
            self.start()


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


def worker(s: Scene) -> None:
    s.kill_one(s.place.children())


def two(s: Scene) -> None:
    pids = s.place.children()
    s.stop.set()  # the last commands are those that the kill has met
    kill(*s.chance.sample(pids, min(2, len(pids))))


def twice(s: Scene) -> None:
    """Once more, the same or another, perhaps before the first one is back."""
    worker(s)
    s.pause(0.06)
    worker(s)


def snapshotter(s: Scene) -> None:
    pids = s.place.children()
    s.kill_one([child for pid in pids for child in children_of(pid)] or pids)


def spare(s: Scene) -> None:
    """Then a snapshot is asked for, which needs another."""
    pids = s.place.children()
    s.kill_one([child for pid in pids for child in children_named(pid, "shmredis-spare")])
    s.ask("BGSAVE")


def front(s: Scene) -> None:
    pids = s.place.children()
    s.place.process.kill()
    s.place.process.wait(10)
    wait_until(lambda: not any(is_alive(pid) for pid in pids))
    s.start()


def orphans(s: Scene) -> None:
    """The next server starts beside the workers of the one before."""
    s.place.process.kill()
    s.place.process.wait(10)
    s.start()


def everybody(s: Scene) -> None:
    s.end()
    s.start()


def machine(s: Scene) -> None:
    """Shared memory, too."""
    s.end()
    s.stop.set()
    s.cold = True
    s.start("--discard-shm")


def thawing(s: Scene) -> None:
    """At some time of a snapshot of many keys: while it is written, or is folded back."""
    s.ask("DEBUG", "POPULATE", 20000, "ballast", 100)
    s.ask("BGSAVE")
    s.pause(0.15)
    s.kill_some_or_all()


def rewriting(s: Scene) -> None:
    s.ask("BGREWRITEAOF")
    s.pause(0.1)
    s.kill_some_or_all()


def ending(s: Scene) -> None:
    """In the midst of an end in order, or by it."""
    failures = s.place.log().count(CANNOT_EXIT)
    s.place.process.send_signal(signal.SIGTERM)
    s.pause(0.1)
    s.stop.set()
    pids = [*s.place.children(), s.place.process.pid]
    if s.chance.random() < 0.5:
        kill_with(s, pids)
    elif s.chance.random() < 0.5:
        with contextlib.suppress(ProcessLookupError):
            os.kill(s.chance.choice(pids), signal.SIGKILL)
    wait_until(
        lambda: s.place.process.poll() is not None or s.place.log().count(CANNOT_EXIT) > failures,
        40,
    )
    if s.place.process.poll() is None:
        return  # who saved has died, so the server goes on
    wait_until(lambda: not any(is_alive(pid) for pid in pids))
    s.start()


def kill_with(s: Scene, pids: list[int]) -> None:
    """These, all at once; the front may have been reaped."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    s.place.process.wait(10)


def loading(s: Scene) -> None:
    """In the midst of the next start, from files or not: a worker, or all, and then again."""
    s.end()
    s.stop.set()
    cold = ["--discard-shm"] if s.chance.random() < 0.6 else []
    s.cold = bool(cold)
    s.launch(*cold)
    s.pause(0.4)
    if s.chance.random() < 0.5 and s.place.children():
        s.kill_one(s.place.children())
        wait_until(lambda: s.place.process.poll() is not None or s.place.answers())
        if s.place.process.poll() is None:
            return
    kill_with(s, [*s.place.children(), s.place.process.pid])
    s.start(*cold)


def switching(s: Scene) -> None:
    """The log is switched off and on, and begins with a new base."""
    s.ask("CONFIG", "SET", "appendonly", "no")
    s.pause(0.02)
    s.ask("CONFIG", "SET", "appendonly", "yes")
    s.pause(0.1)
    s.kill_some_or_all()


def reshaping(s: Scene) -> None:
    """Another number of workers loads the files; perhaps it dies over that, and others do."""
    s.stop.set()
    s.end()
    s.cold = True
    s.workers = s.chance.randint(1, MOST_WORKERS)
    if s.chance.random() < 0.5:
        s.launch()
        s.pause(0.4)
        kill_with(s, [*s.place.children(), s.place.process.pid])
        s.workers = s.chance.randint(1, MOST_WORKERS)
    s.start()


def stopped(s: Scene) -> None:
    """A worker does nothing for a while; nobody dies."""
    pid = s.chance.choice(s.place.children())
    os.kill(pid, signal.SIGSTOP)
    s.pause(1.5)
    os.kill(pid, signal.SIGCONT)


def stopped_and_killed(s: Scene) -> None:
    """A worker that was stopped, another one with it."""
    pids = s.chance.sample(s.place.children(), min(2, s.workers))
    os.kill(pids[0], signal.SIGSTOP)
    s.pause(0.8)
    s.stop.set()
    kill(*pids)


def flipped(s: Scene) -> None:
    """Some bytes of an arena's superblock are others when all are started again."""
    s.end()
    s.stop.set()
    s.cold = True
    arena = s.chance.choice(s.place.arenas())
    with arena.open("r+b") as file:
        data = bytearray(file.read(SUPERBLOCK))
        for _ in range(s.chance.randint(1, 4)):
            data[s.chance.randrange(len(data))] ^= 1 << s.chance.randrange(8)
        file.seek(0)
        file.write(data)
    s.start()


DEATHS: dict[str, Callable[[Scene], None]] = {
    "worker": worker,
    "two": two,
    "twice": twice,
    "snapshotter": snapshotter,
    "spare": spare,
    "front": front,
    "orphans": orphans,
    "all": everybody,
    "machine": machine,
    "thawing": thawing,
    "rewriting": rewriting,
    "ending": ending,
    "loading": loading,
    "switching": switching,
    "reshaping": reshaping,
    "stopped": stopped,
    "stopped and killed": stopped_and_killed,
    "flipped": flipped,
}

# After these the last command of each writer is there as a whole or not at all, if there is a log.
JOINT = {"two", "machine", "loading", "ending", "reshaping", "flipped", "stopped and killed"}
