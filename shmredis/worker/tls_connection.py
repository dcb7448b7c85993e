"""TLS connections: the worker reads and writes their sockets by OpenSSL, the core knows memory only.

All of a worker's TLS sockets are in one epoll set, which the event loop watches. So they can be served
without the event loop, too: in the midst of a script that runs for long.
"""

import asyncio
import contextlib
import logging
import select
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

from shmredis._core import ffi, lib
from shmredis.front.channel import Kind
from shmredis.log import VERBOSE
from shmredis.worker.connection import Connection
from shmredis.worker.tls import TlsSettings

if TYPE_CHECKING:
    from shmredis.worker.server import Server

__all__ = ["TlsConnection", "TlsSockets"]

log = logging.getLogger(__name__)

HANDSHAKE_S = 60.0  # after which a client that has not finished it is dropped
BATCH = 128  # sockets in one round
RECORD = 16384  # bytes that one read gives at most
READS = 16  # of one socket in one round
PIECE = 65536  # bytes that are handed to OpenSSL at once
WRITE_LOW = 1 << 20  # unsent bytes below which reading goes on
PARTING_S = 30.0  # that a client has to take what it is owed when it is closed
READ_STOP = 64 << 20  # unsent bytes above which no more is read
GONE = select.EPOLLHUP | select.EPOLLERR

_size = ffi.new("size_t *")


class TlsSockets:
    """Accepts TLS connections and serves those that are ready. Raises: OSError."""

    def __init__(self, server: "Server", settings: TlsSettings) -> None:
        self._server = server
        self._settings = settings
        self._epoll = select.epoll()
        self._connections: dict[int, TlsConnection] = {}
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self.serve)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        self._epoll.close()

    def accept(self, sock: socket.socket, number: int) -> None:
        """Begins to shake hands. Raises: OSError, the socket is left as it is."""
        context = self._settings.context
        if context is None:
            raise ConnectionError("there is no TLS port any more")
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # it may be gone already
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wrapped = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        fd = wrapped.fileno()
        self._epoll.register(fd, select.EPOLLIN)
        self._connections[fd] = TlsConnection(self._server, self, number, wrapped)

    def serve(self, leave_out: int = 0) -> None:
        """Serves the sockets that are ready now, but for that of the client with this id."""
        for fd, events in self._epoll.poll(0, BATCH):
            connection = self._connections.get(fd)
            if connection is not None and connection.id != leave_out:
                connection.serve(events)

    def watch(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        if self._connections.pop(fd, None) is not None:
            self._epoll.unregister(fd)


class TlsConnection(Connection):
    """Owns the socket. It is a client of the server when hands are shaken."""

    def __init__(
        self, server: "Server", sockets: TlsSockets, number: int, sock: ssl.SSLSocket
    ) -> None:
        super().__init__(server, Kind.TLS, number)
        self._sockets = sockets
        self._sock = sock
        self._fd = sock.fileno()
        self._events = select.EPOLLIN
        self._unsent = bytearray()
        self._sent = 0  # bytes of it
        self._stopped_reading = False
        self._parting = False  # it closes when all is sent
        self._closing = False
        loop = asyncio.get_running_loop()
        self._too_late: asyncio.TimerHandle | None = loop.call_later(HANDSHAKE_S, self.close)

    def serve(self, events: int) -> None:
        """The socket is ready."""
        if self._too_late:
            self._shake_hands()
            return
        if self._unsent:
            self._send()
        if events & ~select.EPOLLOUT and not self._closing:
            self._read(gone=bool(events & GONE))

    # --- the handshake ---

    def _shake_hands(self) -> None:
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(select.EPOLLIN)
        except ssl.SSLWantWriteError:
            self._watch(select.EPOLLOUT)
        except (OSError, ValueError) as error:
            log.debug("Error accepting a client connection: %s", error)
            self.close()
        else:
            self._enter()

    def _enter(self) -> None:
        """It is a client from now on."""
        if self._too_late:
            self._too_late.cancel()
            self._too_late = None
        self._watch(select.EPOLLIN)
        self._begin(self._sock, -1)
        log.log(VERBOSE, "Accepted %s", self.addr)
        if self._server.config["tls-auth-clients-user"] == "CN":
            self._log_in_by_certificate(self._sock.getpeercert())
        self._read(gone=False)

    def _log_in_by_certificate(self, certificate: Any) -> None:
        """The client is the user whom its certificate's common name says, if there is one who may log in."""
        name = _common_name(certificate)
        user = self._server.users.get(name) if name else None
        if user and user.enabled:
            self._server.users.log_in(self, user.name)
            lib.session_set_flag(self.session, lib.SESSION_AUTHENTICATED, True)
        elif name:
            self._server.denials.note_login(self, "toplevel", b"", name, reason="tls-cert")

    # --- reading ---

    def _read(self, *, gone: bool) -> None:
        for _ in range(READS):
            if self._closing or self._parting or self._stopped_reading:
                return
            n = self._receive(gone)
            if n <= 0:
                return
            if outcome := lib.session_feed(self.session, n):
                self._handle(outcome)
            if n < RECORD and not self._sock.pending():
                return
        if self._sock.pending():  # which epoll does not know of
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._closing:
            self._read(gone=False)

    def _receive(self, gone: bool) -> int:
        """How many bytes there are at the core's place; 0: none now, or never again."""
        place = lib.session_input(self.session, _size)
        try:
            n = self._sock.recv_into(ffi.buffer(place, _size[0]))
        except ssl.SSLWantReadError:
            if gone:
                self.close()
            return 0
        except ssl.SSLWantWriteError:  # keys are renewed, and the socket is full
            self._watch(select.EPOLLIN | select.EPOLLOUT)
            return 0
        except OSError:  # ssl.SSLError is one
            self.close()
            return 0
        if not n:
            self.flush_and_close()
        return n

    # --- writing ---

    def _write(self) -> bool:
        data = lib.session_output(self.session, _size)
        self._unsent += ffi.buffer(data, _size[0])
        lib.session_output_done(self.session, False)
        self._send()
        if self._closing:
            return False
        queued = self.queued_output
        if queued > READ_STOP and not self._stopped_reading:
            self._stopped_reading = True
            self._watch_wanted()
        return self.check_output(queued, time.monotonic())

    def _send(self) -> None:
        """As much as the socket takes. What it did not take is tried again from the same place on."""
        with memoryview(self._unsent) as unsent:
            try:
                while self._sent < len(unsent):
                    self._sent += self._sock.send(unsent[self._sent : self._sent + PIECE])
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
            except OSError:
                self.close()
                return
        if self._sent == len(self._unsent):
            self._unsent.clear()
            self._sent = 0
        elif self._sent > READ_STOP:
            del self._unsent[: self._sent]
            self._sent = 0
        self._after_send()

    def _after_send(self) -> None:
        if self._parting and not self._unsent:
            self.close()
            return
        if self._stopped_reading and self.queued_output < WRITE_LOW:
            self._stopped_reading = False
            asyncio.get_running_loop().call_soon(self.go_on)
            asyncio.get_running_loop().call_soon(self._read_on)
        self._watch_wanted()

    def _watch_wanted(self) -> None:
        reads = not self._stopped_reading and not self._parting
        self._watch((select.EPOLLIN if reads else 0) | (select.EPOLLOUT if self._unsent else 0))

    def _watch(self, events: int) -> None:
        if events != self._events and not self._closing:
            self._events = events
            self._sockets.watch(self._fd, events)

    # --- Connection ---

    def _may_go_on(self) -> bool:
        return not self._stopped_reading

    def _buffer_changed(self) -> None:
        """The core is asked for the place before each read."""

    def _move(self) -> None:
        """What OpenSSL knows of the connection cannot be moved; the core never asks."""

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._sockets.forget(self._fd)
            asyncio.get_running_loop().call_soon(self._close_now)  # callers still use the session

    def _close_now(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._sock.unwrap()  # says that this is the end; nobody waits for an answer
        if self._too_late:
            self._too_late.cancel()
            self._server.count_closed()
            with contextlib.suppress(OSError):  # unread bytes would make it a reset
                socket.socket.recv(self._sock, PIECE)
        else:
            self._end()
        self._sock.close()

    def flush_and_close(self) -> None:
        self._parting = True
        if not self._closing:
            self._send()
        if not self._closing:
            asyncio.get_running_loop().call_later(PARTING_S, self.close)

    @property
    def queued_output(self) -> int:
        return len(self._unsent) - self._sent


def _common_name(certificate: Any) -> str:
    """Of a verified certificate as `ssl` gives it; empty if there is none."""
    for part in (certificate or {}).get("subject", ()):
        for key, value in part:
            if key == "commonName":
                return str(value)
    return ""
