"""ACL LOG: what was refused of late, in all workers."""

import time

from shmredis.acl.log import Entry, gather
from shmredis.commands.arguments import integer, word, wrong_arguments
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import OK, Reply

SHOWN = 10  # entries, when nobody says how many


def _resets(ctx: Context) -> bool:
    return len(ctx.argv) == 3 and word(ctx.argv[2]) == "RESET"


def _limit(ctx: Context) -> int:
    """Raises: CommandError."""
    return max(integer(ctx.argv[2]), 0) if len(ctx.argv) == 3 else SHOWN


def _shown(ctx: Context, logs: list[list[Entry]]) -> Reply:
    if _resets(ctx):
        return OK
    entries = gather(logs) if len(logs) > 1 else logs[0]
    room = int(ctx.server.config.text("acllog-max-len"))
    now_ns = time.time_ns()
    return [_fields(entry, now_ns) for entry in entries[: min(_limit(ctx), room)]]


def _fields(entry: Entry, now_ns: int) -> dict[str, Reply]:
    return {
        "count": entry.count,
        "reason": entry.reason,
        "context": entry.context,
        "object": entry.object,
        "username": entry.username,
        "age-seconds": (now_ns - entry.updated_ns) // 1_000_000 / 1000,
        "client-info": entry.client,
        "entry-id": entry.id,
        "timestamp-created": entry.created_ns // 1_000_000,
        "timestamp-last-updated": entry.updated_ns // 1_000_000,
    }


@command("ACL LOG", arity=-2, flags=Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.ADMIN)
@everywhere(_shown)
def acl_log(ctx: Context) -> list[Entry]:
    if len(ctx.argv) > 3:
        raise wrong_arguments(ctx)
    log = ctx.server.denials.log
    if _resets(ctx):
        log.entries.clear()
    else:
        _limit(ctx)  # refused here, if it is no number
        log.trim()
    return log.entries
