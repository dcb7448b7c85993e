"""BGREWRITEAOF."""

from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import CommandError, Reply, Simple
from shmredis.persistence.aof_rewriter import InProgress

STARTED = "Background append only file rewriting started"
SCHEDULED = "Background append only file rewriting scheduled"


@command(
    "BGREWRITEAOF", arity=1, flags=Flag.ADMIN | Flag.NOSCRIPT | Flag.NO_ASYNC_LOADING | Flag.LAST
)
@everywhere()
def bgrewriteaof(ctx: Context) -> Reply:
    """Each worker rewrites its own log."""
    try:
        return Simple(STARTED if ctx.server.append_log.rewriter.request() else SCHEDULED)
    except InProgress:
        raise CommandError(
            "ERR Background append only file rewriting already in progress"
        ) from None
    except OSError as error:
        raise CommandError(f"ERR {error}") from None
