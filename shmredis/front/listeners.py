"""The listening sockets: TCP on each address of `bind`, TLS, and a unix socket."""

import contextlib
import errno
import logging
import socket
from dataclasses import dataclass
from pathlib import Path

from shmredis.config import Config
from shmredis.front.channel import Kind

__all__ = ["ListenError", "Listener", "open_listeners"]

log = logging.getLogger(__name__)

NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ENOPROTOOPT)


class ListenError(Exception):
    """A socket cannot be opened; the text is the log line."""


@dataclass(slots=True, frozen=True)
class Listener:
    """One listening socket."""

    kind: Kind
    sock: socket.socket

    def close(self) -> None:
        self.sock.close()


def open_listeners(config: Config) -> list[Listener]:
    """All sockets that the configuration asks for. Raises: ListenError."""
    listeners: list[Listener] = []
    try:
        for kind, name in ((Kind.TCP, "port"), (Kind.TLS, "tls-port")):
            if config[name]:
                listeners += _open_tcp(config, kind, config[name])
        if path := config["unixsocket"]:
            listeners.append(_open_unix(config, path))
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _open_tcp(config: Config, kind: Kind, port: int) -> list[Listener]:
    listeners: list[Listener] = []
    label = "tcp" if kind is Kind.TCP else "tls"
    for word in config["bind"]:
        optional, address = word.startswith("-"), word.removeprefix("-")
        try:
            listeners.append(Listener(kind, _bind(address, port, config["tcp-backlog"])))
        except OSError as error:
            if optional and error.errno in NOT_HERE:
                continue
            log.warning(
                "Warning: Could not create server TCP listening socket %s:%d: bind: %s",
                address,
                port,
                error.strerror,
            )
            raise ListenError(f"Failed listening on port {port} ({label}), aborting.") from error
    if not listeners:
        raise ListenError(f"Failed listening on port {port} ({label}), aborting.")
    return listeners


def _bind(address: str, port: int, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    host = {"*": "", "::*": "::"}.get(address, address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _open_unix(config: Config, path: str) -> Listener:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()
        sock.bind(path)
        if config["unixsocketperm"]:
            Path(path).chmod(config["unixsocketperm"])
        sock.listen(config["tcp-backlog"])
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise ListenError(f"Failed opening Unix socket: bind: {error.strerror}") from error
    return Listener(Kind.UNIX, sock)
