"""Times beyond the year 10889, the last that an entry has room for: they are that one, never a past one."""

from collections.abc import Iterator

import pytest

from tests.harness.resp import Client

LAST_MS = (1 << 48) - 1
FAR = (1 << 48, (1 << 48) * 1000, LAST_MS + 2, 9223370000000000, (1 << 63) - 1 - (1 << 53))
PAYLOAD = b"\x00\x05hello\x09\x00\xb3\x80\x8e\xba1\xb2C\xbb"


@pytest.fixture
def key(client: Client) -> Iterator[Client]:
    """There is a key k."""
    client.call("SET", "k", "v")
    yield client


@pytest.mark.parametrize("ms", FAR)
@pytest.mark.parametrize(
    "words",
    [
        ("PEXPIRE", "k", "ms"),
        ("PEXPIREAT", "k", "ms"),
        ("SET", "k", "v", "PX", "ms"),
        ("SET", "k", "v", "PXAT", "ms"),
        ("PSETEX", "k", "ms", "v"),
        ("GETEX", "k", "PX", "ms"),
        ("MSETEX", "1", "k", "v", "PXAT", "ms"),
        ("RESTORE", "k", "ms", PAYLOAD, "REPLACE"),
        ("RESTORE", "k", "ms", PAYLOAD, "REPLACE", "ABSTTL"),
    ],
    ids=lambda words: " ".join(word for word in words if isinstance(word, str)),
)
def test_a_far_time_is_the_last(key: Client, words: tuple[str | bytes, ...], ms: int) -> None:
    assert not key.call(*(ms if word == "ms" else word for word in words)).startswith(b"-")
    assert key.value("PEXPIRETIME", "k") == LAST_MS
    assert key.value("EXISTS", "k") == 1
