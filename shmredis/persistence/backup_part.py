"""One worker's part of a backup: its log, hard-linked into the backup's folder.

    begin ─► rewrite ─► base linked ─► … writes are logged … ─► cut at an instant ─► log and manifest linked

With appendonly no the log is made for the backup and goes with it. Source: the states, log lines and files of
BACKUP in Redis 8.10.
"""

import asyncio
import contextlib
import errno
import logging
import os
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from shmredis.faults import fault
from shmredis.persistence.aof_folder import Folder, sync_file, sync_folder
from shmredis.persistence.aof_log import AppendLog
from shmredis.persistence.aof_manifest import Manifest
from shmredis.persistence.forks import ForkKind, Forks, Options
from shmredis.persistence.removal import remove

__all__ = ["BackupPart", "PartFigures", "Step"]

log = logging.getLogger(__name__)

NO_CHILD = Options(compress=False, checksum=False, sync_every=0, key_delay_us=0)


class Step(Enum):
    """How far it is."""

    NONE = auto()
    WAITING = auto()  # until a rewrite may begin
    SNAPSHOTTING = auto()
    INCREMENTING = auto()
    CUTTING = auto()  # at an instant to come
    SEALED = auto()
    FAILED = auto()


RUNNING = (Step.WAITING, Step.SNAPSHOTTING, Step.INCREMENTING, Step.CUTTING)


@dataclass(slots=True, frozen=True)
class PartFigures:
    """What the leading worker sees of it."""

    step: Step
    error: str = ""
    pinned: tuple[str, ...] = ()


class BackupPart:
    """Implements aof_rewriter.Keeper."""

    def __init__(
        self, append_log: AppendLog, forks: Forks, target: Folder, removes_target: bool
    ) -> None:
        self._log = append_log
        self._forks = forks
        self._target = target
        self._removes_target = removes_target  # it lies in the backup's folder
        self._number = 0
        self._step = Step.NONE
        self._error = ""
        self._pinned: list[Path] = []
        self._sealing: asyncio.Future[None] | None = None
        append_log.rewriter.keeper = self

    # --- aof_rewriter.Keeper ---

    @property
    def logs(self) -> bool:
        return self._step in RUNNING

    @property
    def holds(self) -> bool:
        return self._step in (Step.INCREMENTING, Step.CUTTING)

    def based(self) -> None:
        """Links the base; from here on the log is the backup's, too."""
        base = self._log.state.manifest.base
        if self._step not in (Step.WAITING, Step.SNAPSHOTTING) or base is None:
            return
        try:
            self._target.path.mkdir(parents=True, exist_ok=True)
            self._pin(self._log.state.folder.place(base))
        except OSError as error:
            self._fail(f"pinning the base failed: {error.strerror}")
            return
        log.info("BACKUP: snapshot pinned (%s), now accumulating writes", base.name)
        self._step = Step.INCREMENTING

    def unbased(self, why: str) -> None:
        if self._step in RUNNING:
            self._fail(why)

    # --- orders ---

    @property
    def running(self) -> bool:
        return self._step in RUNNING

    def figures(self, number: int) -> PartFigures:
        if number != self._number:
            return PartFigures(Step.NONE)
        step = self._step
        if step in (Step.WAITING, Step.INCREMENTING) and self._log.rewriter.running:
            step = Step.SNAPSHOTTING
        return PartFigures(step, self._error, tuple(map(str, self._pinned)))

    def begin(self, number: int) -> None:
        """A new backup; what there was of another one is given up."""
        self.drop()
        self._number, self._error = number, ""
        self._step = Step.WAITING
        if self._sealing:  # of the one before: its thread still puts files there
            self._sealing.add_done_callback(lambda _: self._begin_base(number))
        else:
            self._begin_base(number)

    def _begin_base(self, number: int) -> None:
        if number != self._number or self._step is not Step.WAITING:
            return
        try:
            self._log.begin_base()
        except OSError as error:
            self._fail(f"{error.strerror}")

    def prepare_cut(self, number: int) -> str:
        """Empty: the instant may come; "busy": not yet; else why it cannot."""
        if number != self._number or self._step is not Step.INCREMENTING:
            return self._error or "a worker was restarted meanwhile"
        if not self._log.rewriter.may_cut:
            return "busy"
        try:
            self._log.prepare_cut()
        except OSError as error:
            self._fail(f"sealing failed: {error.strerror}")
            return self._error
        self._forks.prepare(number, ForkKind.NOTHING, -1, NO_CHILD)
        self._step = Step.CUTTING
        return ""

    def passed(self, number: int) -> None:
        """The instant was: what is in the files until here is the backup."""
        if number != self._number or self._step is not Step.CUTTING:
            return
        state = self._forks.state()
        if state.id != number or state.error not in (0, errno.ECANCELED):
            self._fail(f"sealing failed: {os.strerror(state.error)}")
            return
        self._log.was_cut()
        work = asyncio.get_running_loop().run_in_executor(
            None, self._seal, self._log.state.manifest
        )
        self._sealing = work
        work.add_done_callback(self._sealed)

    def _seal(self, manifest: Manifest) -> None:
        """In a thread: links what is closed, for good. Raises: OSError."""
        closed = Manifest(base=manifest.base, incrementals=manifest.incrementals[:-1])
        for file in closed.incrementals:
            path = self._log.state.folder.place(file)
            sync_file(path)
            self._pin(path)
        if fault("backup.seal"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._target.write(closed)
        self._pinned.append(self._target.manifest_path)

    def _sealed(self, work: "asyncio.Future[None]") -> None:
        self._sealing = None
        if work.cancelled():
            return
        if self._step is not Step.CUTTING:  # it was given up meanwhile
            self._unpin()
            return
        if error := work.exception():
            why = error.strerror if isinstance(error, OSError) else error
            self._fail(f"sealing failed: {why}")
            return
        self._step = Step.SEALED
        wanted = self._log.rewriter.scheduled  # while files were held
        self._log.release()
        self._log.rewriter.scheduled = wanted

    def drop(self) -> None:
        """Ends it, and removes what it has linked, sealed or not."""
        was_running = self._step in RUNNING
        self._number = 0
        if self._step is Step.CUTTING and self._sealing is None:
            self._forks.cancel()
            self._log.cut_now()
        self._step = Step.NONE
        if was_running:
            self._log.release()
        self._unpin()

    # --- steps ---

    def _pin(self, path: Path) -> None:
        """Raises: OSError."""
        place = self._target.path / path.name
        os.link(path, place)
        sync_folder(self._target.path)
        self._pinned.append(place)

    def _unpin(self) -> None:
        for path in self._pinned:
            with contextlib.suppress(OSError):
                remove(path)
        self._pinned = []
        if self._removes_target:
            with contextlib.suppress(OSError):
                self._target.path.rmdir()

    def _fail(self, why: str) -> None:
        self._error = why
        self._step = Step.FAILED
        self._log.release()
        self._unpin()
