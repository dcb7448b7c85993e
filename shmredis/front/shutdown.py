"""The end of a server that was asked for: hold writes, save, stop. It can fail, and the server goes on.

    begin ── a log is just being switched on, and no FORCE: clients go on
      ├─ no save wanted ──────────────────────────────────────────────► done
      └─ all workers hold their writes ── one saves ── it worked ─────────► done
                     │                          └───── it did not, and no FORCE: clients go on
                     └─ SHUTDOWN ABORT, also while it is saved: clients go on

The front has no data, so the first worker saves for all. A worker that does not hold within
shutdown-timeout is waited for no more. Messages, in channel.py, have the number of the attempt: answers to
an earlier one, which was aborted, say nothing about this one.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shmredis.config import Config

__all__ = ["Request", "Shutdown", "request_of_signal"]

log = logging.getLogger(__name__)

FAILED = "Errors trying to shut down the server. Check the logs for more information."
DEFAULT, SAVE, NOSAVE = "default", "save", "nosave"


class Worker(Protocol):
    """A worker as far as its end is concerned."""

    index: int
    ready: bool
    wants_base: bool

    @property
    def has_data(self) -> bool: ...

    def tell(self, message: bytes) -> None: ...


@dataclass(slots=True, frozen=True)
class Request:
    """What SHUTDOWN or a signal asks for. `worker`: who is told when it fails; -1: nobody."""

    mode: str = DEFAULT
    now: bool = False
    force: bool = False
    worker: int = -1
    restart_ms: int = -1  # start again so much later; -1: do not
    crash: bool = False  # end all workers without a word

    @classmethod
    def of_message(cls, text: bytes, worker: int) -> "Request":
        return cls(**json.loads(text), worker=worker)

    def saves(self, config: Config) -> bool:
        """Whether an RDB file is to be written first."""
        if self.crash:
            return False
        return self.mode == SAVE or (self.mode == DEFAULT and bool(config["save"]))

    def keeps_arenas(self, config: Config) -> bool:
        """Whether a later server is to find the data in shared memory.

        Only what Redis would find in its files: after SHUTDOWN NOSAVE, or without persistence, nothing.
        """
        persists = self.crash or self.saves(config) or bool(config["appendonly"])
        return bool(config["warm-restart"]) and persists


def request_of_signal(config: Config, name: str) -> Request:
    """What the signal asks for by shutdown-on-sigterm or shutdown-on-sigint."""
    words = config.text(f"shutdown-on-{name.lower()}").split()
    mode = next((word for word in words if word in (SAVE, NOSAVE)), DEFAULT)
    return Request(mode, now="now" in words, force="force" in words)


class Shutdown:
    """One attempt to stop. `finish` is called when all is saved, with whether arenas stay."""

    def __init__(
        self,
        number: int,
        config: Config,
        workers: list[Worker],
        request: Request,
        finish: Callable[[bool], None],
    ) -> None:
        self._number = number
        self._config = config
        self._workers = workers
        self._request = request
        self._finish = finish
        self._holding: set[int] = set()
        self._saver = -1
        self._aborters: set[int] = set()  # workers with a client of SHUTDOWN ABORT
        self.deadline_s: float | None = None  # for all to hold
        self.over = False

    def begin(self) -> None:
        """Takes the first step; the others follow on what workers say."""
        serving = [worker for worker in self._workers if worker.ready]
        if not all(worker.has_data for worker in serving):
            log.warning("Received shutdown signal during loading, scheduling shutdown.")
            self._end()  # the files have all that there is
            return
        if not self._logs_are_whole(serving):
            self._go_on(FAILED)
            return
        if not serving or not self._request.saves(self._config):
            self._end()
            return
        self._holding = {worker.index for worker in serving}
        self.deadline_s = time.monotonic() + self._config["shutdown-timeout"]
        for worker in serving:
            worker.tell(b"P%d" % self._number)

    def _logs_are_whole(self, serving: list[Worker]) -> bool:
        """So far that the server may end."""
        if self._request.crash or not any(worker.wants_base for worker in serving):
            return True
        log.warning(
            "Writing initial AOF%s", ". Exit anyway." if self._request.force else ", can't exit."
        )
        return self._request.force

    def mind_time(self) -> None:
        """To be called when `deadline_s` is over."""
        if not self.over and self.deadline_s and time.monotonic() >= self.deadline_s:
            stuck = ", ".join(map(str, sorted(self._holding)))
            log.warning("Saving without waiting any longer for worker %s", stuck)
            self._holding.clear()
            self._save()

    def heard_hold(self, worker: int, number: int) -> None:
        """The worker's clients do not change anything any more."""
        if number == self._number:
            self._holds(worker)

    def _holds(self, worker: int) -> None:
        if self.over or worker not in self._holding:
            return
        self._holding.discard(worker)
        if not self._holding:
            self._save()

    def _save(self) -> None:
        self.deadline_s = None
        ready = [worker for worker in self._workers if worker.ready]
        if not ready:
            self._end()
            return
        self._saver = ready[0].index
        ready[0].tell(b"K%d" % self._number)

    def heard_saved(self, worker: int, number: int, error: str) -> None:
        """How saving went; `error` empty: well."""
        if number == self._number and worker == self._saver:
            self._saved(error)

    def _saved(self, error: str) -> None:
        if self.over:
            return
        if self._aborters:
            self._go_on("Shutdown was aborted.")
        elif not error or self._request.force:
            if error:
                log.warning("Error trying to save the DB. Exit anyway.")
            self._end()
        else:
            self._fail()

    def lost(self, worker: int) -> None:
        """The worker has died."""
        if worker == self._saver:
            self._saved("the worker that saved has died")
        else:
            self._holds(worker)

    def abort(self, worker: int) -> None:
        """A client of this worker asks for it: saving is stopped, and the answer comes after its end."""
        self._aborters.add(worker)
        if self._saver < 0:
            self._go_on("Shutdown was aborted.")
            return
        for other in self._workers:
            if other.index == self._saver:
                other.tell(b"N%d" % self._number)

    def _end(self) -> None:
        self.over, self.deadline_s = True, None
        self._finish(self._request.keeps_arenas(self._config))

    def _fail(self) -> None:
        log.warning(FAILED)
        self._go_on("Error trying to save the DB, can't exit.")

    def _go_on(self, why: str) -> None:
        """The server stays; whoever asked for its end or for this hears so."""
        self.over, self.deadline_s = True, None
        log.warning("%s", why)
        for worker in self._workers:
            worker.tell(b"U")
        for worker in self._workers:
            worker.tell(b"A")
            if worker.index in self._aborters:
                worker.tell(b"Z1")
