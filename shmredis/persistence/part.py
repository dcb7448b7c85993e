"""One worker's part of a snapshot: a file with its records, written by a child forked at the instant.

The worker that leads the snapshot (snapshot.py) gives the orders; for other workers they come as mail.
"""

import asyncio
import contextlib
import os
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from shmredis.persistence.forks import Ending, ForkKind, Forks, Options
from shmredis.persistence.removal import remove

__all__ = ["Order", "Part", "PartState", "Stage"]

MODE = 0o644


@dataclass(slots=True, frozen=True)
class Order:
    """Write so to this file, at the instant of this number."""

    number: int
    path: Path
    options: Options
    append: bool = False  # behind what the file has already


class Stage(Enum):
    """How far a part is."""

    UNKNOWN = auto()  # no such snapshot here: the worker was restarted
    PREPARED = auto()
    WRITING = auto()
    DONE = auto()
    FAILED = auto()


@dataclass(slots=True, frozen=True)
class PartState:
    """What the leading worker asks for."""

    stage: Stage
    error: str = ""
    pid: int = 0
    dirty: int = 0  # changes since start, at the instant
    keys_done: int = 0
    keys_total: int = 0
    copied: int = 0
    ending: Ending | None = None


class Part:
    """At most one at a time."""

    def __init__(self, forks: Forks) -> None:
        self._forks = forks
        self._order: Order | None = None
        self._stage = Stage.UNKNOWN
        self._error = ""
        self._ending: Ending | None = None
        self.changed = asyncio.Event()  # set at each step

    @property
    def prepared(self) -> bool:
        """A child is to be forked at an instant to come."""
        return self._stage is Stage.PREPARED

    def prepare(self, order: Order) -> str:
        """Empty: the instant may come; "busy": not yet; else why this is impossible."""
        if not self._forks.possible:
            return "busy"
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (0 if order.append else os.O_TRUNC)
        try:
            fd = os.open(order.path, flags, MODE)
        except OSError as error:
            return f"Failed opening the temp RDB file {order.path.name}: {error.strerror}"
        try:
            os.lseek(fd, 0, os.SEEK_END)
            self._forks.prepare(order.number, ForkKind.RDB, fd, order.options)
        finally:
            os.close(fd)
        self._order, self._ending, self._error = order, None, ""
        self._step(Stage.PREPARED)
        return ""

    def _step(self, stage: Stage) -> None:
        self._stage = stage
        self.changed.set()

    def passed(self, number: int) -> None:
        """The instant was: there is a child, or it could not be forked."""
        if self._order is None or self._order.number != number:
            return
        state = self._forks.state()
        if state.error or not state.pid:
            self._fail(os.strerror(state.error))
            return
        self._step(Stage.WRITING)
        self._forks.watch().add_done_callback(self._ended)

    def _fail(self, why: str) -> None:
        self._error = why
        self._step(Stage.FAILED)

    def _ended(self, ending: "asyncio.Future[Ending]") -> None:
        if ending.cancelled():
            return
        self._ending = ending.result()
        if self._ending.error:
            self._fail(self._ending.error)
        else:
            self._step(Stage.DONE)

    def state(self, number: int) -> PartState:
        """How far the part of this snapshot is."""
        if self._order is None or self._order.number != number:
            return PartState(Stage.UNKNOWN)
        state, report = self._forks.state(), self._forks.report()
        return PartState(
            self._stage,
            self._error,
            state.pid,
            state.dirty,
            report.keys_done,
            report.keys_total,
            state.copied,
            self._ending,
        )

    def close(self) -> None:
        """Drops whatever there is."""
        if self._order:
            self.drop(self._order.number)

    def drop(self, number: int, *, keep_file: bool = False) -> None:
        """Ends the part: no child, no file of its own."""
        if self._order is None or self._order.number != number:
            return
        if self._stage is Stage.PREPARED:
            self._forks.cancel()
        elif self._stage is Stage.WRITING:
            self._forks.kill()
        if not keep_file:
            with contextlib.suppress(OSError):
                remove(self._order.path)
        self._order = None
        self._step(Stage.UNKNOWN)
