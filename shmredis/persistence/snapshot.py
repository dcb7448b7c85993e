"""Snapshots of the whole server into dump.rdb: SAVE, BGSAVE, save rules, and what INFO says of them.

Worker 0 leads: it has all workers pass one instant (crew.py), joins their parts into one standard file
and puts it in the place of the old one. Other workers pass requests on to it. Source: the behaviour, log
lines and INFO fields of Redis 8.10.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from shmredis.commands.context import Workers
from shmredis.commands.info_snapshots import SnapshotFigures
from shmredis.commands.version import REDIS_VERSION
from shmredis.config import Config
from shmredis.engine import Engine
from shmredis.faults import fault
from shmredis.persistence.crew import Crew, CrewError, Outcome
from shmredis.persistence.forks import BY_SIGNAL, GIVEN_UP, Ending, Forks, Options
from shmredis.persistence.part import Order, Part, PartState
from shmredis.persistence.rdb_file import Frame, Records, tell_done, write_end, write_head
from shmredis.persistence.removal import remove

__all__ = ["LEADER", "Run", "Snapshots"]

log = logging.getLogger(__name__)

LEADER = 0
RETRY_AFTER_S = 5  # a failed save of the rules is not tried again sooner
MIB = 1 << 20


def _here() -> Path:
    """The data directory. One that was removed has a name in which nothing is, as Redis's texts have it."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("unknown")


@dataclass(slots=True)
class Run:
    """One snapshot under way, and then how it went."""

    number: int
    begun_s: float = field(default_factory=time.time)
    started: asyncio.Event = field(default_factory=asyncio.Event)  # the instant was, or all failed
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    error: str = ""
    pid: int = 0
    folder: Path = field(default_factory=_here)  # wherever CONFIG SET dir leads meanwhile
    final: bool = False  # before the end of the server; if it fails, clients may write as before


class Snapshots:
    """One per worker; what leads is that of worker 0."""

    def __init__(
        self,
        engine: Engine,
        config: Config,
        workers: Workers | None,
        spawn: Callable[..., "asyncio.Task[None]"],
        started_s: float,
    ) -> None:
        self._engine = engine
        self._config = config
        self._workers = workers
        self._spawn = spawn
        self._numbers = itertools.count(time.time_ns())
        self._saved_dirty = 0  # changes since start that the last snapshot has
        self._killed = False
        self._emptied = 0
        self._unsaved_flush = 0  # number of a FLUSHALL that could not be saved
        self.forks = Forks(engine)
        self.part = Part(self.forks)
        self.crew = Crew(engine, self.part, workers)
        self.changed: Callable[[], None] = lambda: None  # there is a new dump.rdb
        self.libraries: Callable[[], tuple[bytes, ...]] = (
            tuple  # of functions; their owner sets this
        )
        self.run: Run | None = None
        self.runs: dict[int, Run] = {}  # the last ones, by number
        self.scheduled = False
        self.last_save_s = int(started_s)
        self.last_try_s = 0.0
        self.last_ok = True
        self.last_duration_s = -1
        self.saves = self.failures = self.last_copied = self._peak_copied = 0

    # --- what is known ---

    @property
    def leads(self) -> bool:
        return self._workers is None or self._workers.index == LEADER

    @property
    def changes(self) -> int:
        """Changes in this worker since the last snapshot, or since a FLUSHALL, which is one by itself."""
        saved, state = self._saved_dirty, self.forks.state()
        if self._config["save"] and state.emptied > self._unsaved_flush:
            saved = max(saved, int(state.emptied_dirty))
        return int(self._engine.stats.dirty) - saved

    def figures(self) -> SnapshotFigures:
        """For INFO, of this worker."""
        state, report, run = self.forks.state(), self.forks.report(), self.run
        writing = bool(state.pid)
        return SnapshotFigures(
            leads=self.leads,
            changes=self.changes,
            keys_done=report.keys_done if writing else 0,
            keys_total=report.keys_total if writing else 0,
            copied=state.copied if writing else 0,
            peak_copied=self._note_peak(state.copied) if writing else 0,
            in_progress=run is not None,
            last_save_s=self.last_save_s,
            last_ok=self.last_ok,
            last_duration_s=self.last_duration_s,
            present_duration_s=int(time.time() - run.begun_s) if run else -1,
            saves=self.saves,
            failures=self.failures,
            last_copied=self.last_copied,
            last_fork_us=state.fork_us,
            forks=self.forks.total,
        )

    def _note_peak(self, copied: int) -> int:
        self._peak_copied = max(self._peak_copied, copied)
        return self._peak_copied

    def note_loaded(self) -> None:
        """DEBUG LOADAOF: what was loaded are no changes."""
        self._saved_dirty = int(self._engine.stats.dirty)

    # --- saving ---

    def begin(self, *, final: bool = False) -> Run:
        """Starts a snapshot in the background; there must be none."""
        assert self.run is None and self.leads
        self.run = run = Run(next(self._numbers), final=final)
        self.scheduled, self.last_try_s, self._killed = False, time.time(), False
        self._peak_copied, self.crew.stopped = 0, False
        self.saves += 1
        self.runs = dict(list(self.runs.items())[-7:]) | {run.number: run}
        self._spawn(self._work(run), f"snapshot {run.number}")
        return run

    def save_here(self) -> None:
        """SAVE of a server of one worker: nothing else happens meanwhile. Raises: CrewError, OSError."""
        folder, frame = _here(), self._frame()
        temporary = folder / f"temp-{os.getpid()}.rdb"
        dirty = int(self._engine.stats.dirty)
        self.saves += 1
        try:
            self._make_head(temporary, frame)
            records = self.forks.write_here(temporary, Options.of(self._config))
            target, checksum = folder / self._config["dbfilename"], self._config["rdbchecksum"]
            _complete(temporary, target, frame, [records], checksum)
        except (CrewError, OSError) as error:
            log.warning("%s", error)
            remove(temporary)
            raise
        log.info("DB saved on disk")
        self._saved_dirty = dirty
        self.changed()
        self._note_success()

    async def _work(self, run: Run) -> None:
        try:
            await self._take(run)
        except (CrewError, OSError) as error:
            run.error = str(error)
            await self.crew.drop(run.number)
            await self.forks.wait_gone()  # the next one shall not find it
            for worker in self.crew.others:
                remove(_part_path(run.folder, worker))  # of one that has died
        except asyncio.CancelledError:
            run.error = "the server stops"
            log.warning("There is a child saving an .rdb. Killing it!")
            self._killed = True
            self.part.drop(run.number)
            raise
        finally:
            self._settle(run)
        with contextlib.suppress(CrewError):
            await self.crew.finish(run.number, Outcome(not run.error, self.refuses_writes))

    async def _take(self, run: Run) -> None:
        """Raises: CrewError, OSError."""
        folder, name = run.folder, self._config["dbfilename"]
        path_of = partial(_part_path, folder)
        target, temporary = folder / name, folder / f"temp-{os.getpid()}.rdb"
        frame = self._frame()
        self._make_head(temporary, frame)
        options = replace(Options.of(self._config), expendable=True)
        order = Order(run.number, temporary, options, append=True)
        await self.crew.prepare(order, path_of)
        state = await self.crew.instant(run.number)
        run.pid = state.pid
        log.info("Background saving started by pid %d", state.pid)
        run.started.set()
        parts = await self.crew.wait(run.number)
        paths = [None, *map(path_of, self.crew.others)]
        records = [_records(part, path) for part, path in zip(parts, paths, strict=True)]
        checksum = self._config["rdbchecksum"]
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, _complete, temporary, target, frame, records, checksum)
        log.info("DB saved on disk")
        self._note_copied(parts)
        self._saved_dirty = parts[0].dirty
        self.changed()
        self.part.drop(run.number, keep_file=True)

    def _make_head(self, path: Path, frame: Frame) -> None:
        """Raises: CrewError."""
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise CrewError(
                f"Failed opening the temp RDB file {path.name} (in server root dir {path.parent}) "
                f"for saving: {error.strerror}"
            ) from None
        try:
            write_head(fd, frame)
        finally:
            os.close(fd)

    def _frame(self) -> Frame:
        return Frame(
            (
                ("redis-ver", REDIS_VERSION),
                ("redis-bits", 64),
                ("ctime", int(time.time())),
                ("used-mem", int(self._engine.memory().used)),
                ("aof-base", 0),
            ),
            self.libraries(),
        )

    def _note_copied(self, parts: list[PartState]) -> None:
        self.last_copied = sum(part.ending.copied for part in parts if part.ending)
        size = self.last_copied // MIB
        log.info("Fork CoW for RDB: current %d MB, peak %d MB, average %d MB", size, size, size)

    def _settle(self, run: Run) -> None:
        """The end of it, as INFO and the log have it."""
        now = time.time()
        self.run = None
        self.last_duration_s = int(now - run.begun_s)
        if not run.error:
            self._note_success()
            log.info("Background saving terminated with success")
        else:
            self._note_failure(run.error, blame=not run.final)
        self.apply_refusal()
        run.started.set()
        run.finished.set()

    def _note_success(self) -> None:
        self.last_ok, self.failures = True, 0
        self.last_save_s = int(time.time())
        self.apply_refusal()

    def _note_failure(self, why: str, *, blame: bool) -> None:
        if self._killed:
            return
        if why.startswith(BY_SIGNAL):
            log.warning("Background saving %s", why)
        else:
            log.warning("%s", why)
            log.warning("Background saving error")
        if why == GIVEN_UP:
            self.scheduled = bool(self._config["save"])  # what is left is saved in its place
        elif blame:
            self._unsaved_flush = int(self.forks.state().emptied)
            self.last_ok = False
            self.failures += 1

    def kill(self) -> None:
        """Ends what is under way, without calling it a failure."""
        self._killed = self.crew.stopped = True
        self.scheduled = False
        self.forks.kill()

    def close(self) -> None:
        """At an orderly end: no child and no temporary file are left, the object is the present state."""
        self.part.close()
        self.forks.kill_and_thaw()

    # --- after failures ---

    @property
    def refuses_writes(self) -> bool:
        """stop-writes-on-bgsave-error."""
        stop = self._config["stop-writes-on-bgsave-error"] and self._config["save"]
        return bool(stop) and not self.last_ok

    def apply_refusal(self) -> None:
        """Has the core refuse writes, or not; in this worker."""
        self._engine.set_option("save_failed", int(self.refuses_writes))

    # --- the save rules ---

    @property
    def wants_changes(self) -> bool:
        """Whether it matters how many changes there were."""
        return self.run is None and bool(self._config["save"])

    def due_now(self, changes: int) -> bool:
        """Whether a snapshot is to begin; a log line says why."""
        emptied = int(self.forks.state().emptied)
        if emptied != self._emptied:  # by FLUSHALL: the file shall not bring back what was there
            self._emptied = emptied
            self.scheduled = self.scheduled or bool(self._config["save"])
        if self.run or self.forks.pid:
            return False
        return self.scheduled or self._rule_holds(changes, time.time())

    def _rule_holds(self, changes: int, now_s: float) -> bool:
        if not self.last_ok and now_s - self.last_try_s <= RETRY_AFTER_S:
            return False
        for seconds, least in self._config["save"]:
            if changes >= least and now_s - self.last_save_s > seconds:
                log.info("%d changes in %d seconds. Saving...", least, seconds)
                return True
        return False

    # --- orders of the worker that leads ---

    def pass_instant(self, number: int, passed: bool) -> None:
        """The core has passed the instant of all workers, or could not bring it about."""
        if passed:
            self.part.passed(number)
        else:
            self.crew.refused()

    def obey(self, verb: str, what: object) -> object:
        """An order of the leading worker, and the answer."""
        match verb, what:
            case "prepare", Order() as order:
                return self.part.prepare(order)
            case "state", int(number):
                return self.part.state(number)
            case "drop", int(number):
                self.part.drop(number)
            case "finish", (int(number), Outcome() as outcome):
                self._conclude(number, outcome)
            case "changes", _:
                return self.changes
            case "kill", _:
                self.kill()
        return None

    def _conclude(self, number: int, outcome: Outcome) -> None:
        state = self.part.state(number)
        if outcome.ok:
            self._saved_dirty = state.dirty
            self.changed()
            self.last_save_s = int(time.time())
        self.part.drop(number)
        self.last_ok = outcome.ok
        self._engine.set_option("save_failed", int(outcome.refuse_writes))


def _part_path(folder: Path, worker: int) -> Path:
    """Where another worker writes its part to."""
    return folder / f"temp-{os.getpid()}.{worker}.rdb"


def _records(state: PartState, path: Path | None) -> Records:
    ending = state.ending
    assert isinstance(ending, Ending)
    return Records(path, ending.size, ending.crc, ending.field_ttls, state.keys_done)


def _complete(
    temporary: Path, target: Path, frame: Frame, parts: list[Records], checksum: bool
) -> None:
    """From the parts to the file in its place, all on disk. In a thread. Raises: CrewError, OSError."""
    fd = os.open(temporary, os.O_RDWR | os.O_CLOEXEC)
    try:
        write_end(fd, frame, parts, checksum=checksum)
        tell_done(fd, parts)
    finally:
        os.close(fd)
    try:
        if fault("rdb.rename"):
            raise OSError(0, "rename refused on purpose")
        temporary.rename(target)
    except OSError as error:
        raise CrewError(
            f"Error moving temp DB file {temporary.name} on the final destination {target.name} "
            f"(in server root dir {target.parent}): {error.strerror}"
        ) from None
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
