"""LOLWUT: a picture, and the version."""

import random

from shmredis.commands.arguments import integer, word
from shmredis.commands.context import Context
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import Reply, Verbatim
from shmredis.commands.version import REDIS_VERSION

WIDTH, HEIGHT = 48, 12
SHADES = " .:-=+*#%@"


@command("LOLWUT", arity=-1, flags=Flag.READ | Flag.FAST)
def lolwut(ctx: Context) -> Reply:
    """One picture, whichever version is asked for."""
    args = ctx.argv[1:]
    if len(args) >= 2 and word(args[0]) == "VERSION":
        integer(args[1])
    text = f"{draw_dunes(random.Random())}\nDunes of an arena. Redis ver. {REDIS_VERSION}\n"
    return Verbatim(text.encode())


def draw_dunes(rng: random.Random) -> str:
    """Ridges that a random walk has left, darker below than above."""
    ridges = [_ridge(rng, HEIGHT * (depth + 1) / 5) for depth in range(4)]
    rows = []
    for y in range(HEIGHT):
        depths = [sum(y >= ridge[x] for ridge in ridges) for x in range(WIDTH)]
        rows.append("".join(SHADES[min(len(SHADES) - 1, depth * 2)] for depth in depths))
    return "".join(row.rstrip() + "\n" for row in rows)


def _ridge(rng: random.Random, level: float) -> list[float]:
    heights = []
    slope = 0.0
    for _ in range(WIDTH):
        slope = 0.8 * slope + rng.uniform(-0.5, 0.5)
        level = min(HEIGHT - 1.0, max(0.0, level + slope))
        heights.append(level)
    return heights
