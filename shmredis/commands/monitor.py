"""MONITOR: the client is shown every command that any worker executes. The lines are the core's."""

from collections.abc import Awaitable

from shmredis._core import lib
from shmredis.commands.context import Context
from shmredis.commands.everywhere import settled
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import NO_REPLY, OK, CommandError, Reply
from shmredis.engine import session_info

FLAGS = Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE


@command("MONITOR", arity=1, flags=FLAGS)
def monitor(ctx: Context) -> Reply | Awaitable[Reply]:
    info = session_info(ctx.session)
    if info.flags & lib.SESSION_MONITOR:
        return NO_REPLY
    if info.multi >= 0:
        raise CommandError("ERR MONITOR isn't allowed for DENY BLOCKING client")
    lib.session_monitor(ctx.session)
    told = settled(ctx)
    return _start_later(ctx, told) if isinstance(told, Awaitable) else _start(ctx)


async def _start_later(ctx: Context, told: Awaitable[Reply]) -> Reply:
    await told
    return _start(ctx)


def _start(ctx: Context) -> Reply:
    lib.session_monitor_start(ctx.session)
    return OK
