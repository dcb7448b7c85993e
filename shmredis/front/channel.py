"""What front and worker tell each other over their socket pair: one-letter messages, with sockets.

front -> worker   C<id>:<kind>…  connections, one file descriptor for each letter of kinds; they have
                                 the client ids from <id> on
                  D<worker>      that other worker has died
                  J<n>           n more connections were refused
                  O              all workers have their data: no more LOADING
                  P<n>           hold all writes, as for CLIENT PAUSE; P<n> is the answer
                  U              clients may go on
                  K<n>           save; the answer is K<n>:<error>, or nothing behind the colon
                  N<n>           stop saving
                  A              the SHUTDOWN that was asked for has failed
                  Z<done>        the answer to Z: a SHUTDOWN was aborted, or there was none (1 or 0)
                  Q<keep>        end in order, the arena stays for the next server or not (1 or 0)
worker -> front   R<origin>      can be reached; with what it began with if it has all its data
                  L<origin>      has loaded its data
                  F              could not start or load; the text that follows says why
                  X<n>           n connections were closed
                  G              directives have changed; pairs of name and value follow in JSON
                  E<modules>     modules have changed: all there are, JSON of module/loaded.py
                  W<wanted>      a log that was switched on wants its first base, or has it (1 or 0)
                  B              listen where the directives say now; the answer is B<why not>
                  Y<dir>         a log is about to be written there; the answer is Y<why not>
                  S<request>     a client asked for SHUTDOWN, JSON of front/shutdown.py
                  Z              a client asked for SHUTDOWN ABORT
                  M<worker>:     a connection moves to that worker; its socket comes along, its state
                                 follows. The front passes it on:
front -> worker   V              a connection of another worker, with its state
"""

import array
import socket
from enum import Enum

__all__ = [
    "MAX_BATCH",
    "MESSAGE_MAX",
    "Kind",
    "read_batch",
    "receive_with_sockets",
    "send_sockets",
    "send_state",
    "socket_pair",
]

MAX_BATCH = 64  # file descriptors in one message; the kernel allows 253
MESSAGE_MAX = 128 << 10


class Kind(Enum):
    """How a connection came in."""

    TCP = b"t"
    TLS = b"s"
    UNIX = b"u"


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that keep message boundaries."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send_sockets(
    channel: socket.socket, first_id: int, batch: list[tuple[Kind, socket.socket]]
) -> None:
    """Hands sockets over without waiting; the caller closes its own copies.

    Raises: BlockingIOError when the channel is full, OSError.
    """
    kinds = b"".join(kind.value for kind, _ in batch)
    fds = array.array("i", [sock.fileno() for _, sock in batch])
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)]
    channel.sendmsg([b"C%d:%b" % (first_id, kinds)], rights, socket.MSG_DONTWAIT)


def send_state(channel: socket.socket, head: bytes, state: bytes, sock: socket.socket) -> None:
    """A connection that moves: the socket and what its worker knew of it.

    Raises: BlockingIOError when the channel is full, OSError.
    """
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))]
    channel.sendmsg([head + state], rights, socket.MSG_DONTWAIT)


def receive_with_sockets(
    channel: socket.socket, flags: int = 0
) -> tuple[bytes, list[socket.socket]]:
    """One message and the sockets that came with it. Empty bytes: the other end is gone."""
    room = socket.CMSG_SPACE(MAX_BATCH * array.array("i").itemsize)
    data, ancillary, _, _ = channel.recvmsg(MESSAGE_MAX, room, flags)  # recv_fds forgets the flags
    fds = array.array("i")
    for level, kind, rights in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(rights[: len(rights) - len(rights) % fds.itemsize])
    return data, [socket.socket(fileno=fd) for fd in fds]


def read_batch(message: bytes) -> tuple[int, list[Kind]]:
    """The first id and the kinds of a C message."""
    number, _, kinds = message[1:].partition(b":")
    return int(number), [Kind(bytes([kind])) for kind in kinds]
