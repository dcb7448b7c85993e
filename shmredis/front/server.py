"""The front's loop: a plain selector, so that it can fork workers at any time."""

import contextlib
import logging
import os
import selectors
import signal
import socket
import time

from shmredis.config import Config
from shmredis.front.acceptor import Acceptor
from shmredis.front.listeners import Listener
from shmredis.front.supervisor import Supervisor

__all__ = ["Front"]

log = logging.getLogger(__name__)


BACKOFF_S = 0.005


class StartFailed(Exception):
    """A worker could not start; the text says why."""


class Front:
    """Accepts, supervises, and stops everything in order."""

    def __init__(self, config: Config, listeners: list[Listener], worker: Supervisor) -> None:
        self._listeners = listeners
        self._worker = worker
        self._acceptor = Acceptor(config, self._channel)
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = False
        self._respawn_at = 0.0

    def _channel(self) -> socket.socket | None:
        return self._worker.channel if self._worker.ready else None

    def start(self) -> None:
        """Spawns the worker and waits until it is ready. Raises: StartFailed, ShmInUse, OSError."""
        self._spawn()
        channel = self._worker.channel
        assert channel is not None
        message = channel.recv(4096)
        if not message.startswith(b"R"):
            self._worker.stop()
            raise StartFailed(message[1:].decode() or "the worker ended at its start")
        self._worker.ready = True

    def _spawn(self) -> None:
        self._worker.spawn(self._close_in_child)
        if self._worker.channel:
            self._selector.register(self._worker.channel, selectors.EVENT_READ, self._hear)

    def _close_in_child(self) -> None:
        self._selector.close()
        for listener in self._listeners:
            listener.close()
        signal.set_wakeup_fd(-1)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def run(self) -> None:
        """Serves until a signal or SHUTDOWN ends it."""
        self._watch_signals()
        for listener in self._listeners:
            self._selector.register(listener.sock, selectors.EVENT_READ, listener)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._drain_wakeups)
        while not self._stopping:
            timeout = max(0.0, self._respawn_at - time.monotonic()) if self._respawn_at else None
            for key, _ in self._selector.select(timeout):
                if isinstance(key.data, Listener):
                    self._acceptor.accept(key.data)
                else:
                    key.data()
            if self._respawn_at and time.monotonic() >= self._respawn_at:
                self._respawn()
            if not self._worker.ready:
                time.sleep(BACKOFF_S)  # connections wait in the listen queues

    def close(self) -> None:
        """Ends the worker, then the sockets."""
        self._selector.close()
        self._worker.stop()
        signal.set_wakeup_fd(-1)
        for listener in self._listeners:
            listener.close()

    # --- signals ---

    def _watch_signals(self) -> None:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _on_stop_signal(self, number: int, _frame: object) -> None:
        log.warning("Received %s scheduling shutdown...", signal.Signals(number).name)
        self._stopping = True

    def _drain_wakeups(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        if self._worker.pid:
            pid, status = os.waitpid(self._worker.pid, os.WNOHANG)
            if pid:
                self._bury(status)

    # --- the worker ---

    def _hear(self) -> None:
        """A message of the worker."""
        channel = self._worker.channel
        message = channel.recv(4096) if channel else b""
        kind, rest = message[:1], message[1:]
        if kind == b"X":
            self._acceptor.connections -= int(rest)
        elif kind == b"S":
            log.warning("User requested shutdown...")
            self._stopping = True
        elif kind == b"R":
            self._worker.ready = True
        elif kind == b"F":
            log.warning("The worker could not start: %s", rest.decode())
        elif channel:
            self._selector.unregister(channel)  # gone; SIGCHLD tells the rest

    def _bury(self, status: int) -> None:
        channel = self._worker.channel
        if channel:
            with contextlib.suppress(KeyError):
                self._selector.unregister(channel)
        self._acceptor.connections = 0
        self._respawn_at = time.monotonic() + self._worker.buried(status)

    def _respawn(self) -> None:
        self._respawn_at = 0.0
        try:
            self._spawn()
        except OSError as error:
            log.warning("The worker cannot be brought back: %s", error)
            self._respawn_at = time.monotonic() + 1.0
