"""All workers: started together, brought back one by one, ended together."""

import logging
import os
import signal
import time
from collections.abc import Callable

from shmredis.acl.journal import UserJournal
from shmredis.config import Config
from shmredis.config.declared_modules import ModuleLine
from shmredis.config.turn import SettingsTurn
from shmredis.faults import fault
from shmredis.front.control import ControlMemory
from shmredis.front.presence import Presence
from shmredis.front.shm import (
    adopt_object,
    create_object,
    leftover_arenas,
    object_name,
    remove_object,
    remove_stale,
    scripts_name,
)
from shmredis.front.worker_process import Plan, ServerIdentity, WorkerProcess, warm_start
from shmredis.module.loaded import Entry
from shmredis.persistence.aof_verdict import Verdict
from shmredis.scripting.store import ScriptStore
from shmredis.worker.main import run_worker

__all__ = ["StartFailed", "Supervisor"]

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 10.0


class StartFailed(Exception):
    """A worker could not start; the text says why."""


class Supervisor:
    """The workers of one server and the memory that they share."""

    def __init__(
        self, config: Config, base_name: str, identity: ServerIdentity, presence: Presence
    ) -> None:
        """Raises: ShmInUse, OSError."""
        count = config["workers"]
        self._presence = presence
        self._control = ControlMemory(base_name, count) if count > 1 else None
        self.users = UserJournal()
        self.modules: list[ModuleLine | Entry] = list(config.modules)
        self._scripts_fd = _scripts_object(base_name, keep=warm_start(config))
        self._verdict = Verdict()
        self._settings_turn = SettingsTurn()
        plan = Plan(
            config,
            base_name,
            identity,
            self._control,
            self.users,
            self.modules,
            self._scripts_fd,
            self._verdict,
            self._settings_turn,
            run_worker,
        )
        self._base_name = base_name
        self._logged = bool(config["appendonly"])
        self.workers = [WorkerProcess(plan, i) for i in range(count)]

    def start(self, spawn: Callable[[WorkerProcess], None]) -> None:
        """Spawns all and waits until they are ready. Raises: StartFailed, ShmInUse, OSError."""
        for index in leftover_arenas(self._base_name):
            if index >= len(self.workers):  # of a server with more workers
                remove_stale(object_name(self._base_name, index))
        for worker in self.workers:
            spawn(worker)
            fault("front.spawned")
        for worker in self.workers:
            if why := worker.wait_ready():
                raise StartFailed(why)

    def close_in_child(self) -> None:
        """A new worker must not hold the front's ends of the others' channels, nor its mark."""
        self._presence.close()
        for worker in self.workers:
            if worker.channel:
                worker.channel.close()

    def reap(self) -> list[WorkerProcess]:
        """The workers that have just died and are to be buried."""
        return [worker for worker in self.workers if worker.reap()]

    def bury(self, dead: WorkerProcess) -> None:
        """Makes room for a worker's successor; the others hear of it."""
        dead.bury()
        for worker in self.workers:
            worker.tell(b"D%d" % dead.index)

    def due(self) -> list[WorkerProcess]:
        """The workers to be brought back now."""
        now = time.monotonic()
        return [worker for worker in self.workers if 0 < worker.respawn_at_s <= now]

    @property
    def next_due_s(self) -> float | None:
        """When the next worker is to be brought back."""
        return min((w.respawn_at_s for w in self.workers if w.respawn_at_s), default=None)

    @property
    def loaded(self) -> bool:
        """Whether all have their data."""
        return all(worker.origin for worker in self.workers)

    def kill_all(self) -> None:
        """DEBUG CRASH-AND-RECOVER."""
        for worker in self.workers:
            if worker.pid:
                os.kill(worker.pid, signal.SIGKILL)

    def tell_all(self, message: bytes) -> None:
        for worker in self.workers:
            worker.tell(message)

    def stop(self, *, keep: bool) -> None:
        """Ends all workers, then what they share. `keep`: arenas stay for the next server."""
        for worker in self.workers:
            worker.begin_stop(keep=keep)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        has_data = any(worker.has_data for worker in self.workers)
        in_order = [worker.finish_stop(deadline, keep=keep) for worker in self.workers]
        if self._logged and any(in_order) and not all(in_order):
            self._drop_arenas()
        self.users.close()
        self._verdict.close()
        self._settings_turn.close()
        os.close(self._scripts_fd)
        if not (keep and has_data):
            remove_object(scripts_name(self._base_name))
        if self._control:
            self._control.close()
        self._presence.close()

    def _drop_arenas(self) -> None:
        """Some have ended in order and some not: those may lack parts of commands that these have."""
        for worker in self.workers:
            remove_object(object_name(self._base_name, worker.index))


def _scripts_object(base_name: str, *, keep: bool) -> int:
    """The object of scripts and libraries; `keep`: with what an earlier server has left. Raises: OSError."""
    name = scripts_name(base_name)
    fd = adopt_object(name) if keep else None
    if fd is None:
        fd = create_object(name)
    ScriptStore(fd).begin_life()
    return fd
