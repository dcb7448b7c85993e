"""The application that the worker of the Celery tests executes: its server is that of SHMREDIS_TEST_URL."""

import os
from typing import Any

import celery

__all__ = ["app"]


url = os.environ.get("SHMREDIS_TEST_URL", "redis://")
app = celery.Celery("tests", broker=f"{url}/0", backend=f"{url}/1")
app.conf.update(task_track_started=True, broker_connection_retry_on_startup=True)


@app.task(name="add")
def add(a: int, b: int) -> int:
    return a + b


@app.task(name="total")
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task(name="fail")
def fail(text: str) -> None:
    raise ValueError(text)


@app.task(name="flaky", bind=True, max_retries=3)
def flaky(self: Any) -> int:
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return int(self.request.retries)
