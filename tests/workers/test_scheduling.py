"""Several workers on few cores do not interrupt each other; others are scheduled as any process."""

import os

import pytest

from shmredis.worker.scheduling import take_turns
from tests.harness.server import running

as_usual = pytest.mark.skipif(
    os.sched_getscheduler(0) != os.SCHED_OTHER, reason="the tests themselves run otherwise"
)
CORES = len(os.sched_getaffinity(0))


@as_usual
@pytest.mark.parametrize(
    ("workers", "policy"), [(1, os.SCHED_OTHER), (max(2, CORES), os.SCHED_BATCH)]
)
def test_workers_with_too_few_cores_are_batch_processes(workers: int, policy: int) -> None:
    with running(workers=workers) as server:
        assert os.sched_getscheduler(server.process.pid) == os.SCHED_OTHER
        assert [os.sched_getscheduler(pid) for pid in server.children()] == [policy] * workers


@as_usual
@pytest.mark.parametrize(("cores", "changes"), [(2, True), (3, True), (4, False)])
def test_workers_that_can_have_a_core_each_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch, cores: int, changes: bool
) -> None:
    chosen: list[int] = []
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(cores)))
    monkeypatch.setattr("os.sched_setscheduler", lambda _pid, policy, _param: chosen.append(policy))
    take_turns(3)
    assert chosen == ([os.SCHED_BATCH] if changes else [])
