"""What front and worker tell each other over their socket pair: one-letter messages, with sockets.

front -> worker   C<kind>…  connections, one file descriptor for each letter of kinds
                  Q         end in order
worker -> front   R         ready to serve
                  F         could not start; the text that follows says why
                  X<n>      n connections were closed
                  S         a client asked for SHUTDOWN
"""

import array
import socket
from enum import Enum

__all__ = ["MAX_BATCH", "Kind", "receive_with_sockets", "send_sockets", "socket_pair"]

MAX_BATCH = 64  # file descriptors in one message; the kernel allows 253
MESSAGE_MAX = 4096


class Kind(Enum):
    """How a connection came in."""

    TCP = b"t"
    TLS = b"s"
    UNIX = b"u"


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that keep message boundaries."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send_sockets(channel: socket.socket, batch: list[tuple[Kind, socket.socket]]) -> None:
    """Hands sockets over; the caller closes its own copies. Raises: OSError."""
    kinds = b"".join(kind.value for kind, _ in batch)
    fds = array.array("i", [sock.fileno() for _, sock in batch])
    channel.sendmsg([b"C" + kinds], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])


def receive_with_sockets(channel: socket.socket) -> tuple[bytes, list[socket.socket]]:
    """One message and the sockets that came with it. Empty bytes: the other end is gone."""
    data, fds, _, _ = socket.recv_fds(channel, MESSAGE_MAX, MAX_BATCH)
    return data, [socket.socket(fileno=fd) for fd in fds]
