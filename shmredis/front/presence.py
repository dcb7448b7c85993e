"""The front's mark that it lives, and waiting for what a front that is gone has left running.

Workers whose front was killed end by themselves, but not at once: they write out their logs, or are in the
midst of a command. Until then they hold the locks of the server's objects (front/shm.py), as the workers of
a living server do. The mark tells the two apart: an abstract socket of the front alone, which no name in a
file system outlives.
"""

import contextlib
import logging
import socket
import time

from shmredis.front.shm import is_locked, leftovers, object_base

__all__ = ["Presence"]

log = logging.getLogger(__name__)

PATIENCE_S = 10.0  # with processes of a server that is gone
LOOK_S = 0.01


class Presence:
    """Held by the front while it lives; workers close their copy."""

    def __init__(self, base_name: str) -> None:
        """Waits for the end of a predecessor's workers, unless that lives itself."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if self._mark(base_name):
            _await_orphans(base_name)

    def _mark(self, base_name: str) -> bool:
        """False: another front has it. Objects of the same name need not be the same ones, though."""
        name = object_base(base_name)[1:].encode()
        with contextlib.suppress(OSError):
            self._socket.bind(b"\0shmredis/" + name[:90])
            return True
        return False

    def close(self) -> None:
        self._socket.close()


def _await_orphans(base_name: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    told = False
    while any(map(is_locked, leftovers(base_name))) and time.monotonic() < deadline:
        if not told:
            log.info("Processes of a server that is gone still end: waiting for them")
        told = True
        time.sleep(LOOK_S)
