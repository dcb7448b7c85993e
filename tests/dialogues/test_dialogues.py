"""Dialogues of several clients, against what Redis 8.10.2 said to each of them."""

from collections.abc import Iterator

import pytest

from tests.harness.dialogue import DIALOGUES, Dialogue, Step, read_lines
from tests.harness.server import Server, running


def _dialogues() -> Iterator[object]:
    for path in sorted(DIALOGUES.glob("*.txt")):
        steps: list[Step] = []
        for item in [*read_lines(path.read_text().splitlines()), ""]:
            if isinstance(item, Step):
                steps.append(item)
            elif not item and steps:
                yield pytest.param(steps, id=f"{path.stem}: {steps[0].line[:50]}")
                steps = []


@pytest.fixture(scope="module", params=[1, 3], ids=["1 worker", "3 workers"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One for all dialogues."""
    with running(workers=request.param) as started:
        started.workers = request.param
        yield started


def _comparable(step: Step, messages: list[str], workers: int) -> list[str]:
    """With several workers, messages about keys of different owners come in any order."""
    return sorted(messages) if step.unordered or workers > 1 else messages


@pytest.mark.parametrize("steps", list(_dialogues()))
def test_each_client_hears_what_it_hears_of_redis(server: Server, steps: list[Step]) -> None:
    with server.client() as cleaner:
        cleaner.call("FLUSHALL")
    talk = Dialogue(server.port)
    try:
        for step in steps:
            talk.act(step)
            heard = talk.hear(step)
            expected = _comparable(step, talk.expected(step), server.workers)
            assert _comparable(step, heard, server.workers) == expected, step.line
        assert talk.silence() == []
    finally:
        talk.close()
