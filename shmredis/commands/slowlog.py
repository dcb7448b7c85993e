"""SLOWLOG: commands that took long."""

from dataclasses import replace

from shmredis.commands.arguments import integer, wrong_arguments
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import OK, Reply
from shmredis.engine import SlowEntry

container("SLOWLOG")

ADMIN = Flag.ADMIN | Flag.LOADING | Flag.STALE
DEFAULT_COUNT = 10


def _count(ctx: Context) -> int:
    """How many entries are asked for, -1: all. Raises: CommandError."""
    if len(ctx.argv) > 3:
        raise wrong_arguments(ctx)
    if len(ctx.argv) < 3:
        return DEFAULT_COUNT
    return integer(ctx.argv[2], "ERR count should be greater than or equal to -1", low=-1)


def _newest(ctx: Context, found: list[list[SlowEntry]]) -> Reply:
    """What all workers have found as one log, newest first."""
    most = ctx.engine.option("slowlog_max_len")
    count = _count(ctx)
    entries = [entry for some in found for entry in some]
    if len(found) > 1:
        entries.sort(key=lambda entry: (entry.time_s, entry.id), reverse=True)
    return [_entry(entry) for entry in entries[: most if count == -1 else min(most, count)]]


def _entry(e: SlowEntry) -> Reply:
    return [e.id, e.time_s, e.usec, list(e.argv), e.addr, e.name, e.argc]


@command("SLOWLOG GET", arity=-2, flags=ADMIN)
@everywhere(_newest)
def slowlog_get(ctx: Context) -> list[SlowEntry]:
    count, workers = _count(ctx), ctx.server.workers
    entries = ctx.engine.slowlog(ctx.engine.slowlog_length if count == -1 else count)
    if workers is None:
        return entries
    return [replace(entry, id=entry.id * workers.count + workers.index) for entry in entries]


def _whole_length(ctx: Context, lengths: list[int]) -> Reply:
    return min(sum(lengths), ctx.engine.option("slowlog_max_len"))


@command("SLOWLOG LEN", arity=2, flags=ADMIN)
@everywhere(_whole_length)
def slowlog_len(ctx: Context) -> int:
    return ctx.engine.slowlog_length


@command("SLOWLOG RESET", arity=2, flags=ADMIN)
@everywhere()
def slowlog_reset(ctx: Context) -> Reply:
    ctx.engine.slowlog_reset()
    return OK
