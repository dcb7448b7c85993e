"""Accepting connections and handing them to workers; after that the front sees no byte of them."""

import logging
import socket
from collections.abc import Callable

from shmredis.config import Config
from shmredis.front.channel import MAX_BATCH, Kind
from shmredis.front.handover import Handover
from shmredis.front.listeners import Listener
from shmredis.front.lobby import Lobby

__all__ = ["Acceptor"]

log = logging.getLogger(__name__)

REFUSED = b"-ERR max number of clients reached\r\n"
DENIED = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password "
    b"is set for the default user. In this mode connections are only accepted from the loopback "
    b"interface. If you want to connect from external computers to Redis you may adopt one of the "
    b"following solutions: 1) Just disable protected mode sending the command 'CONFIG SET "
    b"protected-mode no' from the loopback interface by connecting to Redis from the same host the "
    b"server is running, however MAKE SURE Redis is not publicly accessible from internet if you do "
    b"so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable "
    b"the protected mode by editing the Redis configuration file, and setting the protected mode "
    b"option to 'no', and then restarting the server. 3) If you started the server manually just "
    b"for testing, restart it with the '--protected-mode no' option. 4) Set up an authentication "
    b"password for the default user. NOTE: You only need to do one of the above things in order for "
    b"the server to start accepting connections from the outside.\r\n"
)


class Acceptor:
    """Takes connections from listening sockets and lets in those that may come.

    With several workers the plain ones go to the lobby, all others straight to a worker. While no worker
    serves, connections wait in the listen queue.
    """

    def __init__(
        self,
        config: Config,
        is_open: Callable[[], bool],
        handover: Handover,
        lobby: Lobby | None,
        catch_up: Callable[[], None],
    ) -> None:
        """`is_open`: whether clients need no password."""
        self._config = config
        self._is_open = is_open
        self._handover = handover
        self._lobby = lobby
        self._catch_up = catch_up
        self.refused = 0

    def accept(self, listener: Listener) -> None:
        """Takes what has arrived on one listening socket, a batch at most.

        A client that has seen the OK of CONFIG SET may connect at once: before connections that are here
        are judged, all is heard that workers have said until now.
        """
        if not self._handover.possible:
            return
        arrived = self._arrivals(listener)
        if arrived:
            self._catch_up()
        for sock in arrived:
            self._judge(sock, listener.kind)

    def _arrivals(self, listener: Listener) -> list[socket.socket]:
        arrived: list[socket.socket] = []
        try:
            while len(arrived) < MAX_BATCH and (sock := self._accept_one(listener)):
                arrived.append(sock)
        except OSError as error:
            log.warning("Error accepting a client connection: %s", error)
        return arrived

    def _judge(self, sock: socket.socket, kind: Kind) -> None:
        try:
            if self._admit(sock, kind):
                self._let_in(kind, sock)
        except OSError as error:
            log.debug("a client was gone before it was let in: %s", error)
            sock.close()

    @property
    def _places(self) -> int:
        guests = self._lobby.guests if self._lobby else 0
        return int(self._config["maxclients"]) - self._handover.connections - guests

    def _let_in(self, kind: Kind, sock: socket.socket) -> None:
        if self._lobby is None or kind is Kind.TLS:
            self._handover.add(kind, sock)
        else:
            self._lobby.add(kind, sock)

    def _accept_one(self, listener: Listener) -> socket.socket | None:
        try:
            sock, _ = listener.sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return None
        return sock

    def _admit(self, sock: socket.socket, kind: Kind) -> bool:
        if self._places <= 0:
            self.refused += 1
            return self._turn_away(sock, REFUSED)
        if kind is not Kind.UNIX:
            if self._protected() and not _is_local(sock):
                return self._turn_away(sock, DENIED)
            self._set_options(sock)
        return True

    def _protected(self) -> bool:
        return bool(self._config["protected-mode"] and self._is_open())

    def _turn_away(self, sock: socket.socket, message: bytes) -> bool:
        try:
            sock.setblocking(False)
            sock.send(message)
        except OSError:
            log.debug("a refused client was gone before it was told")
        sock.close()
        return False

    def _set_options(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if interval := self._config["tcp-keepalive"]:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, interval)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(interval // 3, 1))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _is_local(sock: socket.socket) -> bool:
    host = str(sock.getpeername()[0])
    return host.startswith("127.") or host == "::1" or host.startswith("::ffff:127.")
