"""A worker's part in the end of the server: clients are held, data is saved, or all goes on.

front/shutdown.py has the whole; its messages are in front/channel.py.
"""

import asyncio
import json
import logging
import os
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
    """Answers the front, and keeps the client of SHUTDOWN waiting.

    `save` saves the whole server's data, `stop_saving` has it fail.
    """

    def __init__(
        self,
        server: Server,
        channel: socket.socket,
        save: Callable[[], Awaitable[None]],
        stop_saving: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._server = server
        self._channel = channel
        self._save = save
        self._stop_saving = stop_saving
        self._failed: asyncio.Future[None] | None = None
        self._aborted: asyncio.Future[bool] | None = None

    async def request(self, mode: ShutdownMode, *, now: bool, force: bool) -> None:
        """Asks for the end, and returns if it fails."""
        await self._ask({"mode": MODES[mode], "now": now, "force": force})

    async def restart(self, delay_ms: int, *, crash: bool) -> None:
        """Asks for the end and another start, and returns if that fails."""
        await self._ask({"restart_ms": delay_ms, "crash": crash})

    async def abort(self) -> bool:
        """SHUTDOWN ABORT: true when the server goes on, false if it was not about to end."""
        if self._aborted is None:
            self._aborted = asyncio.get_running_loop().create_future()
            self._channel.send(b"Z")
        return await asyncio.shield(self._aborted)

    async def _ask(self, request: dict[str, Any]) -> None:
        if self._failed is None:
            self._failed = asyncio.get_running_loop().create_future()
            self._channel.send(b"S" + json.dumps(request).encode())
        await asyncio.shield(self._failed)

    def obey(self, message: bytes) -> None:
        """A message of the front."""
        match message[:1]:
            case b"P":
                self._server.pause(FOR_EVER_MS, writes_only=True)
                self._channel.send(message)
            case b"U":
                self._server.pause(0, writes_only=False)
            case b"K":
                self._server.spawn(self._save_and_tell(message), "save before the end")
            case b"N":
                self._server.spawn(self._stop_saving(), "stop saving")
            case b"A" if self._failed:
                self._failed.set_result(None)
                self._failed = None
            case b"Z" if self._aborted:
                self._aborted.set_result(message == b"Z1")
                self._aborted = None

    async def _save_and_tell(self, order: bytes) -> None:
        error = ""
        log.info("Saving the final RDB snapshot before exiting.")
        try:
            await self._save()
        except SaveFailed as failure:
            error = str(failure) or "unknown error"
        except Exception as failure:
            log.exception("saving before the end failed unexpectedly")
            error = repr(failure)
        self._channel.send(order + b":" + os.fsencode(error)[:1000])
