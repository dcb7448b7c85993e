"""Connections that have not said anything yet, and what their first bytes say about where they belong.

With several workers a plain connection waits here until its first command can be seen (never read: the
bytes stay in the socket). An idle one costs the workers nothing.
"""

import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shmredis._core import lib
from shmredis.front.channel import Kind
from shmredis.front.handover import ANY

__all__ = ["Lobby"]

PEEK_BYTES = 16 << 10
PATIENCE_S = 0.005  # for the rest of a first command
EVENTS = 256  # at a time
# Edge-triggered: a connection is looked at again only when more bytes have come.
INTEREST = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET


@dataclass(slots=True)
class Guest:
    """One waiting connection."""

    kind: Kind
    sock: socket.socket
    since_s: float


class Lobby:
    """`leave` takes a connection and its owner as soon as that is known."""

    def __init__(self, workers: int, leave: Callable[[Kind, socket.socket, int], None]) -> None:
        self._router = lib.router_new(workers)
        self._leave = leave
        self._epoll = select.epoll()
        self._guests: dict[int, Guest] = {}  # by file descriptor, oldest first
        self._unclear: dict[int, float] = {}  # began a command; until when we wait for its rest

    @property
    def guests(self) -> int:
        """How many connections wait."""
        return len(self._guests)

    def fileno(self) -> int:
        """Readable when `look` has something to do."""
        return self._epoll.fileno()

    def add(self, kind: Kind, sock: socket.socket) -> None:
        fd = sock.fileno()
        self._guests[fd] = Guest(kind, sock, time.monotonic())
        self._epoll.register(fd, INTEREST)

    def look(self) -> None:
        """Looks at the connections that have sent something or are gone."""
        for fd, _ in self._epoll.poll(0, EVENTS):
            guest = self._guests[fd]
            try:
                data = guest.sock.recv(PEEK_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self._take(fd).sock.close()
                continue
            owner = lib.router_peek(self._router, data, len(data))
            if owner == lib.ROUTE_MORE and len(data) < PEEK_BYTES:
                self._unclear.setdefault(fd, time.monotonic() + PATIENCE_S)
            else:
                self._send_off(fd, owner)

    def _take(self, fd: int) -> Guest:
        # Closing our copy would not do: the worker's keeps the connection in the epoll set.
        self._epoll.unregister(fd)
        self._unclear.pop(fd, None)
        return self._guests.pop(fd)

    def _send_off(self, fd: int, owner: int) -> None:
        guest = self._take(fd)
        self._leave(guest.kind, guest.sock, owner if owner >= 0 else ANY)

    @property
    def deadline_s(self) -> float | None:
        """When `mind_time` has something to do about unfinished first commands."""
        return next(iter(self._unclear.values()), None)

    def mind_time(self, now_s: float, idle_limit_s: int) -> None:
        """Sends those off whose first command stays unfinished; closes the idle ones (0: no limit)."""
        for fd in list(self._overdue(now_s)):
            self._send_off(fd, ANY)
        if idle_limit_s:
            for fd in list(self._idle(now_s - idle_limit_s)):
                self._take(fd).sock.close()

    def _overdue(self, now_s: float) -> Iterator[int]:
        for fd, until in self._unclear.items():
            if until > now_s:
                return
            yield fd

    def _idle(self, before_s: float) -> Iterator[int]:
        for fd, guest in self._guests.items():
            if guest.since_s > before_s:
                return
            yield fd

    def close(self) -> None:
        for guest in self._guests.values():
            guest.sock.close()
        self._guests.clear()
        self._epoll.close()
        lib.router_delete(self._router)
