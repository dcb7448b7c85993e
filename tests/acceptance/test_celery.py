"""Celery with shmredis as broker and as result backend: tasks, groups, chords, retries."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.harness.server import ROOT, Server, wait_until

celery = pytest.importorskip("celery")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

WAIT = 30


@pytest.fixture(scope="module")
def app(shared_server: Server) -> Iterator[Any]:
    """A client's application; the worker, which has the tasks, is a process of its own."""
    with redis.Redis(port=shared_server.port) as client:
        client.flushall()
    url = f"redis://127.0.0.1:{shared_server.port}"
    argv = [sys.executable, "-m", "celery", "-A", "tests.acceptance.celery_app", "worker"]
    argv += ["--pool", "solo", "--without-mingle"]
    environment = os.environ | {"SHMREDIS_TEST_URL": url, "PYTHONPATH": str(ROOT)}
    worker = subprocess.Popen(
        argv, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    application = celery.Celery(
        "client", broker=f"{url}/0", backend=f"{url}/1", set_as_current=False
    )
    try:
        wait_until(lambda: worker.poll() is not None or application.control.ping(timeout=1), 60)
        yield application
    finally:
        application.close()
        worker.terminate()
        assert worker.wait(WAIT) == 0


def ask(app: Any, name: str, *args: Any, **options: Any) -> Any:
    """What the task gives. Raises: what it raises."""
    return app.send_task(name, args, **options).get(timeout=WAIT)


def sign(app: Any, name: str, *args: Any) -> Any:
    return app.signature(name, args=args)


def test_results(app: Any) -> None:
    results = [app.send_task("add", (i, 1)) for i in range(10)]
    assert [result.get(timeout=WAIT) for result in results] == list(range(1, 11))


def test_an_error_comes_back(app: Any) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        ask(app, "fail", "on purpose")


def test_a_chain(app: Any) -> None:
    chain = celery.chain(sign(app, "add", 1, 2), sign(app, "add", 3), sign(app, "add", 4), app=app)
    assert chain.delay().get(timeout=WAIT) == 10


def test_a_group_and_a_chord(app: Any) -> None:
    group = celery.group([sign(app, "add", i, i) for i in range(5)], app=app)
    assert group.delay().get(timeout=WAIT) == [0, 2, 4, 6, 8]
    chord = celery.chord([sign(app, "add", i, i) for i in range(5)], app=app)
    assert chord(sign(app, "total")).get(timeout=WAIT) == 20


def test_retries(app: Any) -> None:
    assert ask(app, "flaky") == 2


def test_a_countdown(app: Any) -> None:
    assert ask(app, "add", 1, 2, countdown=0.2) == 3


def test_the_worker_can_be_asked(app: Any) -> None:
    replies = app.control.ping(timeout=5, limit=1)
    assert [list(reply.values()) for reply in replies] == [[{"ok": "pong"}]]
