"""A worker's part in the end of the server: clients are held, data is saved, or all goes on.

front/shutdown.py has the whole; its messages are in front/channel.py.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from shmredis.commands.context import ShutdownMode
from shmredis.persistence.desk import SaveFailed

__all__ = ["Closing"]

log = logging.getLogger(__name__)

FOR_EVER_MS = (1 << 63) - 1
MODES = {
    ShutdownMode.DEFAULT: "default",
    ShutdownMode.SAVE: "save",
    ShutdownMode.NOSAVE: "nosave",
}


class Server(Protocol):
    """What a stop needs of the worker."""

    def pause(self, until_ms: int, writes_only: bool) -> None: ...

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> object: ...


class Closing:
    """Answers the front, and keeps the client of SHUTDOWN waiting. `save` saves the whole server's data."""

    def __init__(
        self, server: Server, channel: socket.socket, save: Callable[[], Awaitable[None]]
    ) -> None:
        self._server = server
        self._channel = channel
        self._save = save
        self._failed: asyncio.Future[None] | None = None

    async def request(self, mode: ShutdownMode, *, now: bool, force: bool) -> None:
        """Asks for the end, and returns if it fails."""
        await self._ask({"mode": MODES[mode], "now": now, "force": force})

    async def restart(self, delay_ms: int, *, crash: bool) -> None:
        """Asks for the end and another start, and returns if that fails."""
        await self._ask({"restart_ms": delay_ms, "crash": crash})

    async def _ask(self, request: dict[str, Any]) -> None:
        if self._failed is None:
            self._failed = asyncio.get_running_loop().create_future()
            self._channel.send(b"S" + json.dumps(request).encode())
        await asyncio.shield(self._failed)

    def obey(self, message: bytes) -> None:
        """A message of the front."""
        match message:
            case b"P":
                self._server.pause(FOR_EVER_MS, writes_only=False)
                self._channel.send(b"P")
            case b"U":
                self._server.pause(0, writes_only=False)
            case b"K":
                self._server.spawn(self._save_and_tell(), "save before the end")
            case b"A" if self._failed:
                self._failed.set_result(None)
                self._failed = None

    async def _save_and_tell(self) -> None:
        error = ""
        log.info("Saving the final RDB snapshot before exiting.")
        try:
            await self._save()
        except SaveFailed as failure:
            error = str(failure) or "unknown error"
        except Exception as failure:
            log.exception("saving before the end failed unexpectedly")
            error = repr(failure)
        self._channel.send(b"K" + error.encode()[:1000])
