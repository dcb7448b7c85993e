"""Games of random commands against Redis 8.10: nobody can tell the two servers apart.

`tools/compare_random` plays many more, and makes those that are lost short.
"""

import random
import subprocess

import pytest

from tests.harness.games import drawn_settings, drawn_steps, names_of, pairing
from tests.interop.peers import PEERS

GAMES, STEPS = 12, 200


def newest() -> list[str]:
    """The binaries whose replies are the reference."""
    return [path for path in PEERS if b"v=8.10." in subprocess.check_output([path, "--version"])]


@pytest.mark.skipif(not newest(), reason="SHMREDIS_PEERS has no Redis 8.10")
@pytest.mark.parametrize("workers", [1, 3])
def test_random_commands_have_the_same_outcome(workers: int) -> None:
    with pairing(newest()[0], workers) as match:
        names = names_of(match.theirs.admin, "")
        for seed in range(GAMES):
            rng = random.Random(seed)
            settings = drawn_settings(rng)
            found = match.play(settings, drawn_steps(rng, names, match, STEPS))
            assert not found, f"seed {seed}: {found}"
