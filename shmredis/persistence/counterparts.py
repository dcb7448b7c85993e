"""What a snapshot or a backup of one worker says to those of the others.

A question is a verb and what it is about. Both ends are forks of one process, and nobody else can write
to the rings, so they travel pickled.
"""

import pickle
from typing import Any

from shmredis.commands.context import Workers

__all__ = ["Counterparts", "read_question", "write_answer"]


class Counterparts:
    """The objects like this one, in the other workers."""

    def __init__(self, workers: Workers | None, subject: str) -> None:
        self._workers = workers
        self._subject = subject  # the verb of theirs in Workers.handle
        self.numbers = [w for w in range(workers.count) if w != workers.index] if workers else []

    async def ask(self, worker: int, verb: str, what: object = None) -> Any:
        """What it answers. Raises: NoAnswer."""
        assert self._workers
        question = pickle.dumps((verb, what))
        return pickle.loads(await self._workers.ask(worker, self._subject, question))

    async def ask_all(self, verb: str, what: object = None) -> list[Any]:
        """What those answer that do so in time."""
        if self._workers is None:
            return []
        answers = await self._workers.ask_all(self._subject, pickle.dumps((verb, what)))
        return [pickle.loads(answer) for answer in answers]


def read_question(question: bytes) -> tuple[str, Any]:
    """The verb, and what it is about."""
    verb, what = pickle.loads(question)
    return verb, what


def write_answer(answer: object) -> bytes:
    """As `ask` and `ask_all` read it."""
    return pickle.dumps(answer)
