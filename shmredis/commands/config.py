"""CONFIG: reading, changing and writing the directives."""

import json
from pathlib import Path

from shmredis.commands.arguments import shown
from shmredis.commands.context import Context
from shmredis.commands.everywhere import elsewhere, everywhere
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import OK, CommandError, Reply
from shmredis.config.config import failure
from shmredis.config.parser import quoted
from shmredis.front.channel import MESSAGE_MAX
from shmredis.persistence.aof_lock import LOG_PLACES

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
async def config_set(ctx: Context) -> Reply:
    """In all workers or in none."""
    async with ctx.server.settings_turn.taken():
        await _change(ctx)
    return OK


async def _change(ctx: Context) -> None:
    """All is set back, too, if the front cannot listen there. Raises: CommandError."""
    names = [name for name, _ in _pairs(ctx)]
    back = _as_it_is(ctx, names)
    locked = await _lock_log(ctx)
    try:
        await _set(ctx, back)
    except CommandError:
        if locked:  # the front lets go what it does not need
            await ctx.server.tell_settings(_pairs(back))
        raise
    await ctx.server.tell_settings(_pairs(ctx))
    listening = next((name for name in names if name.lower() in LISTENING), None)
    if listening and await ctx.server.listen():
        await _set_back(back)
        await ctx.server.tell_settings(_pairs(back))
        raise CommandError(f"ERR {failure(listening, LISTENING[listening.lower()])}")


async def _lock_log(ctx: Context) -> bool:
    """The folder that a log goes to from now on; whether it does. Raises: CommandError."""
    fresh = {name.lower(): value for name, value in _pairs(ctx)}
    config = ctx.server.config
    logs = fresh.get("appendonly", config.text("appendonly")).lower() == "yes"
    places = [name for name in fresh if name in LOG_PLACES]
    if not (logs and places):
        return False
    if why := await ctx.server.lock_log(Path(config.text("dir"), fresh.get("dir", ""))):
        raise CommandError(f"ERR {failure(places[0], why)}")
    return True


def _as_it_is(ctx: Context, names: list[str]) -> Context:
    """The call that would set these directives to what they are."""
    present = [pair for name in names for pair in ctx.server.config.get(name).items()]
    words = [word.encode("utf-8", "surrogateescape") for pair in present for word in pair]
    return Context(ctx.server, ctx.client, [*ctx.argv[:2], *words])


async def _set(ctx: Context, back: Context) -> None:
    """Raises: CommandError, with everything as it was before."""
    _set_here(ctx)
    if refusals := await _set_elsewhere(ctx):
        await _set_back(back)
        raise refusals[0]


def _set_here(ctx: Context) -> None:
    try:
        ctx.server.config.set(_pairs(ctx))
    except ValueError as error:
        raise CommandError(f"ERR {error}") from error


_set_elsewhere = elsewhere(_set_here)


async def _set_back(back: Context) -> None:
    """Where it was refused, nothing has changed, and nothing does."""
    failed = await _set_elsewhere(back)
    try:
        _set_here(back)
    except CommandError as error:
        failed.append(error)
    for why in failed:
        back.server.log("warning", f"What CONFIG SET has changed is not set back: {why}")


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
