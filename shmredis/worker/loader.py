"""Filling a worker's engine from its files, a slice at a time, while it tells clients that it is LOADING.

What can be loaded is a `Load`: the RDB file here, the append only file in its own module.
"""

import asyncio
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from shmredis._core import lib
from shmredis.commands.info_loading import LoadFigures
from shmredis.config import Config
from shmredis.engine import Engine
from shmredis.persistence.origin import Origin, Source
from shmredis.persistence.rdb_load import RdbError, RdbLoad

__all__ = ["Load", "LoadFailed", "Loader", "RdbFileLoad"]

log = logging.getLogger(__name__)

MIB = 1 << 20
REPORT_EVERY_S = 5.0
SERVE_EVERY_S = 0.002  # slices that take less than that have no turn of the event loop each
NUMBER = re.compile(rb"[0-9]{1,19}")


class LoadFailed(Exception):
    """The file cannot be loaded; the text is the last line of the log."""


class Load(Protocol):
    """A file, or some, on the way into an engine."""

    source: Source

    @property
    def figures(self) -> LoadFigures: ...

    def step(self, size: int) -> bool:
        """Goes on for about so many bytes; True when all is there. Raises: LoadFailed."""

    def close(self) -> None: ...


class RdbFileLoad:
    """dump.rdb, of which the worker keeps the keys of its own slots."""

    source = Source.RDB

    def __init__(
        self,
        engine: Engine,
        config: Config,
        path: Path,
        load_library: Callable[[bytes], None],
        *,
        merge: bool = False,
    ) -> None:
        """Raises: OSError."""
        self._load_library = load_library
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._load = RdbLoad(
            engine,
            self._fd,
            os.fstat(self._fd).st_size,
            drop_expired=True,
            unique=config["sanitize-dump-payload"] == "yes",
            checksum=config["rdbchecksum"],
            merge=merge,
            key_delay_us=config["key-load-delay"],
        )
        self._told = False
        total = os.fstat(self._fd).st_size
        self._figures = LoadFigures.begun(total)

    def step(self, size: int) -> bool:
        try:
            done = self._load.step(size)
        except RdbError as error:
            for line in error.lines():
                log.warning("%s", line)
            raise LoadFailed("Fatal error loading the DB, check server logs. Exiting.") from None
        if not self._told:
            self._tell_origin()
        if done:
            self._end()
        return done

    @property
    def figures(self) -> LoadFigures:
        """How far it is."""
        return self._figures_now() if self._figures.running else self._figures

    def _figures_now(self) -> LoadFigures:
        facts = self._load.facts()
        return replace(self._figures, loaded=facts.offset, keys=facts.keys, expired=facts.expired)

    def _end(self) -> None:
        self._figures = replace(self._figures_now(), running=False)
        for library in self._load.libraries():
            self._load_library(library)
        log.info(
            "Done loading RDB, keys loaded: %d, keys expired: %d.",
            self._figures.keys,
            self._figures.expired,
        )

    def _tell_origin(self) -> None:
        """Who wrote the file, when, and how much memory its data took."""
        self._told = True
        for name, value in self._load.aux():
            if name == b"redis-ver":
                log.info("Loading RDB produced by version %s", value.decode(errors="replace"))
            elif name == b"ctime" and NUMBER.fullmatch(value):
                log.info("RDB age %d seconds", max(int(time.time()) - int(value), 0))
            elif name == b"used-mem" and NUMBER.fullmatch(value):
                self._figures = replace(self._figures, used_memory=int(value))
                log.info("RDB memory usage when created %.2f Mb", int(value) / MIB)

    def close(self) -> None:
        self._figures = replace(self.figures, running=False)
        self._load.close()
        os.close(self._fd)


class Loader:
    """Runs a load. Until it is done the arena is marked as changing and nobody else may look at it."""

    def __init__(self, engine: Engine, config: Config, load: Load) -> None:
        self._engine = engine
        self._config = config
        self._load = load
        self._began_s = time.monotonic()
        self._reported_s = self._began_s
        engine.set_option("loading", lib.LOADING_SELF)

    @property
    def figures(self) -> LoadFigures:
        return self._load.figures

    def run_for(self, seconds: float) -> bool:
        """Loads for so long without looking at anything else; whether it is done. Raises: LoadFailed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._step():
                return True
        return False

    async def run(self, *, bar: bool) -> None:
        """Loads all, clients being told to wait. `bar`: shows how far it is. Raises: LoadFailed."""
        with _progress(self._load, bar=bar and sys.stdout.isatty()) as show:
            served_s = time.monotonic()
            while not self._step():
                if time.monotonic() - served_s < SERVE_EVERY_S:
                    continue
                show()
                await asyncio.sleep(0)
                served_s = time.monotonic()

    def _step(self) -> bool:
        done = self._load.step(self._config["loading-process-events-interval-bytes"])
        now = time.monotonic()
        if now - self._reported_s > REPORT_EVERY_S and not done:
            self._reported_s = now
            figures = self.figures
            log.info("Loading: %d of %d MB", figures.loaded // MIB, figures.total // MIB)
        return done

    def finish(self, why: str) -> Origin:
        """The data is whole. What the worker began with. It is for the caller to let others in."""
        self._load.close()
        lib.engine_load_end(self._engine.handle)
        self._engine.stats.dirty = 0
        return Origin(
            self._load.source,
            keys=sum(self._engine.database(i).keys for i in range(self._engine.databases)),
            seconds=time.monotonic() - self._began_s,
            why=why,
        )


@contextmanager
def _progress(load: Load, *, bar: bool) -> Iterator[Callable[[], None]]:
    """A progress bar, and what moves it."""
    if not bar:
        yield lambda: None
        return
    columns = ("Loading", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=load.figures.total)
        yield lambda: progress.update(task, completed=load.figures.loaded)
