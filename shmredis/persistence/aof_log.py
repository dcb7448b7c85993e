"""The append-only file of a running worker: opened, rewritten, switched on and off.

The core appends and syncs (csrc/persist/aof.h); which files there are is decided here.
Source: the behaviour, log lines and INFO fields of Redis 8.10, specs/aof.md.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from shmredis._core import ffi, lib
from shmredis.commands.info_aof import AofFigures
from shmredis.config import Config
from shmredis.engine import Engine
from shmredis.faults import fault
from shmredis.persistence.aof_folder import Folder, sync_file
from shmredis.persistence.aof_load import Call
from shmredis.persistence.aof_manifest import LogFile, Manifest, ManifestError
from shmredis.persistence.aof_recovery import AofRecovery
from shmredis.persistence.aof_rewrite import Base, Libraries
from shmredis.persistence.aof_tail import written_size
from shmredis.persistence.forks import GIVEN_UP, Ending, Forks

__all__ = ["AppendLog", "InProgress"]

log = logging.getLogger(__name__)

LOOK_S = 0.1
FAILURES_ALLOWED = 3  # in a row, before automatic rewrites wait
LONGEST_WAIT_S = 3600
MIB = 1 << 20


def _is_there(_db: int, _argv: list[bytes]) -> None:
    """What commands of Python have made is still there."""


def _bare(_engine: Engine) -> Call:
    """For logs of another number of workers, which those of a server that runs are not."""
    return _is_there


class ChildKilled(Exception):
    """By a signal, which the text names."""


class InProgress(Exception):
    """A rewrite is running already."""


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


class AppendLog:
    """One per worker. Nothing is logged before `start`."""

    def __init__(
        self,
        engine: Engine,
        config: Config,
        folder: Folder,
        forks: Forks,
        others: Others,
        spawn: Callable[..., "asyncio.Task[None]"],
        end_turn: Callable[[], None],
        *,
        one_of_several: bool = False,
    ) -> None:
        self._engine = engine
        self._handle = engine.handle
        self._config = config
        self._folder = folder
        self._forks = forks
        self._others = others
        self._spawn = spawn
        self._end_turn = end_turn
        self._one_of_several = one_of_several
        self._numbers = itertools.count(time.time_ns() + 1)
        self._started = self._configured = False
        self._manifest = Manifest()
        self._closed_size = 0  # of all files but the one that is written to
        self._base_size = 0  # of all files after the last rewrite
        self._rewrite: asyncio.Task[None] | None = None
        self._begun_s = 0.0
        self._next_auto_s = 0.0
        self._killed = False
        self._based = False  # the rewrite that runs has put its base in place
        self.scheduled = False
        self.last_ok = True
        self.last_duration_s = -1
        self.rewrites = self.failures = self.last_copied = 0
        self.libraries: Libraries = tuple  # of functions; their owner sets this
        self.changed: Callable[[], None] = lambda: None  # the manifest was written
        self.keeper: Keeper | None = None

    # --- what is known ---

    @property
    def on(self) -> bool:
        """Whether commands are logged."""
        return bool(self._info().open)

    @property
    def rewriting(self) -> bool:
        return self._rewrite is not None

    @property
    def waits(self) -> bool:
        """Switched on, but not of use before the first rewrite has ended."""
        return self.on and not self._manifest.files

    def _info(self) -> Any:
        info = ffi.new("struct aof_info *")
        lib.engine_aof_info(self._handle, info)
        return info

    @property
    def size(self) -> int:
        """Bytes of all files that are in use."""
        return self._closed_size + int(self._info().size)

    def figures(self) -> AofFigures:
        """For INFO, of this worker."""
        info = self._info()
        return AofFigures(
            enabled=bool(info.open) or (self._started and self._wants_log()),
            rewriting=self.rewriting,
            scheduled=self.scheduled,
            last_duration_s=self.last_duration_s,
            present_duration_s=int(time.time() - self._begun_s) if self.rewriting else -1,
            last_ok=self.last_ok,
            rewrites=self.rewrites,
            failures=self.failures,
            write_ok=not info.write_errno and not info.fsync_errno,
            last_copied=self.last_copied,
            size=self._closed_size + int(info.size),
            base_size=self._base_size,
            buffered=int(info.buffered),
            fsync_pending=int(info.fsync_pending),
            delayed_fsyncs=int(info.delayed_fsyncs),
        )

    # --- start and end ---

    def start(self, dropped: Iterable[str] = ()) -> None:
        """The data are loaded: goes on with the log they came from, or begins one. Raises: OSError.

        `dropped`: parts of commands that the recovery has left out; what else there is counts from now on.
        """
        self._started = True
        if not self._config["appendonly"]:
            return
        manifest = self._folder.read() or Manifest()
        if manifest.history and not self._config["aof-disable-auto-gc"]:
            manifest = self._folder.delete_history(manifest)
        self._manifest = manifest
        if not manifest.files:
            self._begin(dropped)
        elif not manifest.incrementals:
            self._append_to(manifest, self._folder.incremental(1), dropped, new=True)
        else:
            self._append_to(manifest, manifest.incrementals[-1], dropped, new=False)

    def resume(self) -> None:
        """The arena was taken over: goes on with the log if that has all that the arena has.

        Else a new base is made first: what comes is logged as changes of what is there now. Raises: OSError.
        """
        info = self._info()
        seq, position, ahead = int(info.arena_seq), int(info.arena_position), int(info.arena_ahead)
        manifest = self._folder.read() if self._config["appendonly"] else None
        fits = False
        if manifest:
            size = self._written(manifest, seq)
            fits = size == position + ahead
            if size > position and not fits:  # what was being written when the worker died
                self._cut(manifest, seq, position)
        if manifest is None or fits:
            self.start()
            return
        log.info("The append-only file lacks what the arena has: it gets a new base")
        self._started = True
        self._renew(manifest)

    def _written(self, manifest: Manifest, seq: int) -> int:
        """-1: the arena's place is not the end of this log."""
        try:
            return written_size(self._folder, manifest, seq)
        except FileNotFoundError:
            return -1

    def _cut(self, manifest: Manifest, seq: int, position: int) -> None:
        file = next(file for file in manifest.incrementals if file.seq == seq)
        os.truncate(self._folder.place(file), position)

    def _renew(self, old: Manifest) -> None:
        """A new base with what the arena has, and an empty incremental file. Raises: OSError."""
        base = self._make_base("temp-rewriteaof")
        file = self._folder.base((old.base.seq if old.base else 0) + 1, rdb=base.rdb)
        first = self._folder.incremental(old.last_incremental + 1)
        try:
            base.complete(base.write_here(), self._folder.place(file))
        except OSError:
            base.drop()
            raise
        fault("aof.renewing")
        self._append_to(old.rewritten(file, first.seq), first, new=True)
        if not self._config["aof-disable-auto-gc"]:
            self._manifest = self._folder.delete_history(self._manifest)

    def _begin(self, dropped: Iterable[str]) -> None:
        """A first base with what there is, and an empty incremental file."""
        file = self._folder.base(1, rdb=self._config["aof-use-rdb-preamble"])
        base = self._make_base("temp-rewriteaof")
        try:
            base.complete(base.write_here(), self._folder.place(file))
        except OSError:
            base.drop()
            raise
        log.info("Creating AOF base file %s on server start", file.name)
        incremental = self._folder.incremental(1)
        self._append_to(Manifest(base=file), incremental, dropped, new=True)

    def _append_to(
        self, manifest: Manifest, file: LogFile, dropped: Iterable[str] = (), *, new: bool
    ) -> None:
        """The log goes on in this file. A manifest never names a new one that does not say yet what its
        base has of commands of several workers."""
        verb = "Creating" if new else "Opening"
        log.info("%s AOF incr file %s on server start", verb, file.name)
        fd = self._folder.create(file) if new else self._folder.open_to_append(file)
        try:
            size = os.fstat(fd).st_size
            self._check(lib.engine_aof_open(self._handle, fd, file.seq, size))
            self._settle(fd, dropped)
            if new:
                manifest = manifest.with_incremental(file)
                self._write_manifest(manifest)
        finally:
            os.close(fd)
        self._manifest = manifest
        self._count_sizes()
        base = (manifest.base,) if manifest.base else ()
        self._base_size = self._folder.size(base)

    def _settle(self, fd: int, dropped: Iterable[str]) -> None:
        """Says which parts do not count, and that all others do, on disk: nobody will know it later.

        Other logs may be rewritten as soon as all workers have come so far.
        """
        fault("aof.settling")
        for name in sorted(dropped):
            lib.engine_aof_note(self._handle, f"TXN-DROP {name}".encode())
            fault("aof.dropped")
        lib.engine_aof_claim(self._handle)
        fault("aof.settled")
        if self._one_of_several:
            os.fdatasync(fd)

    def _write_manifest(self, manifest: Manifest) -> None:
        self._folder.write(manifest)
        self._manifest = manifest
        self.changed()
        fault("aof.manifest.noted")

    async def _write_manifest_later(self, manifest: Manifest) -> None:
        """The disk may take its time, clients do not wait for it. Raises: OSError."""
        await self._later(self._folder.write, manifest)
        if not self._killed:
            self._manifest = manifest
            self.changed()

    def _count_sizes(self) -> None:
        """Of the files that are written to no more."""
        last = self._manifest.incrementals[-1:]
        rest = tuple(file for file in self._manifest.files if file not in last)
        self._closed_size = self._folder.size(rest)

    @staticmethod
    def _check(error: int) -> None:
        if error:
            raise OSError(error, os.strerror(error))

    def reload(self, index: int, count: int) -> None:
        """DEBUG LOADAOF: the data anew, out of what is written. Raises: OSError, AofError."""
        was_on = self.on
        self.close()
        self._engine.execute(0, [b"FLUSHALL", b"SYNC"])
        recovery = AofRecovery(self._engine, self._config, index, count, _is_there, _bare, None)
        lib.engine_load_begin(self._handle)
        try:
            while not recovery.step():
                pass
        finally:
            lib.engine_load_end(self._handle)
        if was_on:
            self.start(recovery.result.dropped)

    def end(self) -> None:
        """The worker ends in order."""
        if self.on:
            log.info("Calling fsync() on the AOF file.")
        self.close()

    def close(self) -> None:
        """All is written and on disk, and nothing is logged any more."""
        if error := lib.engine_aof_close(self._handle):
            log.warning("The append-only file could not be completed: %s", os.strerror(error))

    # --- switching at run time ---

    def switch(self, on: bool) -> None:
        """CONFIG SET appendonly. Raises: ValueError."""
        was, self._configured = self._configured, on
        if not self._started or on == was:
            return
        if on == self.on:
            self.release()
            return
        if on:
            self._switch_on()
        else:
            self._switch_off()

    def _switch_on(self) -> None:
        self._manifest = Manifest()
        self.scheduled = True
        if not self._may_fork():
            log.info(
                "AOF was enabled but there is already another background operation. An AOF background "
                "was scheduled to start when possible."
            )
            return
        if not self._begin_rewrite():
            self.scheduled = False
            raise ValueError("Unable to turn on AOF. Check server logs.")

    def _switch_off(self) -> None:
        if self.keeper:
            self.keeper.unbased("appendonly is stopped")
        if self.on:
            self._end_log()

    def _end_log(self) -> None:
        self.scheduled = False
        if self._rewrite:
            self._killed = True
            log.info("Killing running AOF rewrite child: %d", self._forks.pid)
            self._forks.kill()
        self.close()

    # --- backups (backup_part.py) ---

    @property
    def folder(self) -> Folder:
        return self._folder

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def begin_base(self) -> None:
        """A new base for the keeper, now or as soon as may be; a rewrite that runs already will do."""
        if not self.on:
            self._manifest = Manifest()
            if not self._config["appendonly"]:
                self._folder.lend()
        elif self.rewriting and not self._based:
            return
        self.scheduled = True
        asyncio.get_running_loop().call_soon(self._begin_scheduled)  # not in the midst of EXEC

    def _begin_scheduled(self) -> None:
        if self.scheduled and self._may_fork():
            self._begin_rewrite()

    @property
    def may_cut(self) -> bool:
        """Whether its next file can be prepared: no other instant is to come."""
        return not (self.rewriting or self._others.prepared or lib.engine_aof_busy(self._handle))

    def prepare_cut(self) -> None:
        """The log goes on in a new file from the next instant on. Raises: OSError."""
        self._prepare_next()

    def was_cut(self) -> None:
        """The instant was."""
        self._count_sizes()

    def cut_now(self) -> None:
        """There will be no instant."""
        lib.engine_aof_instant(self._handle)
        self._count_sizes()

    def release(self) -> None:
        """Nobody keeps the log any more: without appendonly it was the keeper's alone, and goes."""
        if self._config["appendonly"]:
            self._folder.own()
        elif self.on:
            self._end_log()
            self._manifest = Manifest()
            self._folder.drop_lent()

    def _tell_keeper(self, why: str) -> None:
        if self.keeper:
            self.keeper.unbased(f"snapshot rewrite failed: {why}")

    # --- rewriting ---

    def rewrite(self) -> bool:
        """BGREWRITEAOF: True if it has started, False if it will. Raises: InProgress, OSError."""
        if self.rewriting:
            raise InProgress
        if not self._may_fork():
            self.scheduled = True
            return False
        if not self._begin_rewrite():
            raise OSError(
                "Can't execute an AOF background rewriting. Please check the server logs for more "
                "information."
            )
        return True

    def _may_fork(self) -> bool:
        """Not while others load: their logs do not say yet which parts of commands count."""
        busy = lib.engine_aof_busy(self._handle) or self._others.prepared
        loading = self._engine.option("loading") != lib.LOADING_NOT
        held = self.keeper is not None and self.keeper.holds
        return self._forks.possible and not (self.rewriting or busy or loading or held)

    def _make_base(self, name: str) -> Base:
        return Base.begin(
            self._engine,
            self._config,
            self._forks,
            self.libraries,
            name=f"{name}-{os.getpid()}.aof",
        )

    def _begin_rewrite(self) -> bool:
        """False: it has failed already, which is in the log."""
        self.scheduled = self._based = self._killed = False
        self._begun_s = time.time()
        base: Base | None = None
        try:
            base = self._make_base("temp-rewriteaof-bg")
            first = self._prepare_next()
            ending = self._fork(base)
        except OSError as error:
            log.warning("Can't rewrite append only file in background: %s", error.strerror or error)
            if base:
                base.drop()
            self._tell_keeper(error.strerror or str(error))
            self._give_up()
            return False
        self.rewrites += 1
        log.info("Background append only file rewriting started by pid %d", self._forks.pid)
        self._rewrite = self._spawn(self._finish(base, first, ending), "aof rewrite")
        self._end_turn()
        return True

    def _wants_log(self) -> bool:
        kept = self.keeper is not None and self.keeper.logs
        return bool(self._config["appendonly"]) or kept

    def _prepare_next(self) -> LogFile | None:
        """The file in which the log goes on from the fork; None: nothing is logged. Raises: OSError."""
        if not self._wants_log():
            return None
        seq = max(self._manifest.last_incremental, self._last_on_disk()) + 1
        file = self._folder.incremental(seq)
        name = file.name if self._manifest.files else self._temporary_incremental
        fd = self._folder.create(name)
        try:
            if self._manifest.files:
                self._write_manifest(self._manifest.with_incremental(file))
            log.info("Creating AOF incr file %s on background rewrite", name)
            self._check(lib.engine_aof_prepare(self._handle, fd, seq, 0))
        finally:
            os.close(fd)
        return file

    @property
    def _temporary_incremental(self) -> str:
        return f"temp-{self._folder.prefix}.incr"

    def _last_on_disk(self) -> int:
        """Of a log that was switched off: numbers go on."""
        if self._manifest.files:
            return 0
        try:
            return (self._folder.read() or Manifest()).last_incremental
        except Exception:
            return 0

    def _fork(self, base: Base) -> "asyncio.Future[Ending]":
        """Raises: OSError, the log going on in the new file all the same."""
        try:
            ending = base.fork(next(self._numbers))
        except OSError:
            if self._manifest.files:
                lib.engine_aof_instant(self._handle)
            else:
                lib.engine_aof_prepare(self._handle, -1, 0, 0)
            self._count_sizes()
            raise
        self._count_sizes()
        return ending

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
        if self._wants_log() and not self._manifest.files:  # was to be switched on: tries again
            with contextlib.suppress(OSError):
                (self._folder.path / self._temporary_incremental).unlink()
            lib.engine_aof_close(self._handle)
            self.scheduled = True

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
            base.drop()
            raise
        finally:
            self.last_duration_s = int(time.time() - self._begun_s)
            self._rewrite = None

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
            base.drop() if self._wants_log() else await self._install_alone(base, ending)
        else:
            await self._install_base(base, first, ending)
        if self._killed:
            return
        self.last_ok, self.failures = True, 0
        self._base_size = self.size
        log.info("Background AOF rewrite finished successfully")

    async def _install_base(self, base: Base, first: LogFile, ending: Ending) -> None:
        old = self._manifest
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
        self._count_sizes()
        self._based = True
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
        switched_on = not self._manifest.files
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
            old = self._manifest
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

    async def _collect(self) -> None:
        """Deletes history files: their blocks are given back elsewhere than in the event loop."""
        if self._config["aof-disable-auto-gc"] or not self._manifest.history:
            return
        history = self._manifest.history
        await self._later(self._unlink, [self._folder.place(file) for file in history])
        await self._write_manifest_later(self._manifest.without_history())

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

    async def watch(self) -> None:
        """Starts what is scheduled or due."""
        while True:
            await asyncio.sleep(LOOK_S)
            pause = self._config["no-appendfsync-on-rewrite"] and self._forks.pid
            self._engine.set_option("aof_no_fsync", int(bool(pause)))
            self._begin_scheduled()
            if self._is_due() and self._may_fork():
                self._begin_rewrite()

    def _is_due(self) -> bool:
        percentage = self._config["auto-aof-rewrite-percentage"]
        if not percentage or not self.on or self.waits or self.rewriting:
            return False
        size, base = self.size, self._base_size or 1
        if size < self._config["auto-aof-rewrite-min-size"]:
            return False
        growth = size * 100 // base - 100
        if growth < percentage or time.time() < self._next_auto_s:
            return False
        log.info("Starting automatic rewriting of AOF on %d%% growth", growth)
        return True
