"""BACKUP: an online backup of the whole server, as an append-only folder of hard links.

    backupdir/               of one worker: base, incremental files and manifest
    backupdir/worker-<n>/    of several, each a complete folder

Worker 0 leads: it has all workers take a base (backup_part.py), and at SEAL all logs end at one instant.
Other workers pass requests on to it. Whoever dies takes the backup with him, and nothing else.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from shmredis._core import lib
from shmredis.commands.context import NoAnswer, Workers
from shmredis.commands.resp import CommandError
from shmredis.config import Config
from shmredis.engine import Engine
from shmredis.persistence.aof_folder import WORKER_FOLDER, Folder
from shmredis.persistence.aof_log import AppendLog
from shmredis.persistence.backup_part import BackupPart, PartFigures, Step
from shmredis.persistence.counterparts import Counterparts, read_question, write_answer
from shmredis.persistence.forks import Forks
from shmredis.persistence.removal import remove, remove_folder

__all__ = ["BackupState", "BackupStatus", "Backups"]

log = logging.getLogger(__name__)

LEADER = 0
LOOK_S = 0.02
SEAL_S = 30.0
REBORN = "a worker was restarted meanwhile"


class BackupState(Enum):
    """As STATUS says it."""

    IDLE = "idle"
    PENDING = "pending"
    SNAPSHOTTING = "snapshotting"
    INCREMENTING = "incrementing"
    SEALED = "sealed"
    FAILED = "failed"


RUNNING = (BackupState.PENDING, BackupState.SNAPSHOTTING, BackupState.INCREMENTING)
BackupStatus = tuple[str, str, int, int]  # state, error, start, end


class BackupError(Exception):
    """The backup cannot be; the text says why."""


class Backups:
    """One per worker; what leads is that of worker 0."""

    def __init__(
        self,
        engine: Engine,
        config: Config,
        append_log: AppendLog,
        forks: Forks,
        workers: Workers | None,
        spawn: Callable[..., "asyncio.Task[None]"],
    ) -> None:
        self._engine = engine
        self._config = config
        self._workers = workers
        self._counterparts = Counterparts(workers, "backup")
        self._spawn = spawn
        self._numbers = itertools.count(time.time_ns() + 2)
        self.whole = Path(config["backupdirname"]).absolute()
        path = self.whole / f"worker-{workers.index}" if workers else self.whole
        target = Folder(path, config["appendfilename"])
        self.part = BackupPart(append_log, forks, target, removes_target=workers is not None)
        self._number = 0
        self._state = BackupState.IDLE
        self._error = ""
        self._start_s = self._end_s = 0
        self._others: dict[int, PartFigures] = {}
        self._driver: asyncio.Task[None] | None = None
        self._sealer: asyncio.Task[None] | None = None
        self._refused, self._passed = asyncio.Event(), asyncio.Event()

    @property
    def leads(self) -> bool:
        return self._workers is None or self._workers.index == LEADER

    @property
    def in_progress(self) -> bool:
        """For INFO, of this worker."""
        return self.part.running

    # --- for commands: at any worker ---

    async def start(self) -> None:
        """Raises: CommandError."""
        await self._ask("start")

    async def seal(self) -> None:
        """Comes back when all is sealed. Raises: CommandError."""
        number = await self._ask("seal")
        while (error := await self._ask("sealed", number)) is None:
            await asyncio.sleep(LOOK_S)
        if error:
            raise CommandError(f"ERR {error}")

    async def abort(self) -> None:
        """Raises: CommandError."""
        await self._ask("abort")

    async def cleanup(self) -> None:
        """Raises: CommandError."""
        await self._ask("cleanup")

    async def status(self) -> BackupStatus:
        """Raises: CommandError."""
        status: BackupStatus = await self._ask("status")
        return status

    async def pinned(self) -> list[str]:
        """Paths. Raises: CommandError."""
        paths: list[str] = await self._ask("pinned")
        return paths

    async def _ask(self, verb: str, what: object = None) -> Any:
        if self.leads:
            return self._take(verb, what)
        try:
            answer = await self._counterparts.ask(LEADER, verb, what)
        except NoAnswer as silence:
            raise CommandError(f"ERR {silence}") from None
        if isinstance(answer, CommandError):
            raise answer
        return answer

    def answer(self, question: bytes) -> bytes:
        """Requests of other workers' clients, orders of the leading one."""
        try:
            return write_answer(self._take(*read_question(question)))
        except CommandError as error:
            return write_answer(error)

    def _take(self, verb: str, what: object) -> object:
        """Raises: CommandError."""
        match verb, what:
            case "start", _:
                self._start()
            case "seal", _:
                return self._begin_seal()
            case "sealed", int(number):
                return self._outcome(number)
            case "abort", _:
                self._abort()
            case "cleanup", _:
                self._cleanup()
            case "status", _:
                return self.told()
            case "pinned", _:
                return self.pinned_files()
            case "begin", int(number):
                self.part.begin(number)
            case "part", int(number):
                return self.part.figures(number)
            case "cut", int(number):
                return self.part.prepare_cut(number)
            case "drop", _:
                self.part.drop()
            case _:
                raise AssertionError(verb)
        return None

    # --- at the leading worker: requests ---

    def _start(self) -> None:
        if self._state in RUNNING:
            raise CommandError("ERR A backup is already in progress, ABORT it first")
        if self._state is BackupState.SEALED:
            raise CommandError("ERR A sealed backup exists, CLEANUP it first")
        name = self._config["backupdirname"]
        try:
            if not self.whole.exists():
                self.whole.mkdir()
            if any(self.whole.iterdir()):
                raise CommandError(f"ERR Backup directory {name} is not empty, CLEANUP it first")
        except OSError as error:
            text = f"ERR Can't create backup directory {name}: {error.strerror}"
            raise CommandError(text) from None
        self._number = next(self._numbers)
        self._state, self._error, self._others = BackupState.PENDING, "", {}
        self._start_s, self._end_s = int(time.time()), 0
        self.part.begin(self._number)
        self._driver = self._spawn(self._watch(self._drive(self._number)), "backup")

    def _begin_seal(self) -> int:
        sealing = self._sealer is not None and not self._sealer.done()
        if self._update() is not BackupState.INCREMENTING or sealing:
            raise CommandError("ERR No backup ready to seal (must be in the incrementing state)")
        self._sealer = self._spawn(self._watch(self._cut(self._number)), "seal a backup")
        return self._number

    def _outcome(self, number: int) -> str | None:
        """None: it is being sealed."""
        if number != self._number:
            return "the backup is gone"
        if self._state is BackupState.SEALED:
            return ""
        return self._error if self._state is BackupState.FAILED else None

    def _abort(self) -> None:
        if self._update() not in RUNNING:
            raise CommandError("ERR No backup in progress")
        self._fail("aborted by user")

    def _cleanup(self) -> None:
        if self._update() in RUNNING:
            raise CommandError("ERR Backup is in progress")
        self._drop_all()
        self._state, self._error = BackupState.IDLE, ""
        self._start_s = self._end_s = 0

    def told(self) -> BackupStatus:
        """At the worker that leads."""
        return self._update().value, self._error, self._start_s, self._end_s

    def pinned_files(self) -> list[str]:
        """Likewise: absolute paths."""
        if self._update() not in (*RUNNING, BackupState.SEALED):
            return []
        parts = [self.part.figures(self._number), *(self._others[w] for w in sorted(self._others))]
        return [path for part in parts for path in part.pinned]

    # --- how far all are ---

    def _update(self) -> BackupState:
        """The state by what is known of the parts."""
        if self._state not in RUNNING:
            return self._state
        parts = [self.part.figures(self._number), *self._others.values()]
        count = self._workers.count if self._workers else 1
        for part in parts:
            if part.step is Step.FAILED:
                self._fail(part.error)
                return self._state
        steps = [part.step for part in parts]
        if len(steps) == count and all(
            s in (Step.INCREMENTING, Step.CUTTING, Step.SEALED) for s in steps
        ):
            self._state = BackupState.INCREMENTING
        elif all(step is Step.WAITING for step in steps):
            self._state = BackupState.PENDING
        else:
            self._state = BackupState.SNAPSHOTTING
        return self._state

    def _fail(self, why: str) -> None:
        log.warning("BACKUP: failed: %s", why)
        self._state, self._error = BackupState.FAILED, why
        for task in (self._driver, self._sealer):
            if task and task is not asyncio.current_task():
                task.cancel()
        self._drop_all()

    def _drop_all(self) -> None:
        """Every worker gives its part up; the folder becomes empty."""
        self.part.drop()
        self._others = {}
        if self._workers:
            self._spawn(self._drop_others(), "drop a backup")
        for path in self.whole.iterdir() if self.whole.is_dir() else ():
            if path.is_symlink() or not path.is_dir():
                remove(path)
            elif WORKER_FOLDER.fullmatch(path.name):
                remove_folder(path)

    async def _drop_others(self) -> None:
        await self._counterparts.ask_all("drop")

    def lost(self, worker: int) -> None:
        """A worker has died."""
        if self.leads and self._state in RUNNING:
            self._fail(REBORN)
        elif not self.leads and worker == LEADER:
            self.part.drop()

    # --- at the leading worker: work ---

    async def _watch(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (BackupError, OSError) as error:
            self._fail(str(error))

    async def _drive(self, number: int) -> None:
        """Has all workers take a base, and waits until they have. Raises: BackupError."""
        for worker in self._counterparts.numbers:
            await self._tell(worker, "begin", number)
        while self._update() in (BackupState.PENDING, BackupState.SNAPSHOTTING):
            await asyncio.sleep(LOOK_S)
            await self._look(number)

    async def _cut(self, number: int) -> None:
        """All logs end at one instant, and are sealed. Raises: BackupError."""
        try:
            async with asyncio.timeout(SEAL_S):
                await self._until_ready(partial(self._prepare_own, number))
                for worker in self._counterparts.numbers:
                    await self._until_ready(partial(self._tell, worker, "cut", number))
                await self._instant(number)
                await self._until_sealed(number)
        except TimeoutError:
            raise BackupError("timed out waiting for other workers") from None
        self._state, self._end_s = BackupState.SEALED, int(time.time())
        log.info("BACKUP: sealed backup in %s", self._config["backupdirname"])
        self._spawn(self._expire(number), "sealed backup")

    async def _until_ready(self, prepare: Callable[[], Awaitable[object]]) -> None:
        while (answer := await prepare()) == "busy":
            await asyncio.sleep(LOOK_S)
        if answer:
            raise BackupError(str(answer))

    async def _prepare_own(self, number: int) -> object:
        return self.part.prepare_cut(number)

    async def _instant(self, number: int) -> None:
        if self._workers is None:
            lib.engine_fork(self._engine.handle, number)
            self.part.passed(number)
            return
        while True:
            self._refused.clear()
            self._passed.clear()
            lib.engine_instant(self._engine.handle, number)
            done = [asyncio.ensure_future(e.wait()) for e in (self._refused, self._passed)]
            await asyncio.wait(done, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                wait.cancel()
            if self._passed.is_set():
                return
            await asyncio.sleep(LOOK_S)

    def pass_instant(self, number: int, passed: bool) -> None:
        """The core has passed an instant of all workers, or could not bring it about."""
        if passed:
            self.part.passed(number)
        if number == self._number:
            (self._passed if passed else self._refused).set()

    async def _until_sealed(self, number: int) -> None:
        while True:
            await self._look(number)
            parts = [self.part.figures(number), *self._others.values()]
            for part in parts:
                if part.step is Step.FAILED:
                    raise BackupError(part.error)
            if all(part.step is Step.SEALED for part in parts):
                return
            await asyncio.sleep(LOOK_S)

    async def _expire(self, number: int) -> None:
        """Removes what is sealed when backup-sealed-ttl is over."""
        while number == self._number and self._state is BackupState.SEALED:
            await asyncio.sleep(0.1)
            ttl_s = self._config["backup-sealed-ttl"]
            over = ttl_s and time.time() - self._end_s >= ttl_s
            if over and number == self._number and self._state is BackupState.SEALED:
                log.info("BACKUP: auto cleaning sealed backup after %d seconds", ttl_s)
                self._cleanup()

    # --- the other workers ---

    async def _look(self, number: int) -> None:
        """Raises: BackupError."""
        for worker in self._counterparts.numbers:
            figures = await self._tell(worker, "part", number)
            assert isinstance(figures, PartFigures)
            if figures.step is Step.NONE:
                raise BackupError(REBORN)
            if number == self._number:
                self._others[worker] = figures

    async def _tell(self, worker: int, verb: str, number: int) -> object:
        """Raises: BackupError."""
        try:
            return await self._counterparts.ask(worker, verb, number)
        except NoAnswer as silence:
            raise BackupError(str(silence)) from None
