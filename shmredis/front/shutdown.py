"""The end of a server that was asked for: hold clients, save, stop. It can fail, and the server goes on.

    begin ── no save wanted ──────────────────────────────────────────────► done
      └─ all workers hold their clients ── one saves ── it worked ────────► done
                                                └────── it did not, and no FORCE: clients go on

The front has no data, so the first worker saves for all. The messages
are in channel.py.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shmredis.config import Config

__all__ = ["Request", "Shutdown", "request_of_signal"]

log = logging.getLogger(__name__)

DEFAULT, SAVE, NOSAVE = "default", "save", "nosave"


class Worker(Protocol):
    """A worker as far as its end is concerned."""

    index: int
    ready: bool

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
        config: Config,
        workers: list[Worker],
        request: Request,
        finish: Callable[[bool], None],
    ) -> None:
        self._config = config
        self._workers = workers
        self._request = request
        self._finish = finish
        self._holding: set[int] = set()
        self._saver = -1
        self.over = False

    def begin(self) -> None:
        """Takes the first step; the others follow on what workers say."""
        serving = [worker for worker in self._workers if worker.ready]
        if not serving or not self._request.saves(self._config):
            self._end()
            return
        self._holding = {worker.index for worker in serving}
        for worker in serving:
            worker.tell(b"P")

    def holds(self, worker: int) -> None:
        """The worker's clients do not change anything any more, or it is gone."""
        if worker not in self._holding:
            return
        self._holding.discard(worker)
        if not self._holding and self._saver < 0:
            self._save()

    def _save(self) -> None:
        ready = [worker for worker in self._workers if worker.ready]
        if not ready:
            self._end()
            return
        self._saver = ready[0].index
        ready[0].tell(b"K")

    def saved(self, worker: int, error: str) -> None:
        """How saving went; empty: well."""
        if worker != self._saver or self.over:
            return
        if not error or self._request.force:
            self._end()
        else:
            self._fail()

    def lost(self, worker: int) -> None:
        """The worker has died."""
        if worker == self._saver:
            self.saved(worker, "the worker that saved has died")
        else:
            self.holds(worker)

    def _end(self) -> None:
        self.over = True
        self._finish(self._request.keeps_arenas(self._config))

    def _fail(self) -> None:
        self.over = True
        log.warning("Error trying to save the DB, can't exit.")
        if self._request.worker < 0:
            log.warning(
                "Errors trying to shut down the server. Check the logs for more information."
            )
        for worker in self._workers:
            worker.tell(b"U")
        for worker in self._workers:
            if worker.index == self._request.worker:
                worker.tell(b"A")
