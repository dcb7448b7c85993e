"""From an engine to a worker that serves: its data come back out of files if need be, and its log goes on.

arena taken over ──► the log is fitted to it ───────────────────────────► reached, complete
arena of an instant ─► what was logged since is loaded as files are (below)
files, worker brought back ── loaded for a moment, others wait ── done ─► reached, complete
files ──► reached, LOADING is said ──► loaded in slices ────────────────► complete
"""

import os
import socket
from dataclasses import replace

from shmredis._core import lib
from shmredis.persistence.aof_load import AofError
from shmredis.persistence.marks import note_files
from shmredis.persistence.origin import Origin, Source
from shmredis.worker.loader import Load, Loader, LoadFailed
from shmredis.worker.recovery import Beginning
from shmredis.worker.server import Server
from shmredis.worker.sources import AofFilesLoad, LogTail, find_load

__all__ = ["Restoration"]

PATIENCE_S = 0.5  # that others wait for a worker which loads its data again


class Restoration:
    """The way of one worker from its start until it has its data. The front hears of each step."""

    def __init__(
        self, server: Server, index: int, beginning: Beginning, channel: socket.socket
    ) -> None:
        self._server = server
        self._index = index
        self._origin = beginning.origin
        self._since = beginning.since
        self._first = beginning.first
        self._verdict = beginning.verdict
        self._patience_s = 0.0 if beginning.first else PATIENCE_S
        self._channel = channel
        server.append_log.state.changed = self._note_files
        server.snapshots.changed = self._note_files

    def begin(self) -> None:
        """Has the worker reached by clients, with all its data or while it loads them."""
        try:
            self._begin()
        except (LoadFailed, AofError, OSError) as error:
            self._fail(error)

    def _bring_libraries(self) -> None:
        """Those of a server that went on meanwhile are right, whatever the files say."""
        from_files = self._first and self._origin.source is not Source.ARENA
        self._server.scripting.bring_libraries(from_files=from_files)

    def _begin(self) -> None:
        server = self._server
        server.engine.set_option("loading", lib.LOADING_OTHERS)
        if self._since:
            self._begin_load(LogTail(server, self._since))
        elif self._origin.source is Source.ARENA:
            self._bring_libraries()
            server.append_log.resume()
            self._tell(b"R", self._origin)
        elif load := find_load(server, self._verdict):
            self._begin_load(load)
        else:
            lib.engine_load_end(server.engine.handle)
            self._go_on(set())
            self._tell(b"R", self._origin)

    def _begin_load(self, load: Load) -> None:
        self._server.loader = loader = Loader(self._server.engine, self._server.config, load)
        if loader.run_for(self._patience_s):
            self._tell(b"R", self._finish(loader, load))
            return
        self._channel.send(b"R")
        self._server.spawn(self._load(loader, load), "load")

    async def _load(self, loader: Loader, load: Load) -> None:
        try:
            await loader.run(bar=self._index == 0)
            origin = self._finish(loader, load)
        except (LoadFailed, AofError, OSError) as error:
            self._fail(error)
            return
        self._tell(b"L", origin)

    def _finish(self, loader: Loader, load: Load) -> Origin:
        origin = loader.finish(self._origin.why)
        if self._since:
            origin = replace(self._origin, keys=origin.keys, seconds=origin.seconds)
            self._server.engine.stats.dirty = 1  # dump.rdb may be older
        self._go_on(load.dropped if isinstance(load, AofFilesLoad) else set())
        return origin

    def _go_on(self, dropped: set[str]) -> None:
        """The log goes on behind what was loaded; the arena and the files go together now."""
        self._bring_libraries()
        self._server.append_log.start(dropped)
        # What was kept for this worker meanwhile is done now, and has to be logged (net/redo.h).
        self._server.engine.set_option("loading", lib.LOADING_OTHERS)
        self._note_files()

    def _note_files(self) -> None:
        note_files(self._server.engine, self._server.config, self._index)

    def _tell(self, kind: bytes, origin: Origin) -> None:
        self._channel.send(kind + origin.to_json())

    def _fail(self, error: Exception) -> None:
        """The front ends the server: what is half loaded must not be saved over what is good."""
        self._channel.send(b"F" + os.fsencode(str(error)))
