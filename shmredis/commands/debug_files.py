"""DEBUG RELOAD, RESTART and the like: the data out of memory and back, the server ended and started.

Each worker loads what is its own, all of it at once, as Redis does: nothing else happens meanwhile.
"""

from collections.abc import Awaitable

from shmredis._core import lib
from shmredis.commands.arguments import integer, is_on, word
from shmredis.commands.config import more_lines
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.resp import OK, CommandError, Reply
from shmredis.persistence.desk import SaveFailed

__all__ = ["crash_and_recover", "reload", "restart", "rewrite_all", "skip_checksums"]

RELOAD_OPTIONS = {"MERGE", "NOFLUSH", "NOSAVE"}


async def reload(ctx: Context) -> Reply:
    """RELOAD [MERGE] [NOFLUSH] [NOSAVE]"""
    options = {word(arg) for arg in ctx.argv[2:]}
    if not options <= RELOAD_OPTIONS:
        raise CommandError("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    if "NOSAVE" not in options:
        try:
            await ctx.server.desk.save()
        except SaveFailed:
            raise CommandError("ERR") from None
    done = _load_rdb(ctx)
    if isinstance(done, Awaitable):
        await done
    ctx.server.log("notice", "DB reloaded by DEBUG RELOAD")
    return OK


@everywhere()
def _load_rdb(ctx: Context) -> Reply:
    """A worker's keys out of dump.rdb."""
    options = {word(arg) for arg in ctx.argv[2:]}
    if "NOFLUSH" not in options:
        lib.engine_empty(ctx.engine.handle)
    if not ctx.server.load_again(merge="MERGE" in options):
        raise CommandError("ERR Error trying to load the RDB dump, check server logs.")
    return OK


def rewrite_all(ctx: Context) -> Reply:
    """CONFIG-REWRITE-FORCE-ALL"""
    try:
        ctx.server.config.rewrite(more_lines(ctx), everything=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise CommandError(f"ERR CONFIG-REWRITE-FORCE-ALL failed: {why}") from error
    return OK


@everywhere()
def skip_checksums(ctx: Context) -> Reply:
    """SET-SKIP-CHECKSUM-VALIDATION <0|1>"""
    ctx.engine.set_option("skip_checksum", int(is_on(ctx.argv[2])))
    return OK


async def restart(ctx: Context) -> Reply:
    """RESTART [milliseconds]: all is saved as by SHUTDOWN."""
    return await _restart(ctx, crash=False)


async def crash_and_recover(ctx: Context) -> Reply:
    """CRASH-AND-RECOVER [milliseconds]: all workers are killed where they are."""
    return await _restart(ctx, crash=True)


async def _restart(ctx: Context, *, crash: bool) -> Reply:
    delay_ms = integer(ctx.argv[2]) if len(ctx.argv) > 2 else 0
    await ctx.server.restart(max(delay_ms, 0), crash=crash)
    raise CommandError("ERR failed to restart the server. Check server logs.")
