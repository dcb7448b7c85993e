"""Rewriting the append-only log of a running worker: when, the child's life, the new base in its place.

    prepare_next ─► fork at an instant ─► the child ends ─► base and manifest in place ─► history deleted

Source: the rules, log lines and counts of Redis 8.10, specs/aof.md §6.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from shmredis._core import lib
from shmredis.config import Config
from shmredis.engine import Engine
from shmredis.persistence.aof_base import Base, Libraries
from shmredis.persistence.aof_folder import Folder, sync_file
from shmredis.persistence.aof_manifest import LogFile, Manifest, ManifestError
from shmredis.persistence.aof_state import LogState, check
from shmredis.persistence.forks import GIVEN_UP, Ending, Forks

__all__ = ["InProgress", "Keeper", "Others", "Rewriter"]

log = logging.getLogger(__name__)

LOOK_S = 0.1
FAILURES_ALLOWED = 3  # in a row, before automatic rewrites wait
LONGEST_WAIT_S = 3600
MIB = 1 << 20


class InProgress(Exception):
    """A rewrite is running already."""


class ChildKilled(Exception):
    """By a signal, which the text names."""


class Others(Protocol):
    """What else forks: snapshots."""

    @property
    def prepared(self) -> bool:
        """A child is to be forked at an instant to come."""


class Keeper(Protocol):
    """A backup, which needs a log whatever `appendonly` says."""

    @property
    def logs(self) -> bool:
        """Commands are logged for it."""

    @property
    def holds(self) -> bool:
        """Files shall stay what they are: no rewrite begins."""

    def based(self) -> None:
        """There is a new base, and the log goes on behind it."""

    def unbased(self, why: str) -> None:
        """There is none: it cannot be."""


class Rewriter:
    """One per worker; one rewrite at a time."""

    def __init__(
        self,
        engine: Engine,
        config: Config,
        state: LogState,
        forks: Forks,
        others: Others,
        spawn: Callable[..., "asyncio.Task[None]"],
        end_turn: Callable[[], None],
        *,
        one_of_several: bool,
    ) -> None:
        self._engine = engine
        self._handle = engine.handle
        self._config = config
        self._state = state
        self._forks = forks
        self._others = others
        self._spawn = spawn
        self._end_turn = end_turn
        self._one_of_several = one_of_several
        self._numbers = itertools.count(time.time_ns() + 1)
        self._task: asyncio.Task[None] | None = None
        self._begun_s = 0.0
        self._next_auto_s = 0.0
        self._killed = False
        self.based = False  # the rewrite that runs has put its base in place
        self.scheduled = False
        self.last_ok = True
        self.last_duration_s = -1
        self.count = self.failures = self.last_copied = 0
        self.libraries: Libraries = tuple  # of functions; their owner sets this
        self.keeper: Keeper | None = None

    @property
    def _folder(self) -> Folder:
        return self._state.folder

    @property
    def running(self) -> bool:
        return self._task is not None

    @property
    def duration_s(self) -> int:
        """Of the rewrite that runs; -1: none does."""
        return int(time.time() - self._begun_s) if self.running else -1

    @property
    def may_cut(self) -> bool:
        """Whether the log's next file can be prepared: no other instant is to come."""
        return not (self.running or self._others.prepared or lib.engine_aof_busy(self._handle))

    def kill(self) -> None:
        """The log ends, so that nobody needs what is being written, or is to be."""
        self.scheduled = False
        if self._task:
            self._killed = True
            log.info("Killing running AOF rewrite child: %d", self._forks.pid)
            self._forks.kill()

    # --- beginning ---

    def request(self) -> bool:
        """BGREWRITEAOF: True if it has started, False if it will. Raises: InProgress, OSError."""
        if self.running:
            raise InProgress
        if not self.may_begin:
            self.scheduled = True
            return False
        if not self.begin():
            raise OSError(
                "Can't execute an AOF background rewriting. Please check the server logs for more "
                "information."
            )
        return True

    @property
    def may_begin(self) -> bool:
        """Not while others load: their logs do not say yet which parts of commands count."""
        busy = lib.engine_aof_busy(self._handle) or self._others.prepared
        loading = self._engine.option("loading") != lib.LOADING_NOT
        held = self.keeper is not None and self.keeper.holds
        return self._forks.possible and not (self.running or busy or loading or held)

    def make_base(self, name: str) -> Base:
        """The file `name` with its head, and the number of this process in the name. Raises: OSError."""
        return Base.begin(
            self._engine,
            self._config,
            self._forks,
            self.libraries,
            name=f"{name}-{os.getpid()}.aof",
        )

    def begin(self) -> bool:
        """False: it has failed already, which is in the log."""
        self.scheduled = self.based = self._killed = False
        self._begun_s = time.time()
        base: Base | None = None
        try:
            self._folder.path.mkdir(parents=True, exist_ok=True)
            base = self.make_base("temp-rewriteaof-bg")
            first = self.prepare_next()
            ending = self._fork(base)
        except OSError as error:
            log.warning("Can't rewrite append only file in background: %s", error.strerror or error)
            if base:
                base.drop()
            self._tell_keeper(error.strerror or str(error))
            self._give_up()
            return False
        self.count += 1
        log.info("Background append only file rewriting started by pid %d", self._forks.pid)
        self._task = self._spawn(self._finish(base, first, ending), "aof rewrite")
        self._end_turn()
        return True

    @property
    def wants_log(self) -> bool:
        """Commands are, or are to be, logged."""
        kept = self.keeper is not None and self.keeper.logs
        return bool(self._config["appendonly"]) or kept

    def prepare_next(self) -> LogFile | None:
        """The file in which the log goes on from the fork; None: nothing is logged. Raises: OSError."""
        if not self.wants_log:
            return None
        seq = max(self._state.manifest.last_incremental, self._last_on_disk()) + 1
        file = self._folder.incremental(seq)
        name = file.name if self._state.manifest.files else self._temporary_incremental
        fd = self._folder.create(name)
        try:
            if self._state.manifest.files:
                self._state.write(self._state.manifest.with_incremental(file))
            log.info("Creating AOF incr file %s on background rewrite", name)
            check(lib.engine_aof_prepare(self._handle, fd, seq, 0))
        finally:
            os.close(fd)
        return file

    @property
    def _temporary_incremental(self) -> str:
        return f"temp-{self._folder.prefix}.incr"

    def _last_on_disk(self) -> int:
        """Of a log that was switched off: numbers go on."""
        if self._state.manifest.files:
            return 0
        try:
            return (self._folder.read() or Manifest()).last_incremental
        except (OSError, ManifestError):
            return 0

    def _fork(self, base: Base) -> "asyncio.Future[Ending]":
        """Raises: OSError, the log going on in the new file all the same."""
        try:
            ending = base.fork(next(self._numbers))
        except OSError:
            if self._state.manifest.files:
                lib.engine_aof_instant(self._handle)
            else:
                lib.engine_aof_prepare(self._handle, -1, 0, 0)
            self._state.count_sizes()
            raise
        self._state.count_sizes()
        return ending

    def _tell_keeper(self, why: str) -> None:
        if self.keeper:
            self.keeper.unbased(f"snapshot rewrite failed: {why}")

    def _give_up(self) -> None:
        self.last_ok = False
        self.failures += 1
        if self.failures >= FAILURES_ALLOWED:
            minutes = 1 << min(self.failures - FAILURES_ALLOWED, 6)
            self._next_auto_s = time.time() + min(60 * minutes, LONGEST_WAIT_S)
            log.warning(
                "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in "
                "%d minutes",
                min(minutes, 60),
            )
        if self.wants_log and not self._state.manifest.files:  # was to be switched on: tries again
            with contextlib.suppress(OSError):
                (self._folder.path / self._temporary_incremental).unlink()
            lib.engine_aof_close(self._handle)
            self.scheduled = True

    # --- the end ---

    async def _finish(
        self, base: Base, first: LogFile | None, work: "asyncio.Future[Ending]"
    ) -> None:
        try:
            ending = await work
            self.last_copied = ending.copied
            size = ending.copied // MIB
            log.info(
                "Fork CoW for AOF rewrite: current %d MB, peak %d MB, average %d MB", *[size] * 3
            )
            await self._install(base, first, ending)
        except OSError as error:
            log.warning("Background AOF rewrite terminated with error: %s", error.strerror or error)
            base.drop()
            self._tell_keeper(error.strerror or str(error))
            self._give_up()
        except ChildKilled as error:
            log.warning("Background AOF rewrite %s", error)
            base.drop()
            self._tell_keeper(f"child {error}")
            if str(error) != GIVEN_UP:
                self._give_up()
        except asyncio.CancelledError:
            log.warning("There is a child rewriting the AOF. Killing it!")
            log.info("Killing running AOF rewrite child: %d", self._forks.pid)
            base.drop()
            raise
        finally:
            self.last_duration_s = int(time.time() - self._begun_s)
            self._task = None
            self._state.news()

    async def _install(self, base: Base, first: LogFile | None, ending: Ending) -> None:
        """Raises: OSError."""
        if self._killed:
            base.drop()
            log.info("Background AOF rewrite was stopped")
            return
        if ending.signal:
            raise ChildKilled(ending.error)
        if ending.error:
            raise OSError(ending.error)
        log.info("Successfully created the temporary AOF base file %s", base.path.name)
        log.info("Background AOF rewrite terminated with success")
        if first is None:  # nothing is logged: the base alone is the log
            base.drop() if self.wants_log else await self._install_alone(base, ending)
        else:
            await self._install_base(base, first, ending)
        if self._killed:
            return
        self.last_ok, self.failures = True, 0
        self._state.base_size = self._state.size
        log.info("Background AOF rewrite finished successfully")

    async def _install_base(self, base: Base, first: LogFile, ending: Ending) -> None:
        old = self._state.manifest
        if not old.files:
            old = await self._later(self._folder.read) or Manifest()
        seq = (old.base.seq if old.base else 0) + 1
        file = self._folder.base(seq, rdb=base.rdb)
        await self._later(base.complete, ending, self._folder.place(file))
        renamed = base.path.name, file.name
        log.info("Successfully renamed the temporary AOF base file %s into %s", *renamed)
        try:
            await self._name_base(old, file, first)
        except OSError:
            await self._later(self._drop_unnamed, file)
            raise
        if self._killed:
            return
        self._state.count_sizes()
        self.based = True
        if self.keeper:
            self.keeper.based()
        await self._collect()

    def _drop_unnamed(self, file: LogFile) -> None:
        """The disk has better uses for a file that is in no manifest. In a thread."""
        with contextlib.suppress(OSError, ManifestError):
            if file not in (self._folder.read() or Manifest()).files:
                self._folder.place(file).unlink()

    async def _name_base(self, old: Manifest, file: LogFile, first: LogFile) -> None:
        """Has the manifest begin with that base. Raises: OSError."""
        switched_on = not self._state.manifest.files
        temporary = self._folder.path / self._temporary_incremental
        if self._one_of_several:  # what it claims is told by no other file from now on
            await self._later(sync_file, temporary if switched_on else self._folder.place(first))
        if self._killed:
            return
        if switched_on:
            temporary.rename(self._folder.place(first))
            renamed = temporary.name, first.name
            log.info("Successfully renamed the temporary AOF incr file %s into %s", *renamed)
            old = old.with_incremental(first)
        else:
            old = self._state.manifest
        await self._write_manifest_later(old.rewritten(file, first.seq))

    async def _install_alone(self, base: Base, ending: Ending) -> None:
        """BGREWRITEAOF with appendonly no: a log that has a base only."""
        old = self._folder.read() or Manifest()
        file = self._folder.base((old.base.seq if old.base else 0) + 1, rdb=base.rdb)
        await self._later(base.complete, ending, self._folder.place(file))
        manifest = old.rewritten(file, old.last_incremental + 1)
        self._folder.write(manifest)
        if not self._config["aof-disable-auto-gc"]:
            self._folder.delete_history(manifest)

    async def _write_manifest_later(self, manifest: Manifest) -> None:
        """The disk may take its time, clients do not wait for it. Raises: OSError."""
        await self._later(self._folder.write, manifest)
        if not self._killed:
            self._state.manifest = manifest
            self._state.changed()

    async def _collect(self) -> None:
        """Deletes history files: their blocks are given back elsewhere than in the event loop."""
        if self._config["aof-disable-auto-gc"] or not self._state.manifest.history:
            return
        history = self._state.manifest.history
        await self._later(self._unlink, [self._folder.place(file) for file in history])
        await self._write_manifest_later(self._state.manifest.without_history())

    @staticmethod
    def _unlink(paths: list[Path]) -> None:
        for path in paths:
            log.info("Removing the history file %s in the background", path.name)
            path.unlink(missing_ok=True)

    @staticmethod
    async def _later(work: Callable[..., Any], *args: Any) -> Any:
        """Its result; another thread does it."""
        return await asyncio.get_running_loop().run_in_executor(None, work, *args)

    # --- now and then ---

    def begin_scheduled(self) -> None:
        """Begins what waits, if it may."""
        if self.scheduled and self.may_begin:
            self.begin()

    async def watch(self) -> None:
        """Starts what is scheduled or due."""
        while True:
            await asyncio.sleep(LOOK_S)
            pause = self._config["no-appendfsync-on-rewrite"] and self._forks.pid
            self._engine.set_option("aof_no_fsync", int(bool(pause)))
            self.begin_scheduled()
            if self._is_due() and self.may_begin:
                self.begin()

    def _is_due(self) -> bool:
        percentage = self._config["auto-aof-rewrite-percentage"]
        if not percentage or not self._state.on or self._state.waits or self.running:
            return False
        size, base = self._state.size, self._state.base_size or 1
        if size < self._config["auto-aof-rewrite-min-size"]:
            return False
        growth = size * 100 // base - 100
        if growth < percentage or time.time() < self._next_auto_s:
            return False
        log.info("Starting automatic rewriting of AOF on %d%% growth", growth)
        return True
