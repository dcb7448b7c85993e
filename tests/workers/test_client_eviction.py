"""maxmemory-clients: the largest clients of all workers go, until the others fit."""

from collections.abc import Callable

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until

LIMIT = 4 << 20


def figure(client: Client, section: str, name: str) -> int:
    text = client.value("INFO", section).decode()
    return int(text.split(f"{name}:", 1)[1].split("\r\n", 1)[0])


def half_sent(server: Server, size: int) -> Client:
    """A client in the middle of a command; the server keeps so many bytes of it."""
    client = server.client()
    client.call("PING")
    client.send(encode("SET", "k", "x" * size)[: -(size // 20)])
    return client


def lives(client: Client) -> bool:
    client.sock.settimeout(0.05)
    try:
        return client.sock.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 3])
def test_the_largest_clients_go(start_server: Callable[..., Server], workers: int) -> None:
    server = start_server("--maxmemory-clients", str(LIMIT), workers=workers)
    with server.client() as watcher:
        watcher.call("CLIENT", "NO-EVICT", "ON")
        small = [half_sent(server, 200_000) for _ in range(6)]
        large = [half_sent(server, 3_000_000) for _ in range(3)]
        wait_until(lambda: figure(watcher, "stats", "evicted_clients") >= 2)
        wait_until(lambda: sum(not lives(client) for client in large) >= 2)
        assert all(lives(client) for client in small)
        assert figure(watcher, "memory", "mem_clients_normal") < LIMIT + (1 << 20)
        for client in small + large:
            client.close()


def test_subscribers_that_never_read_are_evicted(start_server: Callable[..., Server]) -> None:
    options = ("--maxmemory-clients", str(LIMIT), "--client-output-buffer-limit", "pubsub 0 0 0")
    server = start_server(*options, workers=3)
    with server.client() as publisher, server.client() as spared:
        deaf = [server.client() for _ in range(4)]
        for client in (*deaf, spared):
            client.call("CLIENT", "NO-EVICT", "ON" if client is spared else "OFF")
            client.call("SUBSCRIBE", "news")
        while figure(publisher, "stats", "evicted_clients") < len(deaf):
            publisher.call("PUBLISH", "news", "x" * 500_000)
        assert publisher.value("PUBSUB", "NUMSUB", "news") == [b"news", 1]
        for client in deaf:
            client.close()


def test_a_percentage_is_of_maxmemory(start_server: Callable[..., Server]) -> None:
    server = start_server("--maxmemory", "100mb", "--maxmemory-clients", "1%")
    with server.client() as watcher:
        assert watcher.value("CONFIG", "GET", "maxmemory-clients") == [b"maxmemory-clients", b"1%"]
        small, large = half_sent(server, 300_000), half_sent(server, 2_000_000)
        wait_until(lambda: not lives(large))
        assert lives(small)
        watcher.call("CONFIG", "SET", "maxmemory-clients", "0")
        again = half_sent(server, 2_000_000)
        watcher.call("CONFIG", "SET", "maxmemory-clients", str(1 << 20))
        wait_until(lambda: not lives(again))
        for client in (small, large, again):
            client.close()
