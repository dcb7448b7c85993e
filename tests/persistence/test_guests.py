"""A worker that dies with copies of other workers' keys in its arena leaves none of them to its successor."""

import contextlib

from tests.harness.server import wait_until
from tests.persistence.logged import logged_server
from tests.workers.places import key_of

WARM = ("--appendonly", "no", "--warm-restart", "yes", "--discard-shm", "no")


def test_copies_of_a_dead_worker_are_swept_out() -> None:
    with logged_server() as server:
        token = server.dir / "token"
        token.touch()
        server.start(*WARM, workers=3, faults=f"cross.shipped:kill:1:{token}")
        keys = [key_of(worker, prefix="guest") for worker in range(3)]
        with server.client() as client:
            for key in keys:
                client.call("SADD", key, *(f"{key}:{i}" for i in range(300)))
            with contextlib.suppress(OSError, ValueError, IndexError, AssertionError):
                client.call("SMOVE", keys[0], keys[1], f"{keys[0]}:7")
        wait_until(lambda: "is back: Re-attached 1 arena" in server.log)
        assert not token.exists()
        with server.client() as client:
            assert sorted(client.value("KEYS", "*")) == sorted(key.encode() for key in keys)
            assert client.value("DBSIZE") == len(keys)
            assert client.call("BGSAVE").startswith(b"+Background")
        wait_until(lambda: server.info("rdb_bgsave_in_progress") == "0")
        assert server.info("rdb_last_bgsave_status") == "ok"
        assert (server.dir / "dump.rdb").exists()
