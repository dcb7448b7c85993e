"""Several workers do not interrupt each other; a single one is scheduled as any process."""

import os

import pytest

from tests.harness.server import running

pytestmark = pytest.mark.skipif(
    os.sched_getscheduler(0) != os.SCHED_OTHER, reason="the tests themselves run otherwise"
)


@pytest.mark.parametrize(("workers", "policy"), [(1, os.SCHED_OTHER), (2, os.SCHED_BATCH)])
def test_workers_that_have_others_beside_them_are_batch_processes(workers, policy):
    with running(workers=workers) as server:
        assert os.sched_getscheduler(server.process.pid) == os.SCHED_OTHER
        assert [os.sched_getscheduler(pid) for pid in server.children()] == [policy] * workers
