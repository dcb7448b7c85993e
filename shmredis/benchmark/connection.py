"""A blocking RESP2 connection: single commands with their replies, and fast filling."""

import socket
from collections.abc import Iterable
from types import TracebackType

__all__ = ["Batch", "Connection", "ReplyError", "encode"]

Batch = tuple[bytes, int]
"""Encoded commands, and the number of lines that their replies have together."""

RECEIVE_BYTES = 1 << 16


class ReplyError(Exception):
    """The server answered with an error; its text."""


def encode(*words: bytes) -> bytes:
    """A command as an array of bulk strings."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


class Connection:
    """A client of the server at 127.0.0.1:port; every wait ends after `timeout` seconds."""

    def __init__(self, port: int, timeout: float = 120) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._sock.makefile("rb")

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._sock.close()

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def receive_into(self, buffer: bytearray) -> int:
        """Whatever is there, up to the size of the buffer; the number of bytes, 0 at the end."""
        return self._sock.recv_into(buffer)

    def read(self) -> bytes:
        """The raw bytes of one reply. Raises: ReplyError, ConnectionError."""
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ReplyError(rest.decode(errors="replace"))
        if kind == b"$" and rest != b"-1":
            return line + self._file.read(int(rest) + 2)
        if kind == b"*" and rest != b"-1":
            return line + b"".join(self.read() for _ in range(int(rest)))
        return line

    def call(self, *words: bytes) -> bytes:
        """Sends a command; the raw bytes of its reply. Raises: ReplyError, ConnectionError."""
        self.send(encode(*words))
        return self.read()

    def info(self, section: str) -> dict[str, str]:
        """The fields of a section of INFO."""
        lines = self.call(b"INFO", section.encode()).decode().split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def pour(self, batches: Iterable[Batch]) -> None:
        """Sends one batch after the other, waiting for all replies of each.

        No reply may contain a line feed inside a value. Raises: ReplyError, ConnectionError.
        """
        for data, lines in batches:
            self._sock.sendall(data)
            missing = lines
            while missing > 0:
                received = self._sock.recv(RECEIVE_BYTES)
                if not received:
                    raise ConnectionError("the server closed the connection")
                if received[:1] == b"-" or b"\n-" in received:
                    raise ReplyError(received[:200].decode(errors="replace"))
                missing -= received.count(b"\n")
