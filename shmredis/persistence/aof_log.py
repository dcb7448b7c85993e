"""The append-only file of a running worker: opened, switched on and off, kept for backups.

The core appends and syncs (csrc/persist/aof.h); which files there are is decided here and in
aof_rewriter.py.
Source: the behaviour, log lines and INFO fields of Redis 8.10, specs/aof.md.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from shmredis._core import lib
from shmredis.commands.info_aof import AofFigures
from shmredis.config import Config
from shmredis.engine import Engine
from shmredis.faults import fault
from shmredis.persistence.aof_folder import Folder
from shmredis.persistence.aof_load import AofError, Call
from shmredis.persistence.aof_manifest import LogFile, Manifest, ManifestError
from shmredis.persistence.aof_recovery import AofRecovery
from shmredis.persistence.aof_rewriter import Others, Rewriter
from shmredis.persistence.aof_state import LogState, check
from shmredis.persistence.aof_tail import written_size
from shmredis.persistence.forks import Forks

__all__ = ["AppendLog"]

log = logging.getLogger(__name__)


def _is_there(_db: int, _argv: list[bytes]) -> None:
    """What commands of Python have made is still there."""


def _bare(_engine: Engine) -> Call:
    """For logs of another number of workers, which those of a server that runs are not."""
    return _is_there


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
        self._one_of_several = one_of_several
        self._started = self._configured = False
        self.state = LogState(engine, folder)
        self.rewriter = Rewriter(
            engine,
            config,
            self.state,
            forks,
            others,
            spawn,
            end_turn,
            one_of_several=one_of_several,
        )
        self._home = Path.cwd()  # its folder is there

    # --- what is known ---

    @property
    def _folder(self) -> Folder:
        return self.state.folder

    @property
    def wants_base(self) -> bool:
        """It is switched on, and does not have all the data yet: the server may not end."""
        return self._started and self._configured and not self.state.manifest.files

    def figures(self) -> AofFigures:
        """For INFO, of this worker."""
        info, rewriter = self.state.info(), self.rewriter
        return AofFigures(
            enabled=bool(info.open) or (self._started and rewriter.wants_log),
            rewriting=rewriter.running,
            scheduled=rewriter.scheduled,
            last_duration_s=rewriter.last_duration_s,
            present_duration_s=rewriter.duration_s,
            last_ok=rewriter.last_ok,
            rewrites=rewriter.count,
            failures=rewriter.failures,
            write_ok=not info.write_errno and not info.fsync_errno,
            last_copied=rewriter.last_copied,
            size=self.state.closed_size + int(info.size),
            base_size=self.state.base_size,
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
        self.state.manifest = manifest
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
        info = self.state.info()
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
        self._follow_base(old, self._write_base(old))

    def _write_base(self, old: Manifest) -> LogFile:
        """A base with what the arena has, which no manifest names yet. Raises: OSError."""
        base = self.rewriter.make_base("temp-rewriteaof")
        file = self._folder.base((old.base.seq if old.base else 0) + 1, rdb=base.rdb)
        try:
            base.complete(base.write_here(), self._folder.place(file))
        except OSError:
            base.drop()
            raise
        return file

    def _follow_base(self, old: Manifest, file: LogFile) -> None:
        """The log goes on behind a base that is new. Raises: OSError."""
        first = self._folder.incremental(old.last_incremental + 1)
        fault("aof.renewing")
        self._append_to(old.rewritten(file, first.seq), first, new=True)
        if not self._config["aof-disable-auto-gc"]:
            self.state.manifest = self._folder.delete_history(self.state.manifest)

    def _begin(self, dropped: Iterable[str]) -> None:
        """A first base with what there is, and an empty incremental file."""
        file = self._write_base(Manifest())
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
            check(lib.engine_aof_open(self._handle, fd, file.seq, size))
            self._settle(fd, dropped)
            if new:
                manifest = manifest.with_incremental(file)
                self.state.write(manifest)
        finally:
            os.close(fd)
        self.state.manifest = manifest
        self.state.count_sizes()
        base = (manifest.base,) if manifest.base else ()
        self.state.base_size = self._folder.size(base)

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

    def find(self, index: int, count: int) -> AofRecovery:
        """What DEBUG LOADAOF would load. Raises: OSError, AofError."""
        recovery = AofRecovery(self._engine, self._config, index, count, _is_there, _bare, None)
        if not recovery.result.found:
            raise AofError("There is no append only file")
        recovery.look()
        return recovery

    def reload(self, index: int, count: int) -> None:
        """DEBUG LOADAOF: the data anew, out of what is written; as in Redis none is left if that is
        not there. Raises: OSError, AofError."""
        was_on = self.state.on
        self.close()
        lib.engine_empty(self._handle)
        recovery = self.find(index, count)
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
        if self.state.on:
            log.info("Calling fsync() on the AOF file.")
        self.close()

    def close(self) -> None:
        """All is written and on disk, and nothing is logged any more."""
        self._say_closed(lib.engine_aof_close(self._handle))

    @staticmethod
    def _say_closed(error: int) -> None:
        if error:
            log.warning("The append-only file could not be completed: %s", os.strerror(error))

    # --- switching at run time ---

    def switch(self, on: bool) -> None:
        """CONFIG SET appendonly. Raises: ValueError."""
        was, self._configured = self._configured, on
        if not self._started or on == was:
            return
        try:
            self._switch_on() if on else self._switch_off()
        finally:
            self.state.news()
        self.state.changed()

    def _switch_on(self) -> None:
        self._folder.own()
        if self.state.on:  # for a backup
            return
        self.state.manifest = Manifest()
        self.rewriter.scheduled = True
        if not self.rewriter.may_begin:
            log.info(
                "AOF was enabled but there is already another background operation. An AOF background "
                "was scheduled to start when possible."
            )
            return
        if not self.rewriter.begin():
            self.rewriter.scheduled = False
            raise ValueError("Unable to turn on AOF. Check server logs.")

    def _switch_off(self) -> None:
        if self.rewriter.keeper:
            self.rewriter.keeper.unbased("appendonly is stopped")
        self._end_log()

    def _end_log(self) -> None:
        self.rewriter.kill()
        if self.state.on:
            self._say_closed(lib.engine_aof_off(self._handle))

    def move(self) -> None:
        """CONFIG SET dir: goes on with a new base in the new place, written here and now.

        What is in the old place stays as it is. Raises: ValueError.
        """
        home, before = Path.cwd(), self._folder
        if home == self._home:
            return
        path = home / before.path.relative_to(self._home)
        self.state.folder = Folder(path, before.prefix)
        if self.state.on:
            try:
                self._begin_anew()
            except ValueError:
                self.state.folder = before
                raise
        self._home = home

    def _begin_anew(self) -> None:
        """Raises: ValueError, nothing changed but for what is written by itself later."""
        if not self.rewriter.may_begin:
            raise ValueError("The append only file cannot move while a child process is active")
        try:
            old = self._folder.read() or Manifest()
            base = self._write_base(old)
        except (OSError, ManifestError) as error:
            raise ValueError(f"The append only file cannot move: {error}") from None
        try:
            self._follow_base(old, base)
        except OSError as error:
            self.state.manifest = Manifest()  # it may be in either place
            self.rewriter.scheduled = True
            self.state.news()
            raise ValueError(f"The append only file cannot move: {error}") from None

    # --- backups (backup_part.py) ---

    def begin_base(self) -> None:
        """A new base for the keeper, now or as soon as may be; a rewrite that runs already will do."""
        if not self.state.on:
            self.state.manifest = Manifest()
            if not self._config["appendonly"]:
                self._folder.lend()
        elif self.rewriter.running and not self.rewriter.based:
            return
        self.rewriter.scheduled = True
        begin = self.rewriter.begin_scheduled
        asyncio.get_running_loop().call_soon(begin)  # not in the midst of EXEC

    def prepare_cut(self) -> None:
        """The log goes on in a new file from the next instant on. Raises: OSError."""
        self.rewriter.prepare_next()

    def was_cut(self) -> None:
        """The instant was."""
        self.state.count_sizes()

    def cut_now(self) -> None:
        """There will be no instant."""
        lib.engine_aof_instant(self._handle)
        self.state.count_sizes()

    def release(self) -> None:
        """Nobody keeps the log any more: without appendonly it was the keeper's alone, and goes."""
        if self.state.on and not self._config["appendonly"]:
            self._end_log()
            self.state.manifest = Manifest()
            self._folder.drop_lent()
