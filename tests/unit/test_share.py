"""Which part of the time a child that writes is of the idle class, by what it gets of a CPU."""

from collections.abc import Callable

import pytest

from shmredis._core import lib

MS = 1_000_000


def share_of_time(idle: float, batch: float) -> tuple[float, float]:
    """The shares of a CPU that it gets in either class: the time that it idles, and what it gets."""
    share = lib.wb_share_new()
    wall, cpu, idled, idles = 0, 0.0, 0, True
    for _ in range(20_000):
        wall += MS
        cpu += MS * (idle if idles else batch)
        idled += idles
        idles = lib.share_idles(share, wall, round(cpu))
    lib.wb_share_delete(share)
    return idled * MS / wall, cpu / wall


@pytest.mark.parametrize(
    ("idle", "batch", "expected"),
    [
        (1.0, 1.0, lambda time, got: time == 1),  # there is a free CPU
        (0.6, 0.9, lambda time, got: time == 1),
        (0.3, 0.9, lambda time, got: 0.6 < time < 0.7 and got == pytest.approx(0.5, abs=0.01)),
        (0.0, 0.9, lambda time, got: 0 < time < 0.5 and got == pytest.approx(0.5, abs=0.01)),
        (0.0, 0.1, lambda time, got: time < 0.01),  # all CPUs are busy with others
    ],
)
def test_half_a_cpu(idle: float, batch: float, expected: Callable[[float, float], bool]) -> None:
    assert expected(*share_of_time(idle, batch))


def test_a_long_wait_ends_it_at_once() -> None:
    share = lib.wb_share_new()
    assert lib.share_idles(share, 100 * MS, 100 * MS)
    assert not lib.share_idles(share, 5000 * MS, 101 * MS)
    assert lib.share_idles(share, 5100 * MS, 201 * MS)
    lib.wb_share_delete(share)
