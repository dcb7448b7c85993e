"""Logs of another number of workers: an engine on the side, which runs what they have, scripts too.

Every worker loads all of these logs and keeps the keys of its slots, so a script of an old server, which
may change keys of several workers, is run by each on all keys. Redis logged scripts until 5.0, and had
them do the same wherever they run.
"""

from typing import Any, cast

from shmredis._core import lib
from shmredis.commands.context import Server
from shmredis.commands.inside import Inside
from shmredis.commands.registry import CommandTable
from shmredis.engine import Engine
from shmredis.persistence.aof_load import Call
from shmredis.scripting import Scripting

__all__ = ["equip"]


def equip(server: Server, engine: Engine) -> Call:
    """Has the engine run commands of Python as the server does; what those about no key are given to."""
    return _Aside(server, engine).replay


class _Aside:
    """The server, but for the engine and its scripts, and alone. Implements scripting.busy.Host."""

    workers = None
    busy_threshold_ms = 0

    def __init__(self, server: Server, engine: Engine) -> None:
        self._server = server
        self.engine = engine
        self.commands = CommandTable(engine)
        self.inside = Inside(cast(Server, self), self.commands)
        self.scripting = Scripting(server.log, self)
        engine.set_option("loading", lib.LOADING_SELF)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def serve_while_busy(self) -> None:
        """Sockets are served between slices."""

    def replay(self, db: int, argv: list[bytes]) -> None:
        """Scripts are for this engine, libraries of functions for the server, too."""
        self.scripting.replay(db, argv)
        if argv[0].upper() == b"FUNCTION":
            self._server.scripting.replay(db, argv)
