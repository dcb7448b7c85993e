"""A plain TCP or unix connection: the core reads and sends by itself, all sockets in one poll."""

import asyncio
import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING

from shmredis._core import ffi, lib
from shmredis.engine import session_info
from shmredis.front.channel import Kind
from shmredis.worker.connection import Connection

if TYPE_CHECKING:
    from shmredis.worker.server import Server

__all__ = ["SocketConnection", "Sockets"]

CORE_STATE = (
    *("db", "resp", "flags", "created_ms", "last_ms", "net_in", "net_out", "commands", "reads"),
    "last_command",
)
TEXT_STATE = ("name", "lib_name", "lib_ver")

_size = ffi.new("size_t *")


class SocketConnection(Connection):
    """Owns the socket. Raises: OSError when it cannot be watched."""

    def __init__(self, server: "Server", kind: Kind, number: int, sock: socket.socket) -> None:
        super().__init__(server, kind, number)
        self._sock = sock
        self._closing = False
        sock.setblocking(False)
        if kind is Kind.TCP:
            with contextlib.suppress(OSError):  # it may be gone already
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._begin(sock, sock.fileno())
        if not lib.session_watch(self.session):
            self._end()
            raise OSError("the socket cannot be watched")

    def _write(self) -> bool:
        """The core sends when the socket takes more; only the limits are looked at."""
        return self.check_output(self.queued_output, time.monotonic())

    def _buffer_changed(self) -> None:
        """The core reads to where it wants."""

    # --- moving to another worker ---

    def _move(self) -> None:
        worker = lib.session_home(self.session)
        if worker < 0 or self._closing or self._task:
            return
        with contextlib.suppress(OSError):  # the front is slow to listen: it stays for now
            self._server.send_away(worker, self._state(), self._sock)
            self.close()

    def _state(self) -> bytes:
        info = session_info(self.session)
        core = {field: getattr(info, field) for field in CORE_STATE}
        texts = {field: getattr(self, field).decode("latin-1") for field in TEXT_STATE}
        about = {"id": self.id, "kind": self._kind.value.decode(), "user": self.user}
        return json.dumps({"about": about, "core": core, "texts": texts}).encode()

    @classmethod
    def restore(cls, server: "Server", state: bytes, sock: socket.socket) -> None:
        """The connection that another worker has sent away. Raises: OSError."""
        saved = json.loads(state)
        about = saved["about"]
        connection = cls(server, Kind(about["kind"].encode()), about["id"], sock)
        for field, text in saved["texts"].items():
            setattr(connection, field, text.encode("latin-1"))
        info = ffi.new("struct session_info *", saved["core"])
        lib.session_restore(connection.session, info)
        if not server.users.log_in(connection, about["user"]):  # deleted on the way
            connection.close()
        name = connection.name
        lib.session_set_name(connection.session, name, len(name))

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            lib.session_unwatch(self.session)
            asyncio.get_running_loop().call_soon(self._close_now)  # callers still use the session

    def _close_now(self) -> None:
        self._end()
        self._sock.close()

    def flush_and_close(self) -> None:
        if self._closing:
            return
        if self.queued_output:
            lib.session_set_flag(self.session, lib.SESSION_CLOSING, True)  # the core tells the end
        else:
            self.close()

    @property
    def queued_output(self) -> int:
        lib.session_output(self.session, _size)
        return int(_size[0])


class Sockets:
    """Has the core serve all plain connections of a worker whenever some are ready."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._engine = server.engine.handle
        self._fd = lib.engine_poll_fd(self._engine)
        if self._fd < 0:
            raise OSError("epoll is not available")
        asyncio.get_running_loop().add_reader(self._fd, self._serve)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)

    def _serve(self) -> None:
        if found := lib.engine_poll(self._engine):
            self._server.attend(found)
