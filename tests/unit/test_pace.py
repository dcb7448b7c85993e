"""Rests between rounds: when they are tried, and what keeps them or ends them."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shmredis._core import lib
from tests.harness.resp import encode
from tests.unit.engines import Engine

LONGEST_NS = 60_000
STRETCH_S = 0.05
ROUND_S = 0.0005


class Load:
    """Clients that ask so and so often, by whether the worker rests; time is what it is told."""

    def __init__(self, clients: int, rate: Callable[[bool], float]) -> None:
        self.pace = lib.wb_pace_new()
        self.met = [0] * clients
        self.rate = rate
        self.longest_ns = LONGEST_NS
        self.now_ns = 10**9
        self.commands = 0.0

    @property
    def rest_ns(self) -> int:
        """After a round of one command."""
        return int(lib.pace_rest(self.pace, 1))

    def run(self, stretches: int) -> list[bool]:
        """In which of so many stretches there were rests."""
        rests: list[bool] = []
        for _ in range(stretches):
            rests.append(self.rest_ns > 0)
            for _ in range(round(STRETCH_S / ROUND_S)):
                self._round()
        return rests

    def _round(self) -> None:
        self.met = [lib.wb_pace_meet(self.pace, met) for met in self.met]
        self.commands += self.rate(self.rest_ns > 0) * ROUND_S
        self.now_ns += round(ROUND_S * 1e9)
        lib.pace_round(self.pace, self.now_ns, round(self.commands), self.longest_ns)


@pytest.fixture
def load(request: pytest.FixtureRequest) -> Iterator[Load]:
    made = Load(*request.param)
    yield made
    lib.wb_pace_delete(made.pace)


def faster(resting: bool) -> float:
    return 120_000 if resting else 110_000


def slower(resting: bool) -> float:
    return 70_000 if resting else 110_000


def same(_: bool) -> float:
    return 110_000


def seldom(_: bool) -> float:
    return 5_000


@pytest.mark.parametrize("load", [(50, faster), (50, same)], indirect=True)
def test_rests_that_cost_nothing_are_kept(load: Load) -> None:
    load.run(10)
    rests = load.run(400)
    assert sum(rests) > 380
    assert not all(rests)  # now and then it is tried without


@pytest.mark.parametrize("load", [(50, slower)], indirect=True)
def test_rests_that_cost_throughput_are_given_up(load: Load) -> None:
    load.run(10)
    rests = load.run(400)
    assert sum(rests) < 20
    assert any(rests)  # but they are tried again


@pytest.mark.parametrize("load", [(50, slower)], indirect=True)
def test_another_load_is_another_matter(load: Load) -> None:
    load.run(100)
    load.rate = faster
    load.run(400)
    assert sum(load.run(100)) > 90


@pytest.mark.parametrize("load", [(3, faster), (50, seldom)], indirect=True)
def test_few_clients_or_requests_are_served_at_once(load: Load) -> None:
    assert not any(load.run(200))


@pytest.mark.parametrize("load", [(50, faster)], indirect=True)
def test_how_long(load: Load) -> None:
    load.run(20)
    assert load.rest_ns == pytest.approx(50 / 8 / 120_000 * 1e9, abs=1)
    load.longest_ns = 20_000
    load.run(2)
    assert load.rest_ns == 20_000
    assert not lib.pace_rest(load.pace, 100)  # a round of many commands is worth no rest
    load.longest_ns = 0
    load.run(1)
    assert not any(load.run(100))


@pytest.mark.parametrize("load", [(50, faster)], indirect=True)
def test_a_pause_ends_them(load: Load) -> None:
    load.run(20)
    load.now_ns += 10**9
    load.run(1)
    assert not load.rest_ns
    load.run(1)
    assert load.rest_ns > 0  # what has won is good for the next load, too
    load.rate = seldom
    load.run(2)
    assert not load.rest_ns


@pytest.mark.parametrize("load", [(50, faster)], indirect=True)
def test_a_count_that_was_reset(load: Load) -> None:
    load.run(20)
    load.commands = 0
    load.run(1)
    assert not load.rest_ns
    load.run(20)
    assert load.rest_ns > 0


@contextmanager
def watched(engine: Engine, number: int) -> Iterator[tuple[socket.socket, Any]]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    session = lib.session_new(engine.handle, theirs.fileno(), number)
    assert lib.session_watch(session)
    yield ours, session
    lib.session_unwatch(session)
    lib.session_delete(session)
    ours.close()
    theirs.close()


def test_the_worker_rests_between_rounds(engine: Engine) -> None:
    assert lib.engine_poll_fd(engine.handle) >= 0
    stats = lib.engine_stats(engine.handle)
    with watched(engine, 100) as (client, _):
        client.sendall(encode("ECHO", "a"))
        lib.engine_poll(engine.handle)
        assert (client.recv(100), stats.loop_rests) == (b"$1\r\na\r\n", 0)
        lib.wb_engine_rest(engine.handle, 1000)
        client.sendall(encode("ECHO", "b"))
        lib.engine_poll(engine.handle)
        assert (client.recv(100), stats.loop_rests) == (b"$1\r\nb\r\n", 1)
        cycles = stats.loop_cycles
        lib.engine_poll(engine.handle)  # nothing is there, and there is no rest for nothing
        assert (stats.loop_cycles, stats.loop_rests) == (cycles + 1, 1)
