"""A TLS connection: bytes go through a transport of uvloop, which encrypts them."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from shmredis._core import ffi, lib
from shmredis.front.channel import Kind
from shmredis.worker.connection import Connection

if TYPE_CHECKING:
    from shmredis.worker.server import Server

__all__ = ["TlsConnection"]

WRITE_HIGH = 1 << 20  # bytes in the transport's queue above which we hear of its draining
READ_STOP = 64 << 20  # unsent bytes above which no more is read

_size = ffi.new("size_t *")


class TlsConnection(Connection, asyncio.BufferedProtocol):
    """The core reads from and writes to memory only."""

    def __init__(self, server: "Server", number: int) -> None:
        super().__init__(server, Kind.TLS, number)
        self._transport: Any = None
        self._buffer: Any = server.shared_input
        self._queued = False  # the transport may hold unsent bytes
        self._stopped_reading = False

    # --- asyncio ---

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH)
        self._begin(transport.get_extra_info("socket"), -1)
        if self._server.config["tls-auth-clients-user"] == "CN":
            self._log_in_by_certificate(transport.get_extra_info("peercert"))

    def _log_in_by_certificate(self, certificate: Any) -> None:
        """The client is the user whom its certificate's common name says, if there is one who may log in."""
        name = _common_name(certificate)
        user = self._server.users.get(name) if name else None
        if user and user.enabled:
            self._server.users.log_in(self, user.name)
            lib.session_set_flag(self.session, lib.SESSION_AUTHENTICATED, True)
        elif name:
            self._server.denials.note_login(self, "toplevel", b"", name, reason="tls-cert")

    def connection_lost(self, exc: BaseException | None) -> None:
        self._end()

    def get_buffer(self, sizehint: int) -> Any:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._queued and not self._transport.get_write_buffer_size():
            self._queued = False
            lib.session_output_done(self.session, True)
        if outcome := lib.session_feed(self.session, nbytes):
            self._handle(outcome)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        """The queue is long; resume_writing tells when it is short again."""

    def resume_writing(self) -> None:
        if self._stopped_reading:
            self._stopped_reading = False
            self._transport.resume_reading()
        self.go_on()

    # --- Connection ---

    def _write(self) -> bool:
        data = lib.session_output(self.session, _size)
        self._transport.write(bytes(ffi.buffer(data, _size[0])))
        lib.session_output_done(self.session, False)
        self._queued = True
        queued = self.queued_output
        if queued > READ_STOP and not self._stopped_reading:
            self._stopped_reading = True
            self._transport.pause_reading()
        return self.check_output(queued, time.monotonic())

    def _may_go_on(self) -> bool:
        return not self._stopped_reading

    def _buffer_changed(self) -> None:
        place = lib.session_input(self.session, _size)
        if place == self._server.shared_place:
            self._buffer = self._server.shared_input
        else:
            self._buffer = ffi.buffer(place, _size[0])

    def _move(self) -> None:
        """What the transport knows of the encryption cannot be moved; the core never asks."""

    def close(self) -> None:
        self._transport.abort()

    def flush_and_close(self) -> None:
        self._transport.close()

    @property
    def queued_output(self) -> int:
        return int(self._transport.get_write_buffer_size())


def _common_name(certificate: Any) -> str:
    """Of a verified certificate as `ssl` gives it; empty if there is none."""
    for part in (certificate or {}).get("subject", ()):
        for key, value in part:
            if key == "commonName":
                return str(value)
    return ""
