"""RQ: jobs are queued, executed, retried and scheduled, by workers in this process and in their own."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from tests.acceptance.jobs import add, fail
from tests.harness.server import Server

rq = pytest.importorskip("rq")

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def db(shared_server: Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=shared_server.port) as client:
        client.flushall()
        yield client


def work(db: redis.Redis, *names: str) -> None:
    """Executes all that is queued."""
    queues = [rq.Queue(name, connection=db) for name in names or ("default",)]
    rq.SimpleWorker(queues, connection=db).work(burst=True)


def test_jobs_are_executed(db: redis.Redis) -> None:
    queue = rq.Queue(connection=db)
    jobs = [queue.enqueue(add, i, 10) for i in range(20)]
    assert queue.count == 20
    work(db)
    assert [job.return_value(refresh=True) for job in jobs] == list(range(10, 30))
    assert queue.count == 0
    assert len(queue.finished_job_registry) == 20


def test_a_job_waits_for_others(db: redis.Redis) -> None:
    queue = rq.Queue(connection=db)
    first = [queue.enqueue(add, 1, i) for i in range(3)]
    last = queue.enqueue(add, 5, 5, depends_on=first)
    assert last.get_status() == "deferred"
    work(db)
    assert last.return_value(refresh=True) == 10


def test_failures_are_retried_and_kept(db: redis.Redis) -> None:
    queue = rq.Queue(connection=db)
    job = queue.enqueue(fail, "on purpose", retry=rq.Retry(max=2))
    work(db)
    job.refresh()
    assert job.get_status() == "failed"
    assert job.retries_left == 0
    assert job.id in queue.failed_job_registry
    assert "on purpose" in str(job.latest_result().exc_string)
    queue.failed_job_registry.requeue(job)
    assert queue.count == 1


def test_queues_have_an_order_and_jobs_can_go_first(db: redis.Redis) -> None:
    low, high = rq.Queue("low", connection=db), rq.Queue("high", connection=db)
    last = low.enqueue(add, 1, 1)
    first = high.enqueue(add, 2, 2)
    front = high.enqueue(add, 3, 3, at_front=True)
    assert high.job_ids == [front.id, first.id]
    work(db, "high", "low")
    ended = [job.latest_result().created_at for job in (front, first, last)]
    assert ended == sorted(ended)


def test_scheduled_jobs(db: redis.Redis) -> None:
    queue = rq.Queue(connection=db)
    job = queue.enqueue_in(timedelta(hours=1), add, 1, 2)
    assert job.id in queue.scheduled_job_registry
    job.cancel()
    assert job.id not in queue.scheduled_job_registry
    assert job.get_status(refresh=True) == "canceled"


def test_many_jobs_at_once(db: redis.Redis) -> None:
    queue = rq.Queue(connection=db)
    prepared = [rq.Queue.prepare_data(add, (i, i)) for i in range(30)]
    with db.pipeline() as pipe:
        jobs = queue.enqueue_many(prepared, pipeline=pipe)
        pipe.execute()
    work(db)
    assert [job.return_value(refresh=True) for job in jobs] == [2 * i for i in range(30)]


def test_a_worker_of_its_own(db: redis.Redis, shared_server: Server) -> None:
    job = rq.Queue(connection=db).enqueue(add, 20, 22)
    url = f"redis://127.0.0.1:{shared_server.port}"
    command = [sys.executable, "-m", "rq.cli", "worker", "--burst", "--url", url]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert job.return_value(refresh=True) == 42, done.stderr
    assert rq.Worker.all(connection=db) == []
