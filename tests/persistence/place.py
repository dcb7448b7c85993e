"""A server that is started again and again in one place: same port, directory and shared memory."""

import contextlib
import os
import re
import signal
from collections.abc import Iterator

from tests.harness.server import Server, is_alive, wait_until

__all__ = ["SAVES", "Place", "place", "worker_pids"]

# There are save rules, none of which comes true; a killed snapshotter does not stop writes.
SAVES = ("--save", "3600 1000000", "--stop-writes-on-bgsave-error", "no")


class Place(Server):
    """The present server, and what it leaves."""

    def again(self, *options: str, workers: int = 1) -> None:
        """Starts a server where one has ended, and waits until it serves."""
        self.launch(*options, workers=workers)
        self.wait_ready()

    def end(self, sig: signal.Signals = signal.SIGTERM) -> None:
        """Ends all processes: in order, or all at once by SIGKILL."""
        pids = [self.process.pid, *self.children()]
        if sig == signal.SIGKILL:
            for pid in pids[::-1]:
                os.kill(pid, sig)
        else:
            self.process.send_signal(sig)
        self.process.wait(20)
        wait_until(lambda: not any(is_alive(pid) for pid in pids[1:]))
        if self._log:
            self._log.close()

    def digest(self) -> bytes:
        with self.client() as client:
            return client.call("DEBUG", "DIGEST")

    def values(self) -> dict[tuple[int, bytes], bytes]:
        """Digests of all values by database and key: the same with any number of workers."""
        found = {}
        with self.client() as client:
            for db in range(3):
                client.call("SELECT", db)
                for key in client.value("KEYS", "*"):
                    found[db, key] = client.call("DEBUG", "DIGEST-VALUE", key)
        return found

    def chosen(self) -> str:
        """The line of the log that says what the server began with."""
        pattern = (
            r"^.* [*#] ((?:Re-attached|DB loaded from (?:disk|append only)|Starting without).*)$"
        )
        found = re.findall(pattern, self.log(), re.M)
        assert len(found) <= 1, found
        return found[0] if found else ""

    def clear(self) -> None:
        """Ends whatever is left and removes it all."""
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        if self._log:
            self._log.close()
        for path in self.shm_objects():
            path.unlink(missing_ok=True)
        self.check_clean()


def worker_pids(server: Server) -> list[int]:
    """By number of the worker."""
    with server.client() as client:
        text = client.value("INFO", "workers").decode()
    return [int(pid) for pid in re.findall(r"^worker\d+:.*?\bpid=(\d+)", text, re.M)]


@contextlib.contextmanager
def place(*options: str, workers: int = 1) -> Iterator[Place]:
    """A server with save rules, and room for its successors."""
    here = Place(*SAVES, *options, workers=workers)
    try:
        here.wait_ready()
        yield here
    finally:
        here.clear()
