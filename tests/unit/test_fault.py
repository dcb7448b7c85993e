"""Named points of faults: plans that are read or refused, and what happens at the points."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shmredis._core import lib
from shmredis.faults import arm_faults, fault


@pytest.fixture(autouse=True)
def no_plan_stays() -> Iterator[None]:
    yield
    arm_faults(b"")


def ends_with(run: Callable[[], None]) -> int:
    """How a child that runs this ends: its exit status, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        try:
            run()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def passing(plan: bytes, *points: str) -> Callable[[], None]:
    def run() -> None:
        arm_faults(plan)
        for point in points:
            fault(point)

    return run


@pytest.mark.parametrize(
    "plan",
    [
        b":kill",
        b"a:burn",
        b"a:kill:0",
        b"a:kill:x",
        b"a:kill:99999999999999999999",
        b"a,,b",
        b"x" * 64,
        b"a:kill:1:" + b"/" * 256,
        b",".join([b"a"] * 17),
    ],
)
def test_what_is_no_plan_is_refused_and_changes_nothing(plan: bytes) -> None:
    arm_faults(b"here:fail")
    with pytest.raises(ValueError, match="not a plan"):
        arm_faults(plan)
    assert fault("here")


def test_without_a_plan_nothing_fails() -> None:
    assert not fault("here")
    arm_faults(b"here:fail")
    arm_faults(b"")
    assert not fault("here")


def test_a_point_fails_from_its_nth_time_on() -> None:
    arm_faults(b"here:fail:3,there:fail")
    assert [fault("here") for _ in range(5)] == [False, False, True, True, True]
    assert fault("there")
    assert not fault("elsewhere")


@pytest.mark.parametrize(
    ("plan", "points", "end"),
    [
        (b"here", ["here"], -signal.SIGKILL),
        (b"here:kill:2", ["here"], 0),
        (b"here:kill:2", ["here", "here"], -signal.SIGKILL),
        (b"here:abort", ["here"], -signal.SIGABRT),
        (b"here", ["here.too", "her"], 0),
        (b"her*", ["here.too"], -signal.SIGKILL),
        (b"*", ["anywhere"], -signal.SIGKILL),
        (b"other,here", ["here"], -signal.SIGKILL),
    ],
)
def test_a_process_ends_where_it_is_meant_to(plan: bytes, points: list[str], end: int) -> None:
    assert ends_with(passing(plan, *points)) == end


def test_a_stopped_process_goes_on_when_it_is_told_to() -> None:
    pid = os.fork()
    if pid == 0:
        passing(b"here:stop", "here")()
        os._exit(7)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    os.kill(pid, signal.SIGCONT)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_a_token_has_one_process_act(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch()
    run = passing(b"here:kill:1:" + bytes(token), "here")
    assert ends_with(run) == -signal.SIGKILL
    assert not token.exists()
    assert ends_with(run) == 0


def test_children_inherit_the_plan_and_how_often_the_point_was_passed() -> None:
    arm_faults(b"here:kill:2")
    fault("here")
    assert ends_with(lambda: lib.core_fault_reached(b"here")) == -signal.SIGKILL
