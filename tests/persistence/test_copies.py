"""What does not make the kernel copy pages while a snapshot is made: reads, and the defragmenter."""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.harness.resp import Client, parse
from tests.harness.server import Server, wait_until
from tests.persistence.test_snapshot import STARTED, info, wait_saved

StartServer = Callable[..., Server]
KEYS = [f"key:{i}" for i in range(4000)]
VALUE = "x" * 5000  # so that hardly two of them share a page
SHADOW = 20 << 20 if "asan" in os.environ.get("LD_PRELOAD", "") else 0  # of the sanitizer's own
COPIED = len(KEYS) * len(VALUE) // 4 + SHADOW  # bytes; if all were, it would be four times that
NO_HITS = b"active_defrag_hits:0\r\n"


@pytest.fixture
def client(start_server: StartServer) -> Iterator[Client]:
    with start_server().client() as client:
        fill(client)
        yield client


def fill(client: Client) -> None:
    assert client.call("MSET", *(word for key in KEYS for word in (key, VALUE))) == b"+OK\r\n"


def begin(client: Client) -> None:
    """A snapshot that takes some seconds."""
    keys = int(parse(client.call("DBSIZE")))
    client.call("CONFIG", "SET", "rdb-key-save-delay", 3_000_000 // keys)
    assert client.call("BGSAVE") == STARTED


def end(client: Client) -> int:
    """Bytes that were copied."""
    assert info(client)["rdb_bgsave_in_progress"] == "1"
    return int(wait_saved(client)["rdb_last_cow_size"])


def is_idle(client: Client) -> bool:
    return int(parse(client.call("OBJECT", "IDLETIME", KEYS[0]))) > 0


def frequency(client: Client) -> int:
    return int(parse(client.call("OBJECT", "FREQ", "counted")))


def test_reads_do_not(client: Client) -> None:
    wait_until(lambda: is_idle(client))
    begin(client)
    assert client.call("TOUCH", *KEYS) == b":%d\r\n" % len(KEYS)
    assert is_idle(client)
    assert end(client) < COPIED
    wait_until(lambda: client.call("TOUCH", KEYS[0]) == b":1\r\n" and not is_idle(client))


def test_reads_do_not_count_uses(start_server: StartServer) -> None:
    options = ("--maxmemory-policy", "allkeys-lfu", "--lfu-log-factor", "0")
    with start_server(*options).client() as client:
        client.call("SET", "counted", "")
        before = frequency(client)
        begin(client)
        client.call("GET", "counted")
        assert frequency(client) == before
        end(client)
        wait_until(
            lambda: client.call("GET", "counted") == b"$0\r\n\r\n" and frequency(client) != before
        )


def test_writes_do(client: Client) -> None:
    begin(client)
    fill(client)
    assert end(client) > len(KEYS) * len(VALUE) // 2


SMALL = [f"small:{i}" for i in range(15_000)]


def set_small(client: Client, keys: list[str], value: str) -> None:
    """In small commands: what they need of memory counts as copied, too."""
    for i in range(0, len(keys), 100):
        words = (word for key in keys[i : i + 100] for word in (key, value))
        assert client.call("MSET", *words) == b"+OK\r\n"


@pytest.fixture
def small(start_server: StartServer) -> Iterator[Client]:
    with start_server("--active-defrag-ignore-bytes", "1").client() as client:
        set_small(client, SMALL, "x" * 500)
        yield client


def test_small_values_take_new_pages(small: Client) -> None:
    """Replaced and deleted: the pages that they were in stay as they are."""
    begin(small)
    set_small(small, SMALL[::4], "y" * 500)
    small.call("DEL", *SMALL[1::16])
    assert end(small) < len(SMALL) * 500 // 4 + SHADOW
    assert parse(small.call("MGET", *SMALL[:3])) == [b"y" * 500, None, b"x" * 500]
    assert parse(small.call("DBSIZE")) == len(SMALL) - len(SMALL[1::16])


def test_holes_are_mended_afterwards(small: Client) -> None:
    """By the defragmenter, although it is not active otherwise."""
    begin(small)
    set_small(small, SMALL[::3], "y" * 500)
    assert NO_HITS in small.call("INFO", "stats")
    end(small)
    wait_until(lambda: NO_HITS not in small.call("INFO", "stats"))
    wait_until(lambda: b"active_defrag_running:0\r\n" in small.call("INFO", "memory"))
    assert parse(small.call("MGET", *SMALL[:2])) == [b"y" * 500, b"x" * 500]


def test_a_change_counts_as_use(client: Client) -> None:
    """Also where the entry is not written to before its value is."""
    client.call("RPUSH", "list", *range(200))
    client.call("SET", "string", "x")
    wait_until(lambda: parse(client.call("OBJECT", "IDLETIME", "list")) > 1)
    begin(client)
    client.call("RPUSH", "list", *range(4000))
    client.call("SET", "string", "y")
    assert parse(client.call("OBJECT", "IDLETIME", "list")) < 2
    assert parse(client.call("OBJECT", "IDLETIME", "string")) < 2
    end(client)


def test_the_defragmenter_waits(client: Client) -> None:
    client.call("DEL", *(key for i, key in enumerate(KEYS) if i % 8))
    eager = ("active-defrag-ignore-bytes", 1, "active-defrag-threshold-lower", 1)
    assert client.call("CONFIG", "SET", *eager) == b"+OK\r\n"
    begin(client)
    assert client.call("MEMORY", "PURGE") == b"+OK\r\n"
    assert client.call("CONFIG", "SET", "activedefrag", "yes") == b"+OK\r\n"
    wait_until(lambda: is_idle(client))
    assert NO_HITS in client.call("INFO", "stats")
    assert end(client) < COPIED
    wait_until(lambda: NO_HITS not in client.call("INFO", "stats"))
