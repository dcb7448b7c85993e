"""SAVE, BGSAVE, LASTSAVE."""

import logging
from collections.abc import Awaitable

from shmredis.commands.context import Context
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import OK, CommandError, Reply, Simple
from shmredis.persistence.desk import SaveFailed, Want

log = logging.getLogger(__name__)

SAVING = Flag.ADMIN | Flag.NOSCRIPT | Flag.NO_ASYNC_LOADING


@command("SAVE", arity=1, flags=SAVING | Flag.NO_MULTI)
async def save(ctx: Context) -> Reply:
    """The reply is there when the file is."""
    try:
        await ctx.server.desk.save()
    except SaveFailed as error:
        log.warning("Error saving the database: %s", error)
        raise CommandError("ERR") from None
    return OK


@command("BGSAVE", arity=-1, flags=SAVING | Flag.LAST)
async def bgsave(ctx: Context) -> Reply:
    """The reply comes after the instant whose state is saved."""
    options = [arg.lower() for arg in ctx.argv[1:]]
    if options not in ([], [b"schedule"]):
        raise CommandError("ERR syntax error")
    want = Want.SCHEDULE if options else Want.BACKGROUND
    return Simple(await ctx.server.desk.background(want if ctx.may_wait else Want.LATER))


@command("LASTSAVE", arity=1, flags=Flag.LOADING | Flag.STALE | Flag.FAST, acl="admin dangerous")
def last_save(ctx: Context) -> Reply | Awaitable[Reply]:
    """Seconds since 1970 when the last snapshot was; before the first, when the server started."""
    if ctx.server.snapshots.leads:
        return ctx.server.snapshots.last_save_s
    return ctx.server.desk.last_save()
