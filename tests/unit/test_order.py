"""Partial orders: the wanted ranks are right, whatever the input."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from shmredis._core import ffi, lib


def order(values: list[float], first: int, end: int) -> list[int]:
    """Indices after the wanted part was brought into its place."""
    out = ffi.new("size_t[]", max(1, len(values)))
    lib.wb_order_part(ffi.new("double[]", values or [0.0]), len(values), first, end, out)
    return list(out)[: len(values)]


def expected(values: list[float]) -> list[int]:
    return sorted(range(len(values)), key=lambda i: (values[i], i))


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, -1.0, float("inf")]) | st.floats(allow_nan=False)),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_the_wanted_ranks_are_right(values: list[float], first: int, end: int) -> None:
    got = order(values, first, min(end, len(values)))
    assert sorted(got) == list(range(len(values)))
    assert got[first:end] == expected(values)[first:end]


SHAPES = {
    "random": lambda n: [random.Random(n).random() for _ in range(n)],
    "equal": lambda n: [1.0] * n,
    "ascending": lambda n: [float(i) for i in range(n)],
    "descending": lambda n: [float(-i) for i in range(n)],
    "organ pipe": lambda n: [float(min(i, n - i)) for i in range(n)],
    "sawtooth": lambda n: [float(i % 37) for i in range(n)],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("first", "end"), [(0, 5000), (0, 10), (2500, 2510), (4990, 5000), (0, 0)])
def test_shapes(shape: str, first: int, end: int) -> None:
    values = SHAPES[shape](5000)
    assert order(values, first, end)[first:end] == expected(values)[first:end]


def killer(n: int) -> list[float]:
    """An input for which a median of three is always nearly the least of what is left."""
    values = [0.0] * n
    for i in range(n // 2):
        values[i] = float(i if i % 2 == 0 else n // 2 + i - (n // 2) % 2)
        values[n // 2 + i] = float(2 * i + 1)
    return values


def test_an_input_against_the_pivots() -> None:
    got = order(values := killer(20_000), 0, 20_000)
    assert all(values[a] <= values[b] for a, b in pairwise(got))
