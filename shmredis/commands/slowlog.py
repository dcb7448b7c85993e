"""SLOWLOG: commands that took long."""

from shmredis.commands.arguments import integer, wrong_arguments
from shmredis.commands.context import Context
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import OK, Reply
from shmredis.engine import SlowEntry

container("SLOWLOG")

ADMIN = Flag.ADMIN | Flag.LOADING | Flag.STALE
DEFAULT_COUNT = 10


@command("SLOWLOG GET", arity=-2, flags=ADMIN)
def slowlog_get(ctx: Context) -> Reply:
    if len(ctx.argv) > 3:
        raise wrong_arguments(ctx)
    count = DEFAULT_COUNT
    if len(ctx.argv) == 3:
        error = "ERR count should be greater than or equal to -1"
        count = integer(ctx.argv[2], error, low=-1)
    length = ctx.engine.slowlog_length
    return [_entry(entry) for entry in ctx.engine.slowlog(length if count == -1 else count)]


def _entry(e: SlowEntry) -> Reply:
    return [e.id, e.time_s, e.usec, list(e.argv), e.addr, e.name, e.argc]


@command("SLOWLOG LEN", arity=2, flags=ADMIN)
def slowlog_len(ctx: Context) -> Reply:
    return ctx.engine.slowlog_length


@command("SLOWLOG RESET", arity=2, flags=ADMIN)
def slowlog_reset(ctx: Context) -> Reply:
    ctx.engine.slowlog_reset()
    return OK
