"""Where requests for snapshots go: to the worker that leads them, wherever the client is."""

import asyncio
import logging
from enum import Enum, auto

from shmredis.commands.context import NoAnswer, Workers
from shmredis.commands.resp import CommandError, Reply
from shmredis.persistence.counterparts import Counterparts, read_question, write_answer
from shmredis.persistence.crew import CrewError
from shmredis.persistence.snapshot import LEADER, Run, Snapshots

__all__ = ["Desk", "SaveFailed", "Want"]

log = logging.getLogger(__name__)

RUNNING = "ERR Background save already in progress"
OTHER_CHILD = (
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order "
    "to schedule a BGSAVE whenever possible."
)
STARTED, SCHEDULED = "Background saving started", "Background saving scheduled"
FORK_FAILED = "Can't save in background"
LOOK_S = 0.005
RULES_S, RULES_OF_MANY_S = 0.1, 0.5


class SaveFailed(Exception):
    """There is no new dump.rdb; the text says why."""


class Want(Enum):
    """What is asked of the leading worker."""

    BACKGROUND = auto()
    SCHEDULE = auto()
    LATER = auto()  # as soon as the transaction is over
    WAIT = auto()
    LAST_SAVE = auto()


class Desk:
    """SAVE, BGSAVE and LASTSAVE of this worker's clients, and the save rules."""

    def __init__(self, snapshots: Snapshots, workers: Workers | None) -> None:
        self._snapshots = snapshots
        self._alone = workers is None
        self._counterparts = Counterparts(workers, "snapshot")

    # --- for commands ---

    async def background(self, want: Want) -> str:
        """BGSAVE: the text of its reply. Raises: CommandError."""
        answer = await self._ask(want)
        if isinstance(answer, str):
            return answer
        error = await self._started(answer)
        if error.startswith(FORK_FAILED):
            raise CommandError("ERR")
        return STARTED

    async def save(self) -> None:
        """SAVE. Raises: CommandError if there is one already, SaveFailed."""
        if self._alone:
            self._save_here()
            return
        number = await self._ask(Want.WAIT)
        if error := await self._finished(number):
            raise SaveFailed(error)

    async def save_in_child(self) -> None:
        """The same, so that this worker goes on serving meanwhile. Raises: SaveFailed."""
        if not self._snapshots.leads or not self._snapshots.forks.possible:
            await self.save()
            return
        run = self._snapshots.begin(final=True)
        await run.finished.wait()
        if run.error:
            raise SaveFailed(run.error)

    async def stop_saving(self) -> None:
        """Whatever is being saved fails soon. Raises: CommandError."""
        if self._snapshots.leads:
            self._snapshots.kill()
        else:
            await self._question("kill", None)

    def _save_here(self) -> None:
        if self._snapshots.run:
            raise CommandError(RUNNING)
        try:
            self._snapshots.save_here()
        except (CrewError, OSError) as error:
            raise SaveFailed(str(error)) from None

    async def last_save(self) -> Reply:
        """When the last snapshot was, in seconds."""
        answer = await self._ask(Want.LAST_SAVE)
        assert isinstance(answer, int)
        return answer

    async def _ask(self, want: Want) -> object:
        if self._snapshots.leads:
            return self._take(want)
        answer = await self._question("want", want)
        if isinstance(answer, CommandError):
            raise answer
        return answer

    async def _question(self, verb: str, what: object) -> object:
        """Raises: CommandError."""
        try:
            return await self._counterparts.ask(LEADER, verb, what)
        except NoAnswer as silence:
            raise CommandError(f"ERR {silence}") from None

    async def _started(self, number: object) -> str:
        run = self._snapshots.runs.get(number) if isinstance(number, int) else None
        if run:
            await run.started.wait()
            return run.error
        return await self._poll(number, "started")

    async def _finished(self, number: object) -> str:
        run = self._snapshots.runs.get(number) if isinstance(number, int) else None
        if run:
            await run.finished.wait()
            return run.error
        return await self._poll(number, "finished")

    async def _poll(self, number: object, what: str) -> str:
        while (error := await self._question(what, number)) is None:
            await asyncio.sleep(LOOK_S)
        return str(error)

    # --- at the leading worker ---

    def _take(self, want: Want) -> object:
        """A number of a run, or an answer. Raises: CommandError."""
        snapshots = self._snapshots
        if want is Want.LAST_SAVE:
            return snapshots.last_save_s
        if snapshots.run:
            raise CommandError(RUNNING)
        if want is Want.LATER or (snapshots.forks.pid and want is not Want.WAIT):
            if want is Want.BACKGROUND:
                raise CommandError(OTHER_CHILD)
            snapshots.scheduled = True
            return SCHEDULED
        return snapshots.begin().number

    def answer(self, question: bytes) -> bytes:
        """Questions of other workers, orders of the leading one."""
        return write_answer(self._answer(*read_question(question)))

    def _answer(self, verb: str, what: object) -> object:
        match verb, what:
            case "want", Want() as want:
                try:
                    return self._take(want)
                except CommandError as error:
                    return error
            case "started", int(number):
                return _outcome(self._snapshots.runs.get(number), finished=False)
            case "finished", int(number):
                return _outcome(self._snapshots.runs.get(number), finished=True)
        return self._snapshots.obey(verb, what)

    # --- rules ---

    async def follow_rules(self) -> None:
        """Starts what was scheduled, and what the save rules ask for."""
        while True:
            await asyncio.sleep(RULES_S if self._alone else RULES_OF_MANY_S)
            if self._snapshots.due_now(await self._changes()):
                self._snapshots.begin()

    async def _changes(self) -> int:
        """Of all workers."""
        changes = self._snapshots.changes
        if self._snapshots.wants_changes:
            changes += sum(await self._counterparts.ask_all("changes"))
        return changes


def _outcome(run: Run | None, *, finished: bool) -> str | None:
    """None: not yet."""
    if run is None:
        return "the server was restarted meanwhile"
    done = run.finished if finished else run.started
    return run.error if done.is_set() else None
