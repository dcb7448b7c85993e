"""CONFIG: reading, changing and writing the directives."""

import json
from collections.abc import Awaitable

from shmredis.commands.arguments import shown
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import OK, CommandError, Reply
from shmredis.config.config import failure
from shmredis.config.parser import quoted
from shmredis.front.channel import MESSAGE_MAX

__all__ = ["more_lines"]

container("CONFIG")

NO_PORT = "Unable to listen on this port. Check server logs."
LISTENING = {
    "bind": "Failed to bind to specified addresses.",
    "port": NO_PORT,
    "tls-port": NO_PORT,
}
ADMIN = Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE


@command("CONFIG GET", arity=-3, flags=ADMIN)
def config_get(ctx: Context) -> Reply:
    found: dict[str, tuple[str, Reply]] = {}
    for pattern in ctx.argv[2:]:
        for name, value in ctx.server.config.get(shown(pattern)).items():
            found.setdefault(name.lower(), (name, value))
    return dict(found.values())


async def _tell_front(ctx: Context, replies: list[Reply]) -> Reply:
    await ctx.server.tell_settings(_pairs(ctx))
    return replies[0]


def _pairs(ctx: Context) -> list[tuple[str, str]]:
    """Names and values. Raises: CommandError."""
    words = [shown(arg) for arg in ctx.argv[2:]]
    if len(words) % 2:
        raise CommandError("ERR syntax error")
    pairs = list(zip(words[::2], words[1::2], strict=True))
    if len(json.dumps(pairs)) >= MESSAGE_MAX:  # the front could not be told
        raise CommandError("ERR CONFIG SET failed - the values are too long")
    return pairs


@command("CONFIG SET", arity=-4, flags=ADMIN)
def config_set(ctx: Context) -> Reply | Awaitable[Reply]:
    names = {name.lower() for name, _ in _pairs(ctx)}
    return _set_listening(ctx) if names & LISTENING.keys() else _set(ctx)


async def _set_listening(ctx: Context) -> Reply:
    """All is set back if the front cannot listen there."""
    names = [name for name, _ in _pairs(ctx)]
    before = ctx.server.config.get
    words = [word for name in names for pair in before(name).items() for word in pair]
    reply = await _finished(_set(ctx))
    if not await ctx.server.listen():
        return reply
    back = [word.encode("utf-8", "surrogateescape") for word in words]
    await _finished(_set(Context(ctx.server, ctx.client, [*ctx.argv[:2], *back])))
    name = next(name for name in names if name.lower() in LISTENING)
    raise CommandError(f"ERR {failure(name, LISTENING[name.lower()])}")


async def _finished(reply: Reply | Awaitable[Reply]) -> Reply:
    return await reply if isinstance(reply, Awaitable) else reply


@everywhere(_tell_front)
def _set(ctx: Context) -> Reply:
    try:
        ctx.server.config.set(_pairs(ctx))
    except ValueError as error:
        raise CommandError(f"ERR {error}") from error
    return OK


@command("CONFIG RESETSTAT", arity=2, flags=ADMIN)
@everywhere()
def config_resetstat(ctx: Context) -> Reply:
    ctx.engine.reset_stats()
    facts = ctx.server.facts
    facts.rejected_connections = facts.evicted_clients = 0
    ctx.server.denials.reset_counts()
    facts.query_buffer_disconnections = facts.output_buffer_disconnections = 0
    return OK


def _user_lines(ctx: Context) -> list[str]:
    """Users belong to the configuration unless there is an ACL file for them."""
    if ctx.server.config.text("aclfile"):
        return []
    return [str(user) for user in ctx.server.users.listed()]


def _module_lines(ctx: Context) -> list[str]:
    entries = ctx.server.modules.entries
    return [" ".join(map(quoted, ("loadmodule", e.path, *e.args))) for e in entries]


def more_lines(ctx: Context) -> dict[str, list[str]]:
    """Lines of a configuration file that are no values of directives."""
    return {"loadmodule": _module_lines(ctx), "user": _user_lines(ctx)}


@command("CONFIG REWRITE", arity=2, flags=ADMIN)
def config_rewrite(ctx: Context) -> Reply:
    if not ctx.server.config.path:
        raise CommandError("ERR The server is running without a config file")
    try:
        ctx.server.config.rewrite(more_lines(ctx))
    except OSError as error:
        raise CommandError(f"ERR Rewriting config file: {error.strerror}") from error
    ctx.server.log("notice", "CONFIG REWRITE executed with success.")
    return OK
