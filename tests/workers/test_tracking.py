"""Client-side caching over several workers: no reader keeps what has become old, whatever happens."""

import os
import random
import signal
from collections.abc import Callable

import pytest
import redis
from redis.cache import CacheConfig

from tests.harness.resp import Client, parse
from tests.harness.server import Server, wait_until

KEYS = [f"k{i}" for i in range(24)]


def next_push(client: Client) -> object:
    """The body of the next invalidation."""
    kind, body = parse(client.read())
    assert kind == b"invalidate"
    return body


def start(start_server: Callable[..., Server], workers: int, *options: str) -> Server:
    return start_server(*options, workers=workers)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_cache_of_redis_py_is_never_behind(
    start_server: Callable[..., Server], workers: int
) -> None:
    server = start(start_server, workers)
    reader = redis.Redis(port=server.port, protocol=3, cache_config=CacheConfig())
    with server.client() as writer:
        rng = random.Random(1)
        truth: dict[str, bytes | None] = dict.fromkeys(KEYS)
        for i in range(600):
            name = rng.choice(KEYS)
            if rng.random() < 0.3:
                truth[name] = b"%d" % i
                writer.call("SET", name, i)
                writer.call("WAIT", "0", "0")
            assert_soon(reader, name, truth[name])
    cache = reader.get_cache()
    assert cache is not None
    assert cache.size > 0
    reader.close()


def assert_soon(reader: redis.Redis, name: str, value: bytes | None) -> None:
    """The push may be on its way from another worker when the writer has its reply."""
    wait_until(lambda: reader.get(name) == value)


def test_a_reader_is_told_of_changes_at_every_owner(start_server: Callable[..., Server]) -> None:
    server = start(start_server, 3)
    with server.client(resp=3) as reader, server.client() as writer:
        reader.call("CLIENT", "TRACKING", "ON")
        for name in KEYS:
            reader.call("GET", name)
        reader.call("MGET", *KEYS)
        info = writer.value("INFO", "stats").decode()
        assert f"tracking_total_keys:{len(KEYS)}\r\n" in info
        assert f"tracking_total_items:{len(KEYS)}\r\n" in info
        for name in KEYS:
            writer.call("SET", name, "1")
        told = [name for _ in KEYS for name in next_push(reader)]  # type: ignore[attr-defined]
        assert sorted(told) == sorted(name.encode() for name in KEYS)


def test_the_table_has_a_limit_and_readers_are_told_of_what_leaves_it(
    start_server: Callable[..., Server],
) -> None:
    server = start(start_server, 3, "--tracking-table-max-keys", "9")
    with server.client(resp=3) as reader, server.client() as other:
        reader.call("CLIENT", "TRACKING", "ON")
        for name in KEYS:
            reader.send(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(name), name.encode()))
        told = 0
        replies = 0
        while replies < len(KEYS) or told < len(KEYS) - 9:
            reply = reader.read()
            told += reply.startswith(b">")
            replies += not reply.startswith(b">")
        kept = len(KEYS) - told
        assert kept <= 9
        assert f"tracking_total_keys:{kept}\r\n" in other.value("INFO", "stats").decode()


def test_when_a_worker_dies_all_that_was_read_counts_as_changed(
    start_server: Callable[..., Server],
) -> None:
    server = start(start_server, 3)
    readers = [server.client(resp=3) for _ in range(6)]
    for reader in readers:
        reader.call("CLIENT", "TRACKING", "ON")
    broad = [server.client(resp=3) for _ in range(3)]
    for reader in broad:
        reader.call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "k")
    victim = server.children()[1]
    os.kill(victim, signal.SIGKILL)
    left = [reader for reader in readers + broad if _hears_of_the_death(reader)]
    assert left
    wait_until(lambda: _all_answer(server))
    told = [reader for reader in broad if reader in left]
    with server.client() as writer:
        for name in KEYS:  # the new worker knows who wants to hear of its keys
            writer.call("SET", name, "1")
        for reader in told:
            heard: list[bytes] = []
            while len(heard) < len(KEYS):
                heard += next_push(reader)  # type: ignore[call-overload]
    for reader in readers + broad:
        reader.close()


def _hears_of_the_death(reader: Client) -> bool:
    """Whether it lives; it is then told to drop everything."""
    try:
        return next_push(reader) is None
    except ConnectionError:
        return False


def _all_answer(server: Server) -> bool:
    try:
        with server.client() as client:
            return all(client.call("EXISTS", name)[:1] == b":" for name in KEYS)
    except OSError:
        return False


def test_a_redirection_works_from_worker_to_worker(start_server: Callable[..., Server]) -> None:
    server = start(start_server, 3)
    targets = [server.client() for _ in range(3)]
    readers = [server.client() for _ in range(3)]
    with server.client() as writer:
        for target, reader in zip(targets, readers, strict=True):
            number = target.value("CLIENT", "ID")
            target.call("SUBSCRIBE", "__redis__:invalidate")
            assert reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", number) == b"+OK\r\n"
            reader.call("MGET", *KEYS)
        for name in KEYS:
            writer.call("SET", name, "1")
        for target in targets:
            told = [parse(target.read())[2][0] for _ in KEYS]
            assert sorted(told) == sorted(name.encode() for name in KEYS)
    for client in targets + readers:
        client.close()
