"""The listening sockets: TCP on each address of `bind`, TLS, and a unix socket."""

import contextlib
import errno
import logging
import socket
from dataclasses import dataclass
from pathlib import Path

from shmredis.config import Config
from shmredis.front.channel import Kind

__all__ = [
    "ListenError",
    "Listener",
    "Place",
    "close_all",
    "open_listeners",
    "open_places",
    "wanted_places",
]

log = logging.getLogger(__name__)

PORTS = ((Kind.TCP, "port"), (Kind.TLS, "tls-port"))
NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ENOPROTOOPT)


class ListenError(Exception):
    """A socket cannot be opened; the text is the log line."""


@dataclass(slots=True, frozen=True)
class Listener:
    """One listening socket. `place` is what of the configuration it is for."""

    kind: Kind
    sock: socket.socket
    place: "Place | None" = None

    def close(self) -> None:
        self.sock.close()


@dataclass(slots=True, frozen=True)
class Place:
    """An address of `bind` with a port; one with a leading minus may be missing."""

    kind: Kind
    word: str
    port: int

    @property
    def address(self) -> str:
        return self.word.removeprefix("-")

    @property
    def optional(self) -> bool:
        return self.word.startswith("-")

    @property
    def label(self) -> str:
        return "tcp" if self.kind is Kind.TCP else "tls"


def open_listeners(config: Config) -> list[Listener]:
    """All sockets that the configuration asks for. Raises: ListenError."""
    listeners: list[Listener] = []
    if not wanted_places(config) and not config["unixsocket"]:
        raise ListenError("Configured to not listen anywhere, exiting.")
    try:
        for kind, name in PORTS:
            if config[name]:
                listeners += _open_port(config, kind, config[name])
        if path := config["unixsocket"]:
            listeners.append(_open_unix(config, path))
    except BaseException:
        close_all(listeners)
        raise
    return listeners


def _open_port(config: Config, kind: Kind, port: int) -> list[Listener]:
    listeners = open_places(places_of(config, kind, port), config["tcp-backlog"])
    if not listeners:
        raise ListenError(f"Failed listening on port {port} ({kind.name.lower()}), aborting.")
    return listeners


def wanted_places(config: Config) -> list[Place]:
    """Where the configuration has the server listen for TCP and TLS."""
    return [
        place
        for kind, name in PORTS
        if config[name]
        for place in places_of(config, kind, config[name])
    ]


def places_of(config: Config, kind: Kind, port: int) -> list[Place]:
    return [Place(kind, word, port) for word in config["bind"]]


def open_places(places: list[Place], backlog: int) -> list[Listener]:
    """A socket for each place that there is. Raises: ListenError, then none is open."""
    listeners: list[Listener] = []
    for place in places:
        try:
            sock = _bind(place.address, place.port, backlog)
        except OSError as error:
            unknown = isinstance(error, socket.gaierror)
            log.warning(
                "Warning: Could not create server TCP listening socket %s:%d: %s%s",
                place.address,
                place.port,
                "" if unknown else "bind: ",
                error.strerror,
            )
            if place.optional and error.errno in NOT_HERE:
                continue
            close_all(listeners)
            raise ListenError(
                f"Failed listening on port {place.port} ({place.label}), aborting."
            ) from error
        listeners.append(Listener(place.kind, sock, place))
    return listeners


def close_all(listeners: list[Listener]) -> None:
    for listener in listeners:
        listener.close()


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
