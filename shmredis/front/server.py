"""The front's loop: a plain selector, so that it can fork workers at any time."""

import contextlib
import json
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from shmredis.config import Config, ConfigError
from shmredis.faults import fault
from shmredis.front.acceptor import Acceptor
from shmredis.front.handover import Handover
from shmredis.front.host import tell_supervisor
from shmredis.front.listeners import Listener, ListenError
from shmredis.front.listening import Listening
from shmredis.front.lobby import Lobby
from shmredis.front.shm import ShmInUse
from shmredis.front.shutdown import Request, Shutdown, request_of_signal
from shmredis.front.supervisor import Supervisor
from shmredis.front.worker_process import WorkerProcess
from shmredis.log import lines_of
from shmredis.module.loaded import read_list
from shmredis.persistence.aof_layout import finish_layout
from shmredis.persistence.aof_lock import LOG_PLACES, FolderInUse, FolderLocks
from shmredis.persistence.origin import Origin, describe_return, describe_start
from shmredis.persistence.removal import remove_temporaries

__all__ = ["Front"]

log = logging.getLogger(__name__)

BACKOFF_S = 0.005  # while a worker cannot take what waits for it
IDLE_CHECK_S = 1.0


class Front:
    """Accepts, supervises, and stops everything in order."""

    def __init__(
        self,
        config: Config,
        listeners: list[Listener],
        supervisor: Supervisor,
        folder_locks: FolderLocks,
    ) -> None:
        self._config = config
        self._supervisor = supervisor
        self._folder_locks = folder_locks
        workers = supervisor.workers
        self._handover = Handover(workers)
        self._lobby = Lobby(len(workers), self._handover.add) if len(workers) > 1 else None
        self._acceptor = Acceptor(
            config,
            lambda: supervisor.users.default_is_nopass,
            self._handover,
            self._lobby,
            self._catch_up,
        )
        self._selector = selectors.DefaultSelector()
        self._listening = Listening(config, listeners, self._selector, self._acceptor.accept)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._signals: list[signal.Signals] = []
        self._open = False  # all workers have had their data
        self._shutdown: Shutdown | None = None
        self._shutdowns = 0
        self._stopping = False
        self._keep = bool(config["warm-restart"])  # arenas stay when this process ends
        self.failed = False
        self.restart_ms = -1  # start again so long after the end; -1: do not
        self._reported_refusals = 0
        self._orders = self._known_orders()

    def start(self) -> None:
        """Spawns the workers and waits until they are ready. Raises: StartFailed, ShmInUse, OSError."""
        self._supervisor.start(self._spawn)

    def _spawn(self, worker: WorkerProcess) -> None:
        worker.spawn(self._close_in_child, first=not self._open)
        if worker.channel:
            hear = partial(self._hear, worker)
            self._selector.register(worker.channel, selectors.EVENT_READ, hear)

    def _close_in_child(self) -> None:
        self._selector.close()
        self._supervisor.close_in_child()
        self._handover.close()
        if self._lobby:
            self._lobby.close()
        self._listening.close()
        signal.set_wakeup_fd(-1)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def run(self) -> None:
        """Serves until a signal or SHUTDOWN ends it."""
        self._watch_signals()
        self._listening.begin()
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._drain_wakeups)
        os.write(self._wake_write, b"\0")  # a worker may have died before signals were watched
        if self._lobby:
            self._selector.register(self._lobby, selectors.EVENT_READ, self._lobby.look)
        self._welcome_clients()
        while not self._stopping:
            for key, _ in self._selector.select(self._patience_s()):
                key.data()
            self._handover.flush()
            for worker in self._supervisor.due():
                self._respawn(worker)
            if self._lobby:
                self._lobby.mind_time(time.monotonic(), self._config["timeout"])
            if self._acceptor.refused != self._reported_refusals:
                self._report_refusals()
            self._obey_signals()
            if self._shutdown:
                self._shutdown.mind_time()
            if not self._handover.possible:
                time.sleep(BACKOFF_S)  # connections wait in the listen queues

    def _patience_s(self) -> float | None:
        """How long the loop may sleep; None: until something happens."""
        deadlines = [self._supervisor.next_due_s]
        if self._shutdown:
            deadlines.append(self._shutdown.deadline_s)
        waits = [BACKOFF_S] if self._handover.backlog else []
        if self._lobby:
            deadlines.append(self._lobby.deadline_s)
            if self._lobby.guests and self._config["timeout"]:
                waits.append(IDLE_CHECK_S)
        if any(deadlines):
            now = time.monotonic()
            waits += [max(0.0, deadline - now) for deadline in deadlines if deadline]
        return min(waits, default=None)

    def close(self) -> None:
        """Ends the workers, then the sockets."""
        self._selector.close()
        self._supervisor.stop(keep=self._keep)
        self._handover.close()
        if self._lobby:
            self._lobby.close()
        signal.set_wakeup_fd(-1)
        self._listening.close()

    # --- signals ---

    def _watch_signals(self) -> None:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _on_stop_signal(self, number: int, _frame: object) -> None:
        if self._shutdown and number == signal.SIGINT:
            log.warning("You insist... exiting now.")
            for worker in self._supervisor.workers:
                remove_temporaries(worker.pid)
            os._exit(1)
        self._signals.append(signal.Signals(number))

    def _obey_signals(self) -> None:
        signals, self._signals = self._signals, []
        for number in signals:
            log.warning("Received %s scheduling shutdown...", number.name)
            self._begin_shutdown(request_of_signal(self._config, number.name))

    def _begin_shutdown(self, request: Request) -> None:
        if self._shutdown and not self._shutdown.over:
            return
        log.info("User requested shutdown...")
        workers = self._supervisor.workers
        self.restart_ms = request.restart_ms
        if request.crash:
            self._supervisor.kill_all()
        self._shutdowns += 1
        self._shutdown = Shutdown(self._shutdowns, self._config, list(workers), request, self._stop)
        self._shutdown.begin()

    def _abort_shutdown(self, worker: WorkerProcess) -> None:
        if self._shutdown and not self._shutdown.over:
            self._shutdown.abort(worker.index)
        else:
            worker.tell(b"Z0")

    def _stop(self, keep: bool) -> None:
        self._keep = keep
        self._stopping = True

    def _drain_wakeups(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        for worker in self._supervisor.reap():
            self._unregister(worker)
            if self._shutdown:
                self._shutdown.lost(worker.index)
            self._supervisor.bury(worker)
            if worker.gave_up:
                self._give_up("A worker cannot keep what it has promised: the server ends.")

    # --- the workers ---

    def _catch_up(self) -> None:
        """Obeys all that workers have said until now."""
        for worker in self._supervisor.workers:
            if worker.channel:
                self._hear(worker)

    def _hear(self, worker: WorkerProcess) -> None:
        """Messages of a worker, all of them."""
        for message, sockets in worker.hear():
            self._obey(worker, message, sockets)

    def _obey(self, worker: WorkerProcess, message: bytes, sockets: list[socket.socket]) -> None:
        kind, rest = message[:1], message[1:]
        if kind == b"M":
            target, _, state = rest.partition(b":")
            self._handover.move(worker, int(target), state, sockets[0])
        elif obey := self._orders.get(kind):
            obey(worker, rest)
        elif not kind:
            worker.ready = False
            self._unregister(worker)  # gone; SIGCHLD tells the rest

    def _known_orders(self) -> dict[bytes, Callable[[WorkerProcess, bytes], None]]:
        """What is done about each message that brings no socket; front/channel.py lists them."""
        return {
            b"X": self._closed,
            b"S": self._shut_down,
            b"P": self._held,
            b"K": self._saved,
            b"Z": lambda worker, _: self._abort_shutdown(worker),
            b"G": self._set,
            b"E": self._know_modules,
            b"B": self._listen_anew,
            b"Y": self._lock_folders,
            b"W": self._note_base,
            b"R": self._welcome_worker,
            b"L": self._loaded,
            b"F": lambda _, why: self._give_up(os.fsdecode(why)),
        }

    def _closed(self, worker: WorkerProcess, number: bytes) -> None:
        worker.connections -= int(number)

    def _shut_down(self, worker: WorkerProcess, request: bytes) -> None:
        self._begin_shutdown(Request.of_message(request, worker.index))

    def _held(self, worker: WorkerProcess, number: bytes) -> None:
        if self._shutdown:
            self._shutdown.heard_hold(worker.index, int(number))

    def _saved(self, worker: WorkerProcess, answer: bytes) -> None:
        number, _, error = answer.partition(b":")
        if self._shutdown:
            self._shutdown.heard_saved(worker.index, int(number), os.fsdecode(error))

    def _set(self, _worker: WorkerProcess, pairs: bytes) -> None:
        changed = [(name, value) for name, value in json.loads(pairs)]
        try:
            self._config.set(changed)
        except ConfigError as error:  # a directory that was removed since, for one
            log.warning("%s, after workers have set it", error)
        if LOG_PLACES & {name.lower() for name, _ in changed}:
            self._follow_folders()

    def _follow_folders(self) -> None:
        """The log is switched on or off, or in another directory."""
        try:
            self._folder_locks.renew()
        except OSError as error:
            log.warning("The append-only files cannot be locked: %s", error)

    def _lock_folders(self, worker: WorkerProcess, home: bytes) -> None:
        """Before a log is written there; tells whether another server has it."""
        why = ""
        try:
            self._folder_locks.add(Path(os.fsdecode(home)))
        except FolderInUse as error:
            why = str(error)
        except OSError as error:  # whoever writes it meets the same
            log.debug("%s cannot be locked: %s", os.fsdecode(home), error)
        worker.tell(b"Y" + os.fsencode(why))

    @staticmethod
    def _note_base(worker: WorkerProcess, wanted: bytes) -> None:
        worker.wants_base = wanted == b"1"

    def _know_modules(self, _worker: WorkerProcess, modules: bytes) -> None:
        self._supervisor.modules[:] = read_list(modules)

    def _welcome_worker(self, worker: WorkerProcess, origin: bytes) -> None:
        worker.welcome(origin)
        self._note_loaded(worker)

    def _loaded(self, worker: WorkerProcess, origin: bytes) -> None:
        worker.origin = Origin.from_json(origin)
        self._note_loaded(worker)

    def _listen_anew(self, worker: WorkerProcess, _rest: bytes) -> None:
        """Listens where the directives say now; tells what went wrong, or nothing."""
        why = ""
        try:
            self._listening.follow()
        except ListenError as error:
            why = str(error)
        worker.tell(b"B" + os.fsencode(why))

    def _note_loaded(self, worker: WorkerProcess) -> None:
        """Clients are served when all workers have their data; later each for itself."""
        if not worker.origin:
            return
        if not self._open:
            self._welcome_clients()
            return
        worker.tell(b"O")
        log.info("Worker %d is back: %s", worker.index, describe_return(worker.origin))

    def _welcome_clients(self) -> None:
        if self._open or not self._supervisor.loaded:
            return
        self._open = True
        fault("front.opening")
        self._drop_old_logs()
        if said := describe_start([w.origin for w in self._supervisor.workers if w.origin]):
            log.info("%s", said)
        self._supervisor.tell_all(b"O")
        for label in self._listening.labels:
            log.info("Ready to accept connections %s", label)
        tell_supervisor(self._config["supervised"])

    def _drop_old_logs(self) -> None:
        """All workers have a log of their own now: those of another number of workers are not needed."""
        try:
            finish_layout(self._config)
        except OSError as error:
            log.warning("Old append-only files cannot be removed: %s", error)

    def _give_up(self, why: str) -> None:
        """A server whose data cannot be loaded must not go on and save what it has over it."""
        for line in lines_of(why):
            log.warning("%s", line)
        self.failed = self._stopping = True

    def _unregister(self, worker: WorkerProcess) -> None:
        if worker.channel:
            with contextlib.suppress(KeyError):  # it was heard of already
                self._selector.unregister(worker.channel)

    def _respawn(self, worker: WorkerProcess) -> None:
        try:
            self._spawn(worker)
        except (OSError, ShmInUse) as error:
            log.warning("Worker %d cannot be brought back now: %s", worker.index, error)
            worker.postpone()

    def _report_refusals(self) -> None:
        """INFO is told by a worker, so one of them counts what the front refused."""
        worker = next((w for w in self._supervisor.workers if w.ready), None)
        if worker:
            worker.tell(b"J%d" % (self._acceptor.refused - self._reported_refusals))
            self._reported_refusals = self._acceptor.refused
