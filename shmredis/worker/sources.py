"""The files that a worker can load: its append-only folder, or dump.rdb."""

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from shmredis._core import lib
from shmredis.commands import context
from shmredis.commands.info_loading import LoadFigures
from shmredis.config import Config
from shmredis.persistence.aof_folder import own_folder
from shmredis.persistence.aof_load import AofError, AofLoad, LoadRules
from shmredis.persistence.aof_recovery import AofRecovery
from shmredis.persistence.aof_tail import LogPlace
from shmredis.persistence.aof_verdict import Verdict
from shmredis.persistence.origin import Source
from shmredis.worker.aside import equip
from shmredis.worker.loader import Load, LoadFailed, RdbFileLoad

__all__ = ["AofFilesLoad", "LogTail", "find_load", "load_now"]

log = logging.getLogger(__name__)

SLICE = 16 << 20


class Server(context.Server, Protocol):
    """A worker that loads."""

    @property
    def config(self) -> Config: ...


class LogLoad:
    """What is read out of append-only files, as a Load."""

    def __init__(self, load: AofRecovery | AofLoad) -> None:
        self._load = load
        self.figures = LoadFigures.begun(load.total)

    def step(self, size: int) -> bool:
        """Goes on; True when all is there. Raises: LoadFailed."""
        del size  # the load has its own idea of a slice
        try:
            done = self._load.step()
        except AofError as error:
            raise LoadFailed(str(error)) from None
        self.figures = replace(self.figures, running=not done, loaded=self._load.done)
        return done

    def close(self) -> None:
        """Files are closed when they are read."""


class AofFilesLoad(LogLoad):
    """The append-only folders of the server, as far as this worker needs them."""

    source = Source.AOF

    def __init__(self, recovery: AofRecovery) -> None:
        super().__init__(recovery)
        self._recovery = recovery

    @property
    def dropped(self) -> set[str]:
        """Parts of commands that were left out."""
        return self._recovery.result.dropped


class LogTail(LogLoad):
    """What the log has for an arena of an earlier instant."""

    source = Source.ARENA

    def __init__(self, server: Server, since: LogPlace) -> None:
        """Raises: LoadFailed."""
        config, workers = server.config, server.workers
        index, count = (workers.index, workers.count) if workers else (0, 1)
        folder, rules = own_folder(config, index, count), LoadRules.of(config)
        try:
            super().__init__(AofLoad(server.engine, folder, rules, set(), _leave_out, since))
        except AofError as error:
            raise LoadFailed(str(error)) from None


def find_load(server: Server, verdict: Verdict | None) -> Load | None:
    """What a worker without data begins with; None: nothing. Raises: LoadFailed."""
    return _find_log(server, verdict) if server.config["appendonly"] else _find_rdb(server)


def load_now(server: Server, *, merge: bool) -> bool:
    """Loads dump.rdb at once, into what is there; false: it failed, and the log says why."""
    try:
        load = _find_rdb(server, merge=merge)
        if load is None:
            log.warning("There is no file to be loaded")
            return False
        lib.engine_load_begin(server.engine.handle)
        try:
            while not load.step(SLICE):
                pass
        finally:
            load.close()
            lib.engine_load_end(server.engine.handle)
    except LoadFailed as error:
        log.warning("%s", error)
        return False
    return True


def _find_log(server: Server, verdict: Verdict | None) -> Load | None:
    """Raises: LoadFailed, OSError."""
    engine, config, workers = server.engine, server.config, server.workers
    index, count = (workers.index, workers.count) if workers else (0, 1)
    try:
        recovery = AofRecovery(
            engine,
            config,
            index,
            count,
            server.scripting.replay,
            partial(equip, server),
            verdict,
        )
    except AofError as error:
        raise LoadFailed(str(error)) from None
    return AofFilesLoad(recovery) if recovery.result.found else None


def _find_rdb(server: Server, *, merge: bool = False) -> Load | None:
    """Raises: LoadFailed."""
    if not server.config["dbfilename"]:
        return None
    path = Path(server.config["dbfilename"])
    load_library = server.scripting.load_found
    try:
        return RdbFileLoad(server.engine, server.config, path, load_library, merge=merge)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LoadFailed(
            f"Fatal error: can't open the RDB file {path} for reading: {error.strerror}"
        ) from None


def _leave_out(db: int, argv: list[bytes]) -> None:
    log.warning("A command of the append-only file is left out: %r in database %d", argv[0], db)
