"""An arena that may not grow, a /dev/shm that is full: -OOM for whoever wants more, all others served."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from tests.harness.resp import Client
from tests.harness.server import Server, wait_until, with_own_shm

StartServer = Callable[..., Server]
MiB = 1 << 20
FULL = b"-OOM shared memory exhausted: the arena cannot grow\r\n"
VALUE = "x" * 100_000


def has_namespaces() -> bool:
    command = with_own_shm(MiB, ["true"])
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or not has_namespaces(), reason="mount namespaces need rights of root"
)


def fill(client: Client) -> int:
    """Sets key:0, key:1 … until there is no room; how many are in."""
    for n in range(10_000):
        reply = client.call("SET", f"key:{n}", VALUE)
        if reply != b"+OK\r\n":
            assert reply == FULL
            return n
    raise AssertionError("nothing was full")


def assert_usable_when_full(server: Server) -> None:
    with server.client() as writer, server.client() as reader:
        reader.call("RPUSH", "list", "a", "b")
        count = fill(writer)
        assert reader.call("GET", "key:0") == b"$100000\r\n%b\r\n" % VALUE.encode()
        assert reader.call("LRANGE", "list", "0", "-1") == b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"
        assert reader.call("DBSIZE") == b":%d\r\n" % (count + 1)
        assert reader.call("RPUSH", "list", *[VALUE[:5000]] * 500) == FULL
        assert reader.call("LLEN", "list") in (b":2\r\n", *(b":%d\r\n" % n for n in range(3, 502)))
        assert writer.call("SET", "key:0", "small") == b"+OK\r\n"
        assert reader.call("DEL", *(f"key:{n}" for n in range(1, count, 2))) == b":%d\r\n" % (
            count // 2
        )
        wait_until(lambda: writer.call("SET", "new", VALUE) == b"+OK\r\n")
        assert reader.call("PING") == b"+PONG\r\n"


@pytest.mark.parametrize("workers", [1, 3])
def test_an_arena_that_may_not_grow(start_server: StartServer, workers: int) -> None:
    server = start_server("--arena-max", "64mb", workers=workers)
    if workers == 1:
        assert_usable_when_full(server)
        return
    with server.client() as client:
        fill(client)
        assert client.call("FLUSHALL") == b"+OK\r\n"
        wait_until(lambda: client.call("SET", "key:0", VALUE) == b"+OK\r\n")


@needs_namespaces
def test_a_full_dev_shm(start_server: StartServer) -> None:
    """The kernel has no page more: an error where the arena wants to grow, and no SIGBUS."""
    server = start_server(shm_bytes=24 * MiB)
    assert_usable_when_full(server)


@needs_namespaces
@pytest.mark.parametrize("workers", [1, 2])
def test_a_dev_shm_that_is_too_small_is_named_with_its_fix(tmp_path: Path, workers: int) -> None:
    argv = [sys.executable, "-m", "shmredis.front.main", "--port", str(free_port())]
    argv += ["--bind", "127.0.0.1", "--dir", str(tmp_path), "--workers", str(workers)]
    ended = subprocess.run(
        with_own_shm(64 << 10, argv), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "the shared-memory file system is too small" in ended.stdout + ended.stderr
    assert "docker run --shm-size=" in ended.stdout + ended.stderr
    assert "mount -o remount,size=" in ended.stdout + ended.stderr
