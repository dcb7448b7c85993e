"""Accepting connections and handing them to workers; after that the front sees no byte of them."""

import logging
import socket
from collections.abc import Callable

from shmredis.config import Config
from shmredis.front.channel import MAX_BATCH, Kind, send_sockets
from shmredis.front.listeners import Listener

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
    """Takes connections from listening sockets to the worker with the fewest of them.

    `worker_channel` gives the channel of the worker to hand over to, or None while there is none: then
    connections wait in the listen queue.
    """

    def __init__(self, config: Config, worker_channel: Callable[[], socket.socket | None]) -> None:
        self._config = config
        self._worker_channel = worker_channel
        self.connections = 0  # handed over and not yet closed
        self.refused = 0

    def accept(self, listener: Listener) -> None:
        """Takes what has arrived on one listening socket, a batch at most."""
        channel = self._worker_channel()
        if channel is None:
            return
        batch: list[tuple[Kind, socket.socket]] = []
        try:
            while len(batch) < MAX_BATCH and (sock := self._accept_one(listener)):
                if self._admit(sock, listener.kind):
                    batch.append((listener.kind, sock))
            if batch:
                send_sockets(channel, batch)
                self.connections += len(batch)
        except OSError as error:
            log.warning("Error accepting a client connection: %s", error)
        finally:
            for _, sock in batch:
                sock.close()

    def _accept_one(self, listener: Listener) -> socket.socket | None:
        try:
            sock, _ = listener.sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return None
        return sock

    def _admit(self, sock: socket.socket, kind: Kind) -> bool:
        if self.connections >= self._config["maxclients"]:
            self.refused += 1
            return self._turn_away(sock, REFUSED)
        if kind is not Kind.UNIX:
            if self._protected() and not _is_local(sock):
                return self._turn_away(sock, DENIED)
            self._set_options(sock)
        return True

    def _protected(self) -> bool:
        return bool(self._config["protected-mode"] and not self._config["requirepass"])

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
