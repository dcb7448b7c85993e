"""Dialogues of several clients, against what Redis 8.10.2 said to each of them."""

from collections.abc import Iterator

import pytest

from tests.harness.dialogue import (
    DIALOGUES,
    Dialogue,
    Step,
    comparable,
    name_of,
    read_dialogues,
    start_anew,
    versions,
)
from tests.harness.server import Server, running
from tests.harness.steps import cases


def _dialogues() -> Iterator[object]:
    for path in sorted(DIALOGUES.glob("*.txt")):
        for case in cases(read_dialogues(path)):
            steps = [item for item in case if isinstance(item, Step)]
            both = versions(steps)
            for resp in both:
                name = f"{path.stem}: {name_of(case)}" + f" (RESP{resp})" * (len(both) > 1)
                yield pytest.param(steps, resp, id=name)


@pytest.fixture(scope="module", params=[1, 3], ids=["1 worker", "3 workers"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Server, int]]:
    """One for all dialogues, and how many workers it has."""
    with running(workers=request.param) as started:
        yield started, request.param


@pytest.mark.parametrize(("steps", "resp"), list(_dialogues()))
def test_each_client_hears_what_it_hears_of_redis(
    server: tuple[Server, int], steps: list[Step], resp: int
) -> None:
    """With several workers, messages about keys of different owners come in any order."""
    started, workers = server
    with started.client() as admin:
        start_anew(admin)
    talk = Dialogue(started.port, resp)
    try:
        for step in steps:
            talk.act(step)
            heard = comparable(step, talk.hear(step), workers == 1)
            assert heard == comparable(step, talk.expected(step), workers == 1), step.line
        assert talk.silence() == []
    finally:
        talk.close()
