"""Commands of several workers stay whole when some of the logs begin anew and others do not."""

import re
from pathlib import Path

import pytest

from tests.harness.server import wait_until
from tests.persistence.logged import LoggedServer

WORKERS = 3
WARM = ("--warm-restart", "yes", "--discard-shm", "no")
ALWAYS = ("--appendfsync", "always", "--auto-aof-rewrite-min-size", "32kb")


def bases(server: LoggedServer) -> list[int]:
    """The number of each worker's base."""
    found = []
    for worker in range(WORKERS):
        manifest: Path = server.files(worker) / "appendonly.aof.manifest"
        match = re.search(r"\.(\d+)\.base", manifest.read_text())
        found.append(int(match[1]) if match else 0)
    return found


def rewrite_one(server: LoggedServer) -> None:
    """Some worker's log grows until it is rewritten; those of the others are not."""
    with server.client() as client:
        for i in range(60):
            client.call("SET", "{one}", "x" * 1000 + str(i))
    wait_until(lambda: max(bases(server)) > 1, 20)
    wait_until(lambda: server.info("aof_rewrite_in_progress") == "0")
    assert min(bases(server)) == 1


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_rewrite_after_a_warm_restart_takes_nothing_from_others(
    server: LoggedServer, restarts: int
) -> None:
    """What a log has of an earlier life counts, though another one has no line of that life any more."""
    server.start(*ALWAYS, *WARM, workers=WORKERS)
    keys = [f"k{i}" for i in range(30)]
    for _ in range(restarts):
        server.call("MSET", *(word for key in keys for word in (key, "acknowledged")))
        server.kill()
        server.start(*ALWAYS, *WARM, workers=WORKERS)
    rewrite_one(server)
    digest = server.digest()
    server.kill()
    server.start(*ALWAYS, workers=WORKERS)
    assert server.call("MGET", *keys).count(b"acknowledged") == len(keys)
    assert server.digest() == digest
