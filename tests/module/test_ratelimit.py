"""The example: a rate limiter."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from shmredis.module.loading import read_module
from tests.harness.resp import Client
from tests.harness.server import ROOT, Server, running
from tests.workers.places import key_of

EXAMPLE = ROOT / "examples" / "modules" / "ratelimit.py"
Start = Callable[..., Server]


@pytest.fixture(scope="module", params=[1, 3], ids=["1 worker", "3 workers"])
def limiter(request: pytest.FixtureRequest) -> Server:
    with running("--loadmodule", str(EXAMPLE), "1000", workers=request.param) as server:
        yield server


@pytest.fixture
def client(limiter: Server) -> Client:
    with limiter.client() as connection:
        connection.call("FLUSHALL")
        yield connection


SLOW = "0.001"  # tokens a second: none comes in while a test runs


def test_tokens_are_taken_until_there_are_none(client: Client) -> None:
    taken = [client.value("RATELIMIT.TAKE", "a", 3, SLOW) for _ in range(4)]
    assert [reply[:2] for reply in taken] == [[1, 2], [1, 1], [1, 0], [0, 0]]
    assert 0 < float(taken[3][2]) <= 1000
    assert client.value("RATELIMIT.PEEK", "a") == [0, 3]
    assert client.value("RATELIMIT.PEEK", "none") is None


def test_buckets_are_apart_and_can_be_filled_up(client: Client) -> None:
    keys = [key_of(worker) for worker in range(3)]
    for key in keys:
        assert client.value("RATELIMIT.TAKE", key, 10, SLOW, 8) == [1, 2, b"0"]
    assert client.value("RATELIMIT.RESET", *keys, "none") == 3
    assert client.value("RATELIMIT.TAKE", keys[2], 10, SLOW, 8) == [1, 2, b"0"]


def test_more_than_fits_is_never_there(client: Client) -> None:
    assert client.value("RATELIMIT.TAKE", "a", 3, 1, 4) == [0, 3, b"-1"]
    assert client.value("EXISTS", "a") == 0


def test_a_full_bucket_needs_no_key(client: Client) -> None:
    client.call("RATELIMIT.TAKE", "a", 5, 1, 4)
    assert 3000 < client.value("PTTL", "a") <= 4001


@pytest.mark.parametrize(
    "words", ["a x 1", "a 1 0", "a 1001 1", "a 1 1 -1", "a 1 nan", "a 1 1 1 1", "a 1 inf"]
)
def test_bad_arguments(client: Client, words: str) -> None:
    assert client.call("RATELIMIT.TAKE", *words.split()).startswith(b"-ERR ")


def test_other_keys(client: Client) -> None:
    client.call("SET", "s", "x")
    assert client.call("RATELIMIT.TAKE", "s", 1, 1).startswith(b"-WRONGTYPE")


bucket_type = read_module(Path(EXAMPLE)).commands[0].handler.__globals__["Bucket"]
amounts = st.floats(0.001, 1e6)


@given(amounts, amounts, st.floats(0, 1), st.lists(st.integers(0, 10_000)))
def test_a_bucket_never_has_more_than_it_holds(
    capacity: float, rate: float, part: float, waits: list[int]
) -> None:
    bucket = bucket_type(capacity, rate, capacity * part, 0)
    now_ms = 0
    for wait_ms in waits:
        now_ms += wait_ms
        before = bucket.tokens
        bucket.fill(now_ms)
        assert before <= bucket.tokens <= capacity
    assert bucket.wait_s(capacity * 2) == -1
    assert bucket.wait_s(bucket.tokens) == 0
