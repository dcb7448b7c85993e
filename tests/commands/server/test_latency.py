"""LATENCY: events, graphs, histograms."""

import re
import time
from collections.abc import Callable

import pytest

from shmredis.commands.histogram import cumulative, percentile_us
from shmredis.commands.sparkline import sparkline
from tests.commands.python_commands import FakeClient, FakeServer


@pytest.fixture
def at_second(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the clock that Python commands see."""

    def set_clock(second: int) -> None:
        monkeypatch.setattr(time, "time", lambda: float(second))

    return set_clock


def test_latency_events_are_kept_per_second(server: FakeServer) -> None:
    client, engine = server.connect(), server.engine
    engine.note_latency("fork", 5_000_000)
    assert client.call("LATENCY", "LATEST") == b"*0\r\n"
    engine.set_option("latency_monitor_threshold", 10)
    engine.note_latency("fork", 9_000)
    assert engine.latency_events() == []
    engine.note_latency("fork", 20_000)
    engine.note_latency("fork", 50_000)
    engine.note_latency("fork", 30_000)
    (event,) = engine.latency_events()
    assert (event.name, event.max_ms, event.sum_ms, event.total) == ("fork", 50, 100, 3)
    assert max(ms for _, ms in event.samples) == 50
    assert len(event.samples) <= 2
    reply = client.call("LATENCY", "LATEST")
    assert re.fullmatch(rb"\*1\r\n\*4\r\n\$4\r\nfork\r\n:\d+\r\n:\d+\r\n:50\r\n", reply)
    history = client.call("LATENCY", "HISTORY", "fork")
    assert re.match(rb"\*[12]\r\n\*2\r\n:\d+\r\n:\d+\r\n", history)
    assert client.call("LATENCY", "HISTORY", "nosuch") == b"*0\r\n"
    assert client.call("LATENCY", "RESET", "nosuch", "fork") == b":1\r\n"
    assert client.call("LATENCY", "RESET") == b":0\r\n"


def test_slow_commands_are_latency_events(server: FakeServer) -> None:
    client = server.connect()
    server.engine.set_option("latency_monitor_threshold", 1)
    client.call("DEBUG", "SLEEP", "0.01")
    (event,) = server.engine.latency_events()
    assert event.name == "command"
    assert event.max_ms >= 10


def test_latency_graph(server: FakeServer, at_second: Callable[[int], None]) -> None:
    client = server.connect()
    server.engine.set_option("latency_monitor_threshold", 1)
    server.engine.note_latency("fork", 20_000)
    at_second(server.engine.latency_events()[0].latest_s)
    assert client.call("LATENCY", "GRAPH", "fork") == (
        b"$146\r\nfork - high 20 ms, low 20 ms (all time high 20 ms)\n"
        b"--------------------------------------------------------------------------------\n"
        b" \n \n \n_\n \n0\ns\n\r\n"
    )
    error = b"-ERR No samples available for event 'x'\r\n"
    assert client.call("LATENCY", "GRAPH", "x") == error


def test_sparkline_scales_and_breaks_lines() -> None:
    points = [(101, "15s"), (200, "14s"), (300, "12s"), (500, "8s"), (401, "6s")]
    assert sparkline(points, 80) == ("   #_\n  _||\n _|||\n_||||\n     \n11186\n542ss\nsss  \n")
    assert sparkline([(1, "a"), (2, "b")], 1).count("\n\n") == 1


def test_latency_doctor_tells_the_three_states(server: FakeServer) -> None:
    client, engine = server.connect(), server.engine
    assert b"The latency monitor is off" in client.call("LATENCY", "DOCTOR")
    engine.set_option("latency_monitor_threshold", 1)
    assert b"No event was slower" in client.call("LATENCY", "DOCTOR")
    engine.note_latency("command", 20_000)
    assert b"command: 1 slow seconds, 20 ms on average" in client.call("LATENCY", "DOCTOR")


def test_latency_histogram_of_named_commands(client: FakeClient) -> None:
    client.call("SLOWLOG", "LEN")
    assert client.call("LATENCY", "HISTOGRAM", "nosuch") == b"*0\r\n"
    reply = client.call("LATENCY", "HISTOGRAM", "slowlog")
    assert re.fullmatch(
        rb"\*2\r\n\$11\r\nslowlog\|len\r\n\*4\r\n\$5\r\ncalls\r\n:1\r\n\$14\r\nhistogram_usec\r\n"
        rb"\*2\r\n:\d+\r\n:1\r\n",
        reply,
    )


def test_histogram_limits_are_those_of_redis() -> None:
    buckets = [1] * 12 + [0] * 28
    assert list(cumulative(buckets)) == [1, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227]
    assert cumulative([0, 0, 3, 0, 2] + [0] * 35) == {8: 3, 33: 5}


def test_percentiles_are_interpolated_within_a_bucket() -> None:
    buckets = [0, 0, 0, 100] + [0] * 36
    assert percentile_us(buckets, 50) == 12.0
    assert percentile_us(buckets, 100) == 16.0
    assert percentile_us([0] * 40, 99) == 0.0
