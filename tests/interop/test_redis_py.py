"""redis-py, synchronous and asynchronous, against one worker and three."""

import asyncio
import os
import signal
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import redis.asyncio
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from tests.harness.certificates import make_certificates
from tests.harness.ports import free_port
from tests.harness.server import Server, wait_until

Start = Callable[..., Server]


def test_types(db: redis.Redis) -> None:
    assert db.set("s", "value", ex=100)
    assert db.get("s") == "value"
    assert 98 <= db.ttl("s") <= 100
    assert db.incrby("n", 5) == 5
    assert db.rpush("l", *range(5)) == 5
    assert db.lrange("l", 1, -2) == ["1", "2", "3"]
    assert db.hset("h", mapping={"a": 1, "b": "two"}) == 2
    assert db.hgetall("h") == {"a": "1", "b": "two"}
    assert db.hexpire("h", 50, "a", "none") == [1, -2]
    assert db.sadd("x", "a", "b", "c") == 3
    assert db.smismember("x", ["a", "z"]) == [1, 0]
    assert db.zadd("z", {"a": 1, "b": 2.5, "c": 3}) == 3
    assert [list(pair) for pair in db.zrange("z", 0, 1, withscores=True)] == [["a", 1], ["b", 2.5]]
    assert db.zscore("z", "b") == 2.5
    assert db.mget("s", "none", "n") == ["value", None, "5"]
    assert {db.type(key) for key in "slhxz"} == {"string", "list", "hash", "set", "zset"}
    assert db.object("encoding", "h") == "listpackex"


def test_errors(db: redis.Redis) -> None:
    db.set("s", "text")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        db.lpush("s", 1)
    with pytest.raises(redis.ResponseError, match="not an integer"):
        db.incr("s")
    with pytest.raises(redis.ResponseError, match="unknown command"):
        db.execute_command("NOSUCH")


def test_pipelines(db: redis.Redis) -> None:
    pipe = db.pipeline(transaction=False)
    for i in range(1000):
        pipe.set(f"k{i}", i).get(f"k{i}")
    assert pipe.execute() == [item for i in range(1000) for item in (True, str(i))]
    pipe.lpush("k1", "x").get("k2")
    failed, fine = pipe.execute(raise_on_error=False)
    assert isinstance(failed, redis.ResponseError)
    assert fine == "2"


def test_iterators(db: redis.Redis) -> None:
    db.mset({f"key:{i}": i for i in range(500)})
    db.sadd("members", *range(1000))
    db.zadd("scores", {str(i): i for i in range(700)})
    assert sorted(db.scan_iter("key:*", count=7)) == sorted(f"key:{i}" for i in range(500))
    assert {int(member) for member in db.sscan_iter("members")} == set(range(1000))
    assert dict(db.zscan_iter("scores")) == {str(i): i for i in range(700)}


def test_values_of_any_bytes(shared_server: Server) -> None:
    every = bytes(range(256))
    with redis.Redis(port=shared_server.port) as client:
        client.set(every, every * 5000)
        assert client.get(every) == every * 5000
        assert client.delete(every) == 1


def test_about_the_server(db: redis.Redis) -> None:
    info = db.info()
    assert info["redis_mode"] == "standalone"
    assert info["tcp_port"] == db.connection_pool.connection_kwargs["port"]
    assert db.config_get("maxmemory")["maxmemory"] == "0"
    db.client_setname("me")
    assert db.client_getname() == "me"
    assert any(client["name"] == "me" for client in db.client_list())
    assert db.command_count() > 150
    assert db.memory_usage("none") is None


def test_many_tasks_share_a_pool(shared_server: Server) -> None:
    async def work(client: redis.asyncio.Redis, number: int) -> list[int]:
        return [await client.incr(f"counter:{number % 7}") for _ in range(20)]

    async def main() -> None:
        pool = redis.asyncio.BlockingConnectionPool(port=shared_server.port, max_connections=10)
        async with redis.asyncio.Redis.from_pool(pool) as client:
            await client.flushall()
            seen = await asyncio.gather(*(work(client, i) for i in range(70)))
            assert all(numbers == sorted(numbers) for numbers in seen)
            assert [int(await client.get(f"counter:{i}")) for i in range(7)] == [200] * 7

    asyncio.run(main())


@pytest.mark.parametrize("workers", [1, 3])
def test_the_unix_socket(start_server: Start, tmp_path: Path, workers: int) -> None:
    path = tmp_path / "socket"
    start_server("--unixsocket", str(path), workers=workers)
    with redis.Redis(unix_socket_path=str(path)) as client:
        assert client.mset({f"k{i}": i for i in range(20)})
        assert client.dbsize() == 20
        assert client.client_list()[0]["addr"].startswith(str(path))


@pytest.mark.parametrize("workers", [1, 3])
def test_tls_and_a_password(start_server: Start, tmp_path: Path, workers: int) -> None:
    made, port = make_certificates(tmp_path), free_port()
    options = [
        "--tls-port",
        port,
        "--tls-cert-file",
        made.server,
        "--tls-key-file",
        made.server_key,
    ]
    options += ["--tls-ca-cert-file", made.authority, "--requirepass", "secret"]
    start_server(*map(str, options), workers=workers)
    with redis.Redis(
        host="127.0.0.1",
        port=port,
        password="secret",
        ssl=True,
        ssl_ca_certs=str(made.authority),
        ssl_certfile=str(made.client),
        ssl_keyfile=str(made.client_key),
        ssl_min_version=ssl.TLSVersion.TLSv1_2,
    ) as client:
        assert client.mset({f"k{i}": i for i in range(20)})
        assert client.mget([f"k{i}" for i in range(20)]) == [b"%d" % i for i in range(20)]


@pytest.mark.parametrize("workers", [1, 3])
def test_retries_after_the_death_of_a_worker(start_server: Start, workers: int) -> None:
    server = start_server(workers=workers)
    retry = Retry(ConstantBackoff(0.1), 50)
    with redis.Redis(port=server.port, retry=retry) as client:
        client.mset({f"k{i}": i for i in range(30)})
        for pid in server.children():
            os.kill(pid, signal.SIGKILL)
        for i in range(30):
            wait_until(lambda i=i: succeeds(client, f"k{i}"))  # type: ignore[misc]
        assert client.dbsize() == 30


def succeeds(client: redis.Redis, key: str) -> bool:
    """False: the worker was being restarted."""
    try:
        return bool(client.set(key, "again"))
    except redis.ResponseError as error:
        assert "restarted" in str(error), error
        return False


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("workers", [1, 3])
def test_users(start_server: Start, workers: int, protocol: int) -> None:
    server = start_server(workers=workers)
    with redis.Redis(port=server.port, protocol=protocol, decode_responses=True) as admin:
        assert admin.acl_setuser(
            "ann",
            enabled=True,
            passwords=["+secret"],
            commands=["+get", "+mget", "-@dangerous"],
            keys=["cache:*"],
            channels=["news"],
            selectors=[("+set", "%W~app*")],
        )
        user = admin.acl_getuser("ann")
        assert user["enabled"]
        assert "+get" in user["commands"]
        assert user["keys"] == ["~cache:*"]
        assert user["channels"] == ["&news"]
        (selector,) = user["selectors"]
        fields = (
            selector if protocol == 3 else dict(zip(selector[::2], selector[1::2], strict=True))
        )
        assert fields == {"commands": "-@all +set", "keys": "%W~app*", "channels": ""}
        assert admin.acl_users() == ["ann", "default"]
        assert admin.acl_whoami() == "default"
        assert "get" in admin.acl_cat("read")
        assert admin.acl_dryrun("ann", "get", "cache:1") == "OK"
        assert "no permissions to access the 'x' key" in admin.acl_dryrun("ann", "get", "x")
        with redis.Redis(
            port=server.port, username="ann", password="secret", protocol=protocol
        ) as ann:
            assert ann.get("cache:1") is None
            assert ann.set("app:1", "v")
            with pytest.raises(redis.exceptions.NoPermissionError):
                ann.get("app:1")
            with pytest.raises(redis.exceptions.NoPermissionError):
                ann.flushall()
        log = admin.acl_log()
        assert [entry["reason"] for entry in log[:2]] == ["command", "key"]
        assert log[1]["object"] == "app:1"
        assert "ann" in str(log[1]["client-info"])
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis(port=server.port, username="ann", password="wrong").ping()
        assert admin.acl_log_reset()
        assert admin.acl_deluser("ann") == 1
