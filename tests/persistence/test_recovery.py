"""Kills at random under load; tools/crash_soak does the same for as long as one likes."""

import pytest

from tests.persistence.crashes import Crashes
from tests.persistence.deaths import DEATHS
from tests.persistence.place import place

AOF = ("--appendonly", "yes")
ALWAYS = (*AOF, "--appendfsync", "always")


# Each way to die in two of these.
SETTINGS = [((), 1), ((), 3), (AOF, 1), (AOF, 3), (ALWAYS, 1), (ALWAYS, 3)]


@pytest.mark.parametrize(("options", "workers"), SETTINGS, ids=str)
def test_what_was_acknowledged_is_there_after_a_kill(
    workers: int, options: tuple[str, ...]
) -> None:
    with place(*options, workers=workers) as here:
        crashes = Crashes(here, options, workers, seed=workers)
        for death in list(DEATHS)[SETTINGS.index((options, workers)) % 3 :: 3]:
            crashes.round(death)
        assert crashes.writes > 80
