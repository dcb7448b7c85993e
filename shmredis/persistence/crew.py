"""The parts of a snapshot in all workers, as the worker that leads it sees them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from shmredis._core import lib
from shmredis.commands.context import NoAnswer, Workers
from shmredis.engine import Engine
from shmredis.persistence.counterparts import Counterparts
from shmredis.persistence.part import Order, Part, PartState, Stage

__all__ = ["Crew", "CrewError", "Outcome"]

PREPARE_S = 10.0  # for the arenas to have thawed, and the staged instant to be taken
BEGIN_S = 10.0  # for all workers to pass the instant once it is decided
RETRY_S = 0.003
LOOK_S = 0.02  # between two looks at the others' parts, growing
LOOK_MAX_S = 0.25
SILENCE = 5  # questions without an answer after which a worker is given up


class CrewError(Exception):
    """The snapshot cannot be; the text says why."""


@dataclass(slots=True, frozen=True)
class Outcome:
    """What all workers are told at the end of a snapshot."""

    ok: bool
    refuse_writes: bool  # stop-writes-on-bgsave-error applies


class Crew:
    """This worker's part, and those of others over the rings."""

    def __init__(self, engine: Engine, part: Part, workers: Workers | None) -> None:
        self._engine = engine
        self._part = part
        self._alone = workers is None
        self._counterparts = Counterparts(workers, "snapshot")
        self.others = self._counterparts.numbers
        self._refused = asyncio.Event()
        self._silent: dict[int, int] = {}
        self.states: dict[int, PartState] = {}  # of the others, as last seen
        self.stopped = False  # the snapshot is not wanted any more

    # --- before ---

    async def prepare(self, order: Order, path_of: Callable[[int], Path]) -> None:
        """Has all workers ready for the instant. Raises: CrewError."""
        self.states, self._silent = {}, {}
        await self._patiently(partial(self._prepare_own, order))
        for worker in self.others:
            theirs = Order(order.number, path_of(worker), order.options)
            await self._patiently(partial(self._ask, worker, "prepare", theirs))

    async def _prepare_own(self, order: Order) -> object:
        return self._part.prepare(order)

    async def _patiently(self, prepare: Callable[[], Awaitable[object]]) -> None:
        deadline = asyncio.get_running_loop().time() + PREPARE_S
        while (answer := await prepare()) == "busy":
            if asyncio.get_running_loop().time() > deadline:
                raise CrewError("a worker's arena does not thaw")
            await asyncio.sleep(RETRY_S)
        if answer:
            raise CrewError(str(answer))

    # --- the instant ---

    async def instant(self, number: int) -> PartState:
        """Has the instant happen; this worker's part then. Raises: CrewError."""
        if self._alone:
            lib.engine_fork(self._engine.handle, number)
            self._part.passed(number)
        else:
            await self._stage_instant(number)
        state = self._part.state(number)
        if state.stage is Stage.FAILED and not state.pid and state.ending is None:
            raise CrewError(f"Can't save in background: fork: {state.error}")
        return state

    async def _stage_instant(self, number: int) -> None:
        try:
            async with asyncio.timeout(PREPARE_S):
                while self._part.state(number).stage is Stage.PREPARED:
                    self._refused.clear()
                    self._part.changed.clear()
                    lib.engine_instant(self._engine.handle, number)
                    await self._part_or_refusal()
        except TimeoutError:
            raise CrewError("timed out waiting for other workers") from None

    async def _part_or_refusal(self) -> None:
        waits = [
            asyncio.ensure_future(self._refused.wait()),
            asyncio.ensure_future(self._part.changed.wait()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self._refused.is_set():
            await asyncio.sleep(RETRY_S)

    def refused(self) -> None:
        """A worker was held: no instant, to be tried again."""
        self._refused.set()

    # --- afterwards ---

    async def wait(self, number: int) -> list[PartState]:
        """All parts when they are done, this worker's first. Raises: CrewError."""
        while self._part.state(number).stage is Stage.WRITING:
            self._part.changed.clear()
            await self._own_or_pause(LOOK_MAX_S)
            await self._look(number)
        self._must_be_fine(self._part.state(number))
        pause, begun_s = LOOK_S, asyncio.get_running_loop().time()
        while not await self._look(number):
            late = asyncio.get_running_loop().time() - begun_s > BEGIN_S
            if late and any(s.stage is Stage.PREPARED for s in self.states.values()):
                raise CrewError("a worker did not come to the instant")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LOOK_MAX_S)
        return [self._part.state(number), *(self.states[w] for w in self.others)]

    async def _own_or_pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds if self.others else None):
                await self._part.changed.wait()
        except TimeoutError:
            return

    async def _look(self, number: int) -> bool:
        """Asks the others; True when all are done. Raises: CrewError."""
        if self.stopped:
            raise CrewError("the snapshot was stopped")
        for worker in self.others:
            if worker in self.states and self.states[worker].stage is Stage.DONE:
                continue
            try:
                state = await self._ask(worker, "state", number)
            except CrewError:
                self._silent[worker] = self._silent.get(worker, 0) + 1
                if self._silent[worker] < SILENCE:
                    continue
                raise
            self._silent[worker] = 0
            assert isinstance(state, PartState)
            self.states[worker] = state
            self._must_be_fine(state)
        return all(
            worker in self.states and self.states[worker].stage is Stage.DONE
            for worker in self.others
        )

    @staticmethod
    def _must_be_fine(state: PartState) -> None:
        if state.stage is Stage.UNKNOWN:
            raise CrewError("a worker was restarted meanwhile")
        if state.stage is Stage.FAILED:
            raise CrewError(state.error)

    async def _ask(self, worker: int, verb: str, what: object) -> object:
        """Raises: CrewError."""
        try:
            return await self._counterparts.ask(worker, verb, what)
        except NoAnswer as silence:
            raise CrewError(str(silence)) from None

    async def drop(self, number: int) -> None:
        """All workers forget the snapshot, whatever is left of it."""
        self._part.drop(number)
        await self._counterparts.ask_all("drop", number)

    async def finish(self, number: int, outcome: Outcome) -> None:
        """All workers hear how it went."""
        await self._counterparts.ask_all("finish", (number, outcome))
