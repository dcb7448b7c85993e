"""The wall clock jumps, forwards and back: nothing hangs, nothing is lost but what has expired."""

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.server import wait_until
from tests.persistence.logged import LoggedServer, logged_server

CC = shutil.which("gcc") or shutil.which("cc")
DAY = 86_400

pytestmark = pytest.mark.skipif(CC is None, reason="there is no compiler")


class Clock:
    """How far servers started from now on are ahead, also while they run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_bytes(struct.pack("l", 0))

    def jump(self, seconds: int) -> None:
        with self._path.open("r+b") as file:
            file.write(struct.pack("l", seconds))


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    library = tmp_path / "shifted_clock.so"
    source = Path(__file__).with_name("shifted_clock.c")
    subprocess.run([str(CC), "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    loaded = [os.environ.get("LD_PRELOAD", ""), str(library)]
    monkeypatch.setenv("LD_PRELOAD", ":".join(filter(None, loaded)))
    monkeypatch.setenv("CLOCK_SHIFT", str(tmp_path / "shift"))
    return Clock(tmp_path / "shift")


@pytest.fixture
def server(clock: Clock) -> Iterator[LoggedServer]:
    del clock  # servers shall see it
    with logged_server() as one:
        yield one


def seconds_of(server: LoggedServer) -> int:
    with server.client() as client:
        return int(client.value("TIME")[0])


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_the_log_goes_on_whatever_the_clock_does(
    server: LoggedServer, clock: Clock, workers: int, policy: str
) -> None:
    options = ("--appendfsync", policy, "--aof-timestamp-enabled", "yes")
    server.start(*options, workers=workers)
    begun = seconds_of(server)
    with server.client() as client:
        for i in range(20):
            client.call("SET", f"key:{i}", i)
            client.call("SET", f"short:{i}", i, "EX", 1000)
            client.call("SET", f"long:{i}", i, "EX", 10 * DAY)
        for number, jump in enumerate([-DAY, 2000, -2 * DAY]):
            clock.jump(jump)
            wait_until(lambda jump=jump: abs(seconds_of(server) - begun - jump) < 600)
            for i in range(20):
                assert client.call("SET", f"later:{number}:{i}", i) == b"+OK\r\n"
            client.call("MSET", *(word for i in range(20) for word in (f"m{number}:{i}", i)))
            if jump > 0:  # they are gone for good, whatever comes
                assert client.value("EXISTS", *(f"short:{i}" for i in range(20))) == 0
    server.rewrite()
    size, digest = server.call("DBSIZE"), server.digest()
    assert size == b":%d\r\n" % (2 * 20 + 3 * 40)
    server.kill()
    server.start(*options, workers=workers)
    assert (server.call("DBSIZE"), server.digest()) == (size, digest)
    clock.jump(20 * DAY)
    wait_until(lambda: server.call("DBSIZE") == b":%d\r\n" % (20 + 3 * 40))


@pytest.mark.parametrize("workers", [1, 3])
def test_save_rules_follow_a_clock_that_was_set_back(
    server: LoggedServer, clock: Clock, workers: int
) -> None:
    server.start("--appendonly", "no", workers=workers)
    begun = seconds_of(server)
    clock.jump(-DAY)
    wait_until(lambda: seconds_of(server) < begun - DAY // 2)
    server.call("SET", "key", 1)
    assert server.call("BGSAVE").startswith(b"+Background")
    wait_until(lambda: server.info("rdb_bgsave_in_progress") == "0")
    assert server.info("rdb_last_bgsave_status") == "ok"
    server.call("CONFIG", "SET", "save", "1 1")
    server.call("SET", "key", 2)
    wait_until(lambda: server.info("rdb_changes_since_last_save") == "0", 20)
    server.kill()
    server.start("--appendonly", "no", workers=workers)
    assert server.call("GET", "key") == b"$1\r\n2\r\n"
