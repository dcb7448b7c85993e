"""Connections to servers that MIGRATE sends keys to: blocking, with a time limit, kept for a while.

A worker does nothing else while it migrates, as Redis does not: so nobody sees a key in neither or both
places. Connections are kept for ten seconds, because keys are often migrated one after the other.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from shmredis.commands.arguments import shown
from shmredis.commands.resp import CommandError, encode_request

__all__ = ["Link", "LinkLost", "Target", "keep", "open_link"]

KEEP_S = 10.0
LINKS_MAX = 64
PORT_BITS = 0xFFFF
UNKNOWN_HOST = "IOERR error or timeout connecting to the client"
REFUSES = "ERR Target instance replied with error: "


class LinkLost(CommandError):
    """The target cannot be reached, or does not answer in time."""

    def __init__(self, doing: str, *, timed_out: bool) -> None:
        super().__init__(f"IOERR error or timeout {doing} to target instance")
        self.timed_out = timed_out


@dataclass(slots=True, frozen=True)
class Target:
    """Where to, and as whom."""

    host: str
    port: int
    credentials: tuple[bytes, ...] = ()  # the arguments of AUTH


@dataclass(slots=True)
class Link:
    """One connection. `fresh`: nobody has logged in yet."""

    target: Target
    sock: socket.socket
    db: int = 0
    fresh: bool = True
    was_kept: bool = False
    used_s: float = 0.0
    _input: bytearray = field(default_factory=bytearray)

    def ask(self, commands: Iterable[tuple[bytes, ...]], timeout_s: float) -> list[str]:
        """Sends all commands, then reads a line in reply to each. Raises: LinkLost."""
        requests = [encode_request(command) for command in commands]
        self._send(b"".join(requests), timeout_s)
        return [self._read_line() for _ in requests]

    def _send(self, data: bytes, timeout_s: float) -> None:
        self.sock.settimeout(timeout_s)
        rest = memoryview(data)
        try:
            while rest:  # each part has the whole time
                rest = rest[self.sock.send(rest) :]
        except OSError as error:
            raise LinkLost("writing", timed_out=isinstance(error, TimeoutError)) from None

    def _read_line(self) -> str:
        while (end := self._input.find(b"\r\n")) < 0:
            try:
                more = self.sock.recv(65536)
            except OSError as error:
                raise LinkLost("reading", timed_out=isinstance(error, TimeoutError)) from None
            if not more:
                raise LinkLost("reading", timed_out=False)
            self._input += more
        line = bytes(self._input[:end])
        del self._input[: end + 2]
        return shown(line)

    def use(self, db: int, timeout_s: float) -> None:
        """Logs in, if it is fresh, and selects the database. Raises: LinkLost, CommandError."""
        commands = []
        if self.fresh and self.target.credentials:
            commands.append((b"AUTH", *self.target.credentials))
        if db != self.db:
            commands.append((b"SELECT", b"%d" % db))
        for line in self.ask(commands, timeout_s):
            if line.startswith("-"):
                raise CommandError(REFUSES + line[1:])
        self.db, self.fresh = db, False


_links: dict[Target, Link] = {}


def open_link(target: Target, timeout_s: float) -> Link:
    """A connection that is kept, or a new one. Raises: LinkLost, CommandError."""
    if link := _links.pop(target, None):
        link.was_kept = True
        return link
    return Link(target, _connect(target, timeout_s))


def keep(link: Link) -> None:
    """The connection may be used again; it is closed when nobody does so in time."""
    while len(_links) >= LINKS_MAX:
        _links.pop(next(iter(_links))).sock.close()
    link.used_s = time.monotonic()
    _links[link.target] = link
    with contextlib.suppress(RuntimeError):  # no event loop: in tests
        asyncio.get_running_loop().call_later(KEEP_S, _close_unused)


def _close_unused() -> None:
    for target, link in list(_links.items()):
        if time.monotonic() - link.used_s >= KEEP_S:
            del _links[target]
            link.sock.close()


def _connect(target: Target, timeout_s: float) -> socket.socket:
    try:
        sock = socket.create_connection((target.host, target.port & PORT_BITS), timeout_s)
    except (socket.gaierror, UnicodeError):
        raise CommandError(UNKNOWN_HOST) from None
    except OSError as error:
        raise LinkLost("writing", timed_out=isinstance(error, TimeoutError)) from None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
