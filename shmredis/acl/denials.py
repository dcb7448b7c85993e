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

REASONS = ("auth", "command", "key", "channel", "tls-cert")
_VERDICTS = {
    lib.ACL_NO_COMMAND: "command",
    lib.ACL_NO_KEY: "key",
    lib.ACL_NO_CHANNEL: "channel",
}
_CONTEXTS = {lib.ACL_TOPLEVEL: "toplevel", lib.ACL_MULTI: "multi", lib.ACL_SCRIPT: "lua"}

Heard = Callable[[int, Entry], None]
_listeners: list[Heard] = []  # of this process: the last one hears


@ffi.def_extern()  # type: ignore[untyped-decorator]
def python_denied(session_id: int, event: Any) -> None:
    """The core has refused a client's command."""
    thing = bytes(ffi.buffer(event.object, min(event.object_n, TEXT_MAX)))
    user = bytes(ffi.buffer(event.user, event.user_n)).decode("utf-8", "surrogateescape")
    entry = Entry(_VERDICTS[event.verdict], _CONTEXTS[event.context], thing, user)
    if _listeners:
        _listeners[-1](session_id, entry)


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

    def _hear(self, session_id: int, entry: Entry) -> None:
        self._note(self._find(session_id), entry)

    def note_login(
        self,
        client: "Client",
        context: str,
        command: bytes,
        username: str,
        *,
        reason: str = "auth",
    ) -> None:
        """Somebody could not log in."""
        self._note(client, Entry(reason, context, command, username))

    def _note(self, client: "Client | None", entry: Entry) -> None:
        """`client` is None when it is one of another worker, whose script ran here."""
        self.counts[entry.reason] += 1
        if client:
            entry.client = client_line(self._engine, client)
        self.log.add(entry, time.time_ns())

    def reset_counts(self) -> None:
        """CONFIG RESETSTAT."""
        self.counts = dict.fromkeys(REASONS, 0)
