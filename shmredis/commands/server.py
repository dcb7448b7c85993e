"""The server as a whole: its clock, its end."""

import time
from collections.abc import Awaitable

from shmredis.commands.arguments import syntax_error, word
from shmredis.commands.context import Context, ShutdownMode
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import OK, CommandError, Reply

ANYTIME = Flag.LOADING | Flag.STALE | Flag.FAST


@command("TIME", arity=1, flags=ANYTIME)
def time_command(ctx: Context) -> Reply:
    seconds, rest = divmod(time.time_ns() // 1000, 1_000_000)
    return [str(seconds), str(rest)]


@command(
    "SHUTDOWN",
    arity=-1,
    flags=Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.NO_MULTI | Flag.ALLOW_BUSY,
)
def shutdown(ctx: Context) -> Awaitable[Reply]:
    options = [word(arg) for arg in ctx.argv[1:]]
    chosen = set(options)
    if options == ["ABORT"]:
        return _abort(ctx)
    if not chosen <= {"NOW", "FORCE", "SAVE", "NOSAVE"} or {"SAVE", "NOSAVE"} <= chosen:
        raise syntax_error()
    mode = ShutdownMode.DEFAULT
    if chosen & {"SAVE", "NOSAVE"}:
        mode = ShutdownMode.SAVE if "SAVE" in chosen else ShutdownMode.NOSAVE
    ctx.server.scripting.watch.check_shutdown(saves=mode is not ShutdownMode.NOSAVE)
    return _shut_down(ctx, mode, now="NOW" in chosen, force="FORCE" in chosen)


async def _abort(ctx: Context) -> Reply:
    if not await ctx.server.abort_shutdown():
        raise CommandError("ERR No shutdown in progress.")
    return OK


async def _shut_down(ctx: Context, mode: ShutdownMode, *, now: bool, force: bool) -> Reply:
    await ctx.server.shutdown(mode, now=now, force=force)
    raise CommandError("ERR Errors trying to SHUTDOWN. Check logs.")
