"""Refusals of this worker: counted for INFO, remembered for ACL LOG."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shmredis._core import ffi, lib
from shmredis.acl.log import TEXT_MAX, AclLog, Entry
from shmredis.commands.client_line import client_line
from shmredis.engine import Engine

if TYPE_CHECKING:
    from shmredis.commands.context import Client

__all__ = ["REASONS", "Denials"]

REASONS = ("auth", "command", "key", "channel")
_VERDICTS = {
    lib.ACL_NO_COMMAND: "command",
    lib.ACL_NO_KEY: "key",
    lib.ACL_NO_CHANNEL: "channel",
}
_CONTEXTS = {lib.ACL_TOPLEVEL: "toplevel", lib.ACL_MULTI: "multi"}

Heard = Callable[[int, int, int, bytes], None]
_listeners: list[Heard] = []  # of this process: the last one hears


@ffi.def_extern()  # type: ignore[untyped-decorator]
def python_denied(session_id: int, verdict: int, context: int, p: Any, n: int) -> None:
    """The core has refused a client's command."""
    if _listeners:
        _listeners[-1](session_id, verdict, context, bytes(ffi.buffer(p, min(n, TEXT_MAX))))


class Denials:
    """One of these in each worker."""

    def __init__(self, engine: Engine, log: AclLog, find: Callable[[int], "Client | None"]) -> None:
        """`find`: a client by its id."""
        self.log = log
        self.counts = dict.fromkeys(REASONS, 0)
        self._engine = engine
        self._find = find
        _listeners[:] = [self._hear]
        lib.engine_set_denied(engine.handle, lib.python_denied)

    def _hear(self, session_id: int, verdict: int, context: int, thing: bytes) -> None:
        if client := self._find(session_id):
            self.note(client, _VERDICTS[verdict], _CONTEXTS[context], thing)

    def note(
        self, client: "Client", reason: str, context: str, thing: bytes, username: str | None = None
    ) -> None:
        """`username`: who the client wanted to be; None: who it is."""
        self.counts[reason] += 1
        name = client.user if username is None else username
        entry = Entry(reason, context, thing, name, client_line(self._engine, client))
        self.log.add(entry, time.time_ns())

    def reset_counts(self) -> None:
        """CONFIG RESETSTAT."""
        self.counts = dict.fromkeys(REASONS, 0)
