"""Questions and answers between the Python sides of workers, over the rings of the core."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum

from shmredis._core import ffi, lib
from shmredis.commands.context import NoAnswer
from shmredis.engine import Engine

__all__ = ["Post"]

log = logging.getLogger(__name__)

Handler = Callable[[bytes], bytes]
ANSWER_S = 2.0  # a worker that takes longer is taken to be stuck


INSTANTS = {lib.MAIL_INSTANT: True, lib.MAIL_NO_INSTANT: False}  # of snapshots; from the core


class Kind(IntEnum):
    """What a piece of mail is; a question is a verb, a zero byte and the payload."""

    QUESTION = 1
    ANSWER = 2
    FAILURE = 3


@dataclass(slots=True, frozen=True)
class Question:
    """What a worker was asked and has not answered yet."""

    number: int
    worker: int
    answer: "asyncio.Future[bytes]"


class Post:
    """Implements commands.context.Workers."""

    def __init__(self, engine: Engine, index: int, count: int) -> None:
        self.index = index
        self.count = count
        self._engine = engine
        self._handlers: dict[str, Handler] = {}
        self._open: dict[int, Question] = {}  # by number
        self._next_number = time.monotonic_ns()  # behind all those of a predecessor
        self.instant: Callable[[int, bool], None] = lambda _number, _passed: None
        self.lost: Callable[[int], None] = lambda _worker: None  # one that has died

    def handle(self, verb: str, handler: Handler) -> None:
        """`handler` answers the questions with this verb."""
        self._handlers[verb] = handler

    async def ask(
        self, worker: int, verb: str, payload: bytes, patience_s: float = ANSWER_S
    ) -> bytes:
        """Another worker's answer. Raises: NoAnswer."""
        return await self._answer(self._send(worker, verb, payload), patience_s)

    def ask_all(
        self, verb: str, payload: bytes, patience_s: float = ANSWER_S
    ) -> Awaitable[list[bytes]]:
        """Asks all other workers now; to be awaited are the answers of those that give one in time."""
        others = [worker for worker in range(self.count) if worker != self.index]
        return self._answers([self._send(worker, verb, payload) for worker in others], patience_s)

    def _send(self, worker: int, verb: str, payload: bytes) -> Question:
        number = self._next_number
        self._next_number += 1
        question = Question(number, worker, asyncio.get_running_loop().create_future())
        self._open[number] = question
        self._post(worker, number, Kind.QUESTION, verb.encode() + b"\0" + payload)
        return question

    def _post(self, worker: int, number: int, kind: Kind, body: bytes) -> None:
        lib.engine_post(self._engine.handle, worker, number, int(kind), body, len(body))

    async def _answer(self, question: Question, patience_s: float) -> bytes:
        try:
            async with asyncio.timeout(patience_s):
                return await question.answer
        except TimeoutError:
            raise NoAnswer(question.worker) from None
        finally:
            self._open.pop(question.number, None)

    async def _answers(self, questions: list[Question], patience_s: float) -> list[bytes]:
        answers = [self._answer(question, patience_s) for question in questions]
        given = await asyncio.gather(*answers, return_exceptions=True)
        return [answer for answer in given if isinstance(answer, bytes)]

    # --- what comes in ---

    def deliver(self) -> None:
        """Takes all mail there is."""
        worker, number = ffi.new("int *"), ffi.new("uint64_t *")
        kind, n = ffi.new("int *"), ffi.new("size_t *")
        while (
            text := lib.engine_next_mail(self._engine.handle, worker, number, kind, n)
        ) != ffi.NULL:
            body = bytes(ffi.buffer(text, n[0]))
            if kind[0] in INSTANTS:
                self.instant(int(number[0]), INSTANTS[kind[0]])
            elif kind[0] == Kind.QUESTION:
                self._reply(int(worker[0]), int(number[0]), body)
            else:
                self._settle(int(number[0]), int(kind[0]), body)

    def _reply(self, worker: int, number: int, question: bytes) -> None:
        verb, _, payload = question.partition(b"\0")
        try:
            answer = self._handlers[verb.decode()](payload)
        except Exception:
            log.exception("a question of worker %d failed: %s", worker, verb.decode())
            self._post(worker, number, Kind.FAILURE, b"")
        else:
            self._post(worker, number, Kind.ANSWER, answer)

    def _settle(self, number: int, kind: int, body: bytes) -> None:
        question = self._open.pop(number, None)
        if question is None or question.answer.done():
            return  # nobody waits any more
        if kind == Kind.ANSWER:
            question.answer.set_result(body)
        else:
            question.answer.set_exception(NoAnswer(question.worker))

    def gone(self, worker: int) -> None:
        """A worker has died: what it was asked stays without an answer."""
        for question in self._open.values():
            if question.worker == worker and not question.answer.done():
                question.answer.set_exception(NoAnswer(worker))
        self.lost(worker)
