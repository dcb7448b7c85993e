"""A RESP client that gives raw bytes: tests compare replies to the byte."""

import socket
from typing import Any

__all__ = ["Client", "encode", "parse", "parse_all", "split", "split_reply"]


def encode(*words: str | bytes | int) -> bytes:
    """A command as an array of bulk strings."""
    args = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(a), a) for a in args)


class Client:
    """A blocking connection. `call` is a command and the raw bytes of its reply."""

    def __init__(self, port: int, resp: int = 2, timeout: float = 20) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.sock.makefile("rb")
        if resp == 3:
            self.call("HELLO", "3")

    def call(self, *words: str | bytes | int) -> bytes:
        self.sock.sendall(encode(*words))
        return self.read()

    def value(self, *words: str | bytes | int) -> Any:
        """The reply as Python values; errors are returned as ValueError."""
        return parse(self.call(*words))

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self) -> bytes:
        """The raw bytes of one reply. Raises: ConnectionError when the server has closed."""
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed by the server")
        kind, rest = line[:1], line[1:-2]
        if kind in b"$=!" and rest != b"-1":
            return line + self._file.read(int(rest) + 2)
        if kind in b"*~>%" and rest != b"-1":
            items = int(rest) * (2 if kind == b"%" else 1)
            return line + b"".join(self.read() for _ in range(items))
        return line

    def closed(self) -> bool:
        """Waits for the server to close; False if it sends something instead."""
        return not self._file.read(1)

    def ended(self) -> bool:
        """The same, or whether it is gone altogether."""
        try:
            return self.closed()
        except ConnectionError:
            return True

    def close(self) -> None:
        self._file.close()
        self.sock.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def parse(data: bytes) -> Any:
    """Python values of one raw reply."""
    return _parse(data, 0)[0]


def parse_all(data: bytes) -> list[Any]:
    """Python values of raw replies, one after the other."""
    return [parse(reply) for reply in split(data)]


def split(data: bytes) -> list[bytes]:
    """Raw replies that came one after the other."""
    replies, at = [], 0
    while at < len(data):
        start, (_, at) = at, _parse(data, at)
        replies.append(data[start:at])
    return replies


def split_reply(data: bytes) -> list[bytes]:
    """The raw elements of an aggregate, a map's as keys and values in turn; any other reply as it is."""
    if data[:1] not in (b"*", b"~", b">", b"%"):
        return [data]
    return split(data[data.index(b"\r\n") + 2 :])


def _parse(data: bytes, at: int) -> tuple[Any, int]:
    end = data.index(b"\r\n", at)
    kind, rest, at = data[at : at + 1], data[at + 1 : end], end + 2
    if kind in b":(":
        return int(rest), at
    if kind == b"+":
        return rest.decode(), at
    if kind == b"-":
        return ValueError(rest.decode(errors="backslashreplace")), at
    if kind == b",":
        return float(rest), at
    if kind == b"#":
        return rest == b"t", at
    if kind == b"_" or rest == b"-1":
        return None, at
    if kind in b"$=":
        n = int(rest)
        return data[at : at + n], at + n + 2
    items = []
    for _ in range(int(rest) * (2 if kind == b"%" else 1)):
        item, at = _parse(data, at)
        items.append(item)
    if kind == b"%":
        return dict(zip(items[::2], items[1::2], strict=True)), at
    return items, at
