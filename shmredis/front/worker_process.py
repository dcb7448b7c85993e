"""One worker's life: forked, watched, brought back, ended."""

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shmredis._core import lib
from shmredis.acl.journal import UserJournal
from shmredis.config import Config
from shmredis.config.declared_modules import ModuleLine
from shmredis.config.turn import SettingsTurn
from shmredis.front.channel import Kind, receive_with_sockets, socket_pair
from shmredis.front.control import ControlMemory
from shmredis.front.shm import adopt_object, create_object, object_name, remove_object
from shmredis.module.loaded import Entry
from shmredis.persistence.aof_verdict import Verdict
from shmredis.persistence.origin import Origin

__all__ = ["Birth", "Plan", "ServerIdentity", "WorkerProcess", "warm_start"]

log = logging.getLogger(__name__)

FAST_DEATH_S = 1.0  # a worker that lives shorter than this is brought back after a pause
PAUSE_S = 0.5
GAVE_UP = int(lib.EXIT_GAVE_UP)
FAST_DEATHS = 5  # so many in a row, and the arena is no longer trusted


@dataclass(slots=True, frozen=True)
class ServerIdentity:
    """What all workers say of the server they are."""

    run_id: str
    replication_id: str
    started_s: float


@dataclass(slots=True, frozen=True)
class Plan:
    """What workers are made of. `control` is None when there is only one."""

    config: Config
    base_name: str
    identity: ServerIdentity
    control: ControlMemory | None
    users: UserJournal
    modules: "list[ModuleLine | Entry]"  # those that a worker begins with
    scripts_fd: int  # scripting/store.py
    verdict: Verdict  # on what the logs of all workers have
    settings_turn: SettingsTurn
    run: "Callable[[Plan, int, socket.socket, Birth], int]"  # index, channel; the exit status


@dataclass(slots=True, frozen=True)
class Birth:
    """What a worker finds. `first`: the server starts, and has not served from this arena yet."""

    fd: int
    adopted: bool  # there is something in the object
    first: bool


def warm_start(config: Config) -> bool:
    """Whether the server takes over what an earlier one has left in shared memory."""
    return bool(config["warm-restart"] and not config["discard-shm"])


class WorkerProcess:
    """One worker process and its shared memory."""

    def __init__(self, plan: Plan, index: int) -> None:
        self._plan = plan
        self._name = object_name(plan.base_name, index)
        self._born_s = 0.0
        self.index = index
        self.pid = 0
        self.channel: socket.socket | None = None
        self.ready = False
        self.wants_base = False  # its append-only file does not have all the data yet
        self.respawn_at_s = 0.0  # when it is brought back; 0: it is there
        self.origin: Origin | None = None  # what it began with, once it has all its data
        self._fast_deaths = 0
        self._owns = self._adopted = False
        self.gave_up = False  # it has ended so that the server ends
        self.connections = 0  # handed over, or in the outbox, and not yet closed
        self.outbox: list[tuple[Kind, socket.socket]] = []

    def _find_object(self, *, first: bool) -> Birth:
        """An arena of an earlier life, or a new object. Raises: ShmInUse, OSError."""
        config = self._plan.config
        wanted = warm_start(config) if first else True
        if wanted and self._fast_deaths < FAST_DEATHS:
            fd = adopt_object(self._name)
            if fd is not None:
                return Birth(fd, adopted=True, first=first)
        return Birth(create_object(self._name), adopted=False, first=first)

    def spawn(self, close_in_child: Callable[[], None], *, first: bool) -> None:
        """Forks the worker. `close_in_child` closes what belongs to the front. Raises: ShmInUse, OSError."""
        birth = self._find_object(first=first)
        self._owns, self._adopted = True, birth.adopted
        if self._plan.control:
            self._plan.control.new_epoch(self.index)
        ours, theirs = socket_pair()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                ours.close()
                close_in_child()
                status = self._plan.run(self._plan, self.index, theirs, birth)
            except BaseException:
                log.exception("worker %d failed", self.index)
            finally:
                os._exit(status)
        theirs.close()
        os.close(birth.fd)
        self.pid, self.channel, self.ready = pid, ours, False
        self.origin = None
        self.respawn_at_s = 0.0
        self._born_s = time.monotonic()

    def wait_ready(self) -> str:
        """Waits for the word that it serves; what went wrong, or nothing."""
        message, _ = self._receive(0)
        if message.startswith(b"R"):
            self.welcome(message[1:])
        return "" if self.ready else os.fsdecode(message[1:]) or "the worker ended at its start"

    def welcome(self, origin: bytes) -> None:
        """It can be reached; if it says what it began with, it has all its data, too."""
        self.ready = True
        if origin:
            self.origin = Origin.from_json(origin)

    def hear(self) -> Iterator[tuple[bytes, list[socket.socket]]]:
        """All messages that are there, with their sockets; an empty one when the worker is gone."""
        message = b"?"
        while message:
            try:
                message, sockets = self._receive(socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            yield message, sockets

    def _receive(self, flags: int) -> tuple[bytes, list[socket.socket]]:
        """Raises: BlockingIOError."""
        if self.channel is None:
            return b"", []
        try:
            return receive_with_sockets(self.channel, flags)
        except BlockingIOError:
            raise
        except OSError as error:
            log.debug("worker %d is gone: %s", self.index, error)
            return b"", []

    def tell(self, message: bytes) -> None:
        """Sends a message if the worker takes one."""
        if self.channel:
            try:
                self.channel.send(message, socket.MSG_DONTWAIT)
            except OSError as error:
                log.debug("worker %d was not told %r: %s", self.index, message[:1], error)

    def reap(self) -> bool:
        """Whether the process has just ended; `bury` is next."""
        if not self.pid:
            return False
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return False
        how = os.waitstatus_to_exitcode(status)
        self.gave_up = how == GAVE_UP
        what = f"was ended by signal {-how}" if how < 0 else f"ended with status {how}"
        log.warning("Worker %d (pid %d) %s", self.index, self.pid, what)
        return True

    def bury(self) -> None:
        """Closes what it has left behind; it is due to be brought back."""
        self._forget()
        now = time.monotonic()
        fast = now - self._born_s < FAST_DEATH_S
        self._fast_deaths = self._fast_deaths + 1 if fast else 0
        self.respawn_at_s = now + (PAUSE_S if self._fast_deaths > 1 else 0.0)

    def postpone(self) -> None:
        """It could not be brought back now."""
        self.respawn_at_s = time.monotonic() + PAUSE_S

    def _forget(self) -> None:
        """Closes the channel."""
        if self.channel:
            self.channel.close()
        self.channel, self.pid, self.ready = None, 0, False
        self.wants_base = False
        self.connections = len(self.outbox)

    def begin_stop(self, *, keep: bool) -> None:
        """Asks it to end in order, leaving an arena for the next server or not."""
        if self.pid and self.channel:
            with contextlib.suppress(OSError):  # who hears nothing is killed by finish_stop
                self.channel.send(b"Q1" if keep else b"Q0", socket.MSG_DONTWAIT)

    @property
    def has_data(self) -> bool:
        """Whether there is something in its arena that is whole."""
        return bool(self.origin or (self._adopted and not self.ready))

    def finish_stop(self, deadline_s: float, *, keep: bool) -> bool:
        """Waits for its end; kills it if it does not come in time. Whether it has ended in order.

        What it was still loading is of no use to anybody.
        """
        if self._owns and not (keep and self.has_data):
            remove_object(self._name)
        status = self._wait(deadline_s) if self.pid else -1
        self._forget()
        return status == 0

    def _wait(self, deadline_s: float) -> int:
        """How the process has ended."""
        pid, status = 0, 0
        while not pid:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if not pid and time.monotonic() > deadline_s:
                os.kill(self.pid, signal.SIGKILL)
                pid, status = os.waitpid(self.pid, 0)
            if not pid:
                time.sleep(0.005)
        return status
