"""Reads without a hop while the owner changes what is read: tools/race_reads runs this for longer."""

import pytest

from tests.workers.racing import race


@pytest.mark.parametrize(("readers", "seed"), [(1, 1), (2, 2)])
def test_readers_see_whole_values_of_the_present(readers: int, seed: int) -> None:
    outcome = race(1.5, readers, seed)
    assert outcome.peeks > 1000
    assert outcome.values > 100
