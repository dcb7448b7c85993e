"""Handing connections to workers: whose turn it is, client ids, batches."""

import contextlib
import errno
import logging
import socket
from collections.abc import Sequence

from shmredis.front.channel import MAX_BATCH, Kind, send_sockets, send_state
from shmredis.front.worker_process import WorkerProcess

__all__ = ["ANY", "Handover"]

log = logging.getLogger(__name__)

ANY = -1  # no worker is better than another
FULL = (errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS)


class Handover:
    """Gathers connections for each worker and sends them in batches.

    A worker that takes none, because it is stuck or about to come back, lets only its own wait.
    """

    def __init__(self, workers: Sequence[WorkerProcess]) -> None:
        self._workers = workers
        self._next_id = 1

    @property
    def possible(self) -> bool:
        """Whether some worker serves."""
        return any(worker.ready for worker in self._workers)

    @property
    def connections(self) -> int:
        """Handed over, or about to be, and not yet closed."""
        return sum(worker.connections for worker in self._workers)

    @property
    def backlog(self) -> bool:
        """Whether connections wait for a worker."""
        return any(worker.outbox for worker in self._workers)

    def add(self, kind: Kind, sock: socket.socket, owner: int = ANY) -> None:
        """The connection goes to `owner`, or to the worker with the fewest; `flush` sends it."""
        worker = self._choose(owner)
        worker.connections += 1
        worker.outbox.append((kind, sock))

    def _choose(self, owner: int) -> WorkerProcess:
        if owner >= 0 and self._workers[owner].ready:
            return self._workers[owner]
        serving = [worker for worker in self._workers if worker.ready] or self._workers
        return min(serving, key=lambda worker: worker.connections)

    def flush(self) -> None:
        """Sends what the workers take now."""
        for worker in self._workers:
            while worker.ready and worker.outbox and self._send_batch(worker):
                pass

    def _send_batch(self, worker: WorkerProcess) -> bool:
        batch = worker.outbox[:MAX_BATCH]
        assert worker.channel is not None
        try:
            send_sockets(worker.channel, self._next_id, batch)
        except OSError as error:
            if error.errno not in FULL:
                log.debug("worker %d takes no connection: %s", worker.index, error)
            return False
        self._next_id += len(batch)
        del worker.outbox[:MAX_BATCH]
        for _, sock in batch:
            sock.close()
        return True

    def move(self, source: WorkerProcess, target: int, state: bytes, sock: socket.socket) -> None:
        """Passes a connection on; back to where it was if the other does not take it."""
        for worker in (self._workers[target], source):
            if worker.ready and worker.channel:
                with contextlib.suppress(OSError):
                    send_state(worker.channel, b"V", state, sock)
                    worker.connections += 1
                    break
        sock.close()

    def close(self) -> None:
        """Closes what nobody took."""
        for worker in self._workers:
            for _, sock in worker.outbox:
                sock.close()
            worker.outbox.clear()
