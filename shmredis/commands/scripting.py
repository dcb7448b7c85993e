"""EVAL and its kind, SCRIPT."""

from shmredis._core import lib
from shmredis.commands.arguments import word
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.inside import Call
from shmredis.commands.registry import Flag, KeySpec, command, container, inside_command
from shmredis.commands.resp import OK, CommandError, Reply, encode_request

__all__ = ["KEY_RO", "KEY_RW", "RUNS", "keys_counted", "log_everywhere"]

KEY_RW, KEY_RO = 2 | 16 | 32, 1 | 16  # enum key_flag
RUNS = (
    Flag.NOSCRIPT
    | Flag.STALE
    | Flag.SKIP_MONITOR
    | Flag.NO_MANDATORY_KEYS
    | Flag.MOVABLE_KEYS
    | Flag.SCRIPT_RUNNER
)

container("SCRIPT", group="scripting")


def keys_counted(flags: int) -> list[KeySpec]:
    """A count of keys, which is the second argument, and the keys."""
    return [KeySpec(flags, find="n", at=2, a=0, b=1, c=1)]


def log_everywhere(ctx: Context) -> None:
    """This worker's log has the command."""
    request = encode_request(ctx.argv)
    lib.engine_propagate_command(ctx.engine.handle, ctx.db, request, len(request))


@inside_command("EVAL", arity=-3, acl="scripting", flags=RUNS, keys=keys_counted(KEY_RW))
def eval_(call: Call) -> bytes:
    return call.server.scripting.eval(call, read_only=False)


@inside_command("EVALSHA", arity=-3, acl="scripting", flags=RUNS, keys=keys_counted(KEY_RW))
def evalsha(call: Call) -> bytes:
    return call.server.scripting.eval_sha(call, read_only=False)


@inside_command(
    "EVAL_RO", arity=-3, acl="scripting", flags=RUNS | Flag.READ, keys=keys_counted(KEY_RO)
)
def eval_ro(call: Call) -> bytes:
    return call.server.scripting.eval(call, read_only=True)


@inside_command(
    "EVALSHA_RO", arity=-3, acl="scripting", flags=RUNS | Flag.READ, keys=keys_counted(KEY_RO)
)
def evalsha_ro(call: Call) -> bytes:
    return call.server.scripting.eval_sha(call, read_only=True)


@command(
    "SCRIPT LOAD", arity=3, flags=Flag.NOSCRIPT | Flag.STALE, acl="scripting", group="scripting"
)
def script_load(ctx: Context) -> Reply:
    return ctx.server.scripting.cache.add(ctx.argv[2], kept=True).sha


@command("SCRIPT EXISTS", arity=-3, flags=Flag.NOSCRIPT, acl="scripting", group="scripting")
def script_exists(ctx: Context) -> Reply:
    cache = ctx.server.scripting.cache
    return [int(cache.find(sha) is not None) for sha in ctx.argv[2:]]


@command("SCRIPT FLUSH", arity=-2, flags=Flag.NOSCRIPT, acl="scripting", group="scripting")
@everywhere()
def script_flush(ctx: Context) -> Reply:
    if len(ctx.argv) > 3 or (len(ctx.argv) == 3 and word(ctx.argv[2]) not in ("SYNC", "ASYNC")):
        raise CommandError("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    ctx.server.scripting.flush(told=ctx.session is not None)
    return OK


@command("SCRIPT DEBUG", arity=3, flags=Flag.NOSCRIPT, acl="scripting", group="scripting")
def script_debug(ctx: Context) -> Reply:
    """There is no debugger; NO is what is the case anyway."""
    if word(ctx.argv[2]) not in ("YES", "SYNC", "NO"):
        raise CommandError("ERR Use SCRIPT DEBUG YES/SYNC/NO")
    if word(ctx.argv[2]) != "NO":
        raise CommandError("ERR the debugger for scripts is not available")
    return OK


@command(
    "SCRIPT KILL",
    arity=2,
    flags=Flag.NOSCRIPT | Flag.ALLOW_BUSY,
    acl="scripting",
    group="scripting",
)
def script_kill(ctx: Context) -> Reply:
    ctx.server.scripting.watch.kill(function=False)
    return OK
