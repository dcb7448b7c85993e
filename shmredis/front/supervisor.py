"""The worker's life: forked, watched, brought back, ended."""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable

from shmredis.config import Config
from shmredis.front.channel import socket_pair
from shmredis.front.shm import create_object, object_name, remove_object
from shmredis.worker.main import run_worker

__all__ = ["Supervisor"]

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 10.0
FAST_DEATH_S = 1.0  # a worker that lives shorter than this is brought back after a pause
PAUSE_S = 1.0


class Supervisor:
    """One worker process and its shared memory."""

    def __init__(self, config: Config, base_name: str, index: int, run_id: str) -> None:
        self._config = config
        self._index = index
        self._run_id = run_id
        self._name = object_name(base_name, index)
        self._born = 0.0
        self.pid = 0
        self.channel: socket.socket | None = None
        self.ready = False

    def spawn(self, close_in_child: Callable[[], None]) -> None:
        """Forks the worker. `close_in_child` closes what belongs to the front. Raises: ShmInUse, OSError."""
        fd = create_object(self._name)
        ours, theirs = socket_pair()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                ours.close()
                close_in_child()
                status = run_worker(self._config, theirs, fd, self._name, self._index, self._run_id)
            except BaseException:
                log.exception("worker %d failed", self._index)
            finally:
                os._exit(status)
        theirs.close()
        os.close(fd)
        self.pid, self.channel, self.ready = pid, ours, False
        self._born = time.monotonic()

    def buried(self, status: int) -> float:
        """Takes note of the worker's end; seconds to wait before it is brought back."""
        how = os.waitstatus_to_exitcode(status)
        what = f"was ended by signal {-how}" if how < 0 else f"ended with status {how}"
        log.warning("Worker %d (pid %d) %s; it comes back empty", self._index, self.pid, what)
        self.forget()
        return PAUSE_S if time.monotonic() - self._born < FAST_DEATH_S else 0.0

    def forget(self) -> None:
        """Closes the channel and removes the shared memory."""
        if self.channel:
            self.channel.close()
        self.channel, self.pid, self.ready = None, 0, False
        remove_object(self._name)

    def stop(self) -> None:
        """Ends the worker in order; kills it if it does not end in time."""
        if not self.pid:
            return
        try:
            if self.channel:
                self.channel.send(b"Q")
        except OSError:
            os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                break
            time.sleep(0.005)
        self.forget()
