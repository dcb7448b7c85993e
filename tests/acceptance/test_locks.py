"""Locks: redis-py's Lock, whose releases are scripts, and a Redlock over several servers."""

import threading
from collections.abc import Callable

import pytest
import redis
from redis.exceptions import LockError, LockNotOwnedError

from tests.harness.server import running


def test_a_lock_excludes(db: redis.Redis) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(10):
            with db.lock("lock", timeout=10, sleep=0.001):
                inside += 1
                most = max(most, inside)
                value = int(db.get("counter") or 0)
                db.set("counter", value + 1)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.get("counter") == "40"
    assert most == 1


def test_only_the_owner_releases(db: redis.Redis) -> None:
    lock = db.lock("lock", timeout=10)
    assert lock.acquire(blocking=False)
    assert not db.lock("lock", timeout=10).acquire(blocking=False)
    assert lock.extend(5)
    assert 10_000 < db.pttl("lock") <= 15_000
    assert lock.reacquire()
    db.set("lock", "somebody else")
    with pytest.raises(LockNotOwnedError):
        lock.release()
    assert db.get("lock") == "somebody else"
    with pytest.raises(LockError):
        lock.release()


RELEASE = """
if redis.call("get", KEYS[1]) == ARGV[1] then
    return redis.call("del", KEYS[1])
else
    return 0
end
"""


class Redlock:
    """The documented algorithm: a lock is held when most servers say so."""

    def __init__(self, servers: list[redis.Redis]) -> None:
        self.servers = servers
        self.releases: list[Callable[..., int]] = [
            server.register_script(RELEASE) for server in servers
        ]

    def acquire(self, name: str, token: str) -> bool:
        got = [server.set(name, token, nx=True, px=30_000) for server in self.servers]
        if sum(map(bool, got)) > len(self.servers) // 2:
            return True
        self.release(name, token)
        return False

    def release(self, name: str, token: str) -> int:
        return sum(release(keys=[name], args=[token]) for release in self.releases)


@pytest.mark.parametrize("workers", [1, 3])
def test_redlock(workers: int) -> None:
    with running(workers=workers) as a, running(workers=workers) as b, running() as c:
        servers = [redis.Redis(port=server.port) for server in (a, b, c)]
        lock = Redlock(servers)
        assert lock.acquire("resource", "one")
        assert not lock.acquire("resource", "two")
        assert lock.release("resource", "two") == 0
        servers[0].delete("resource")  # one server has lost it
        assert not lock.acquire("resource", "three")
        assert lock.release("resource", "one") == 2
        assert lock.acquire("resource", "four")
        for server in servers:
            server.close()
