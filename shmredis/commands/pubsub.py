"""PUBSUB: which channels there are, over all workers. Subscribing and publishing are the core's."""

from collections import Counter

from shmredis._core import lib
from shmredis.commands.arguments import shown
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import CommandError, Reply

container("PUBSUB", group="pubsub")

FLAGS = Flag.PUBSUB | Flag.LOADING | Flag.STALE
CHANNEL, SHARD_CHANNEL, PATTERN = range(3)  # enum channel_kind of csrc/net/pubsub.h


def _matching(ctx: Context, names: list[list[bytes]]) -> Reply:
    """The channels of all workers, each once."""
    return list(dict.fromkeys(name for some in names for name in some))


def _channels(ctx: Context, kind: int) -> list[bytes]:
    """Names of one kind, those that match the pattern if there is one. Raises: CommandError."""
    if len(ctx.argv) > 3:
        raise CommandError(
            f"ERR unknown subcommand or wrong number of arguments for '{shown(ctx.argv[1])}'. "
            "Try PUBSUB HELP."
        )
    names = list(ctx.engine.channels(kind))
    if len(ctx.argv) < 3:
        return names
    pattern = ctx.argv[2]
    return [
        name for name in names if lib.core_glob_match(pattern, len(pattern), name, len(name), False)
    ]


@command("PUBSUB CHANNELS", arity=-2, flags=FLAGS, group="pubsub")
@everywhere(_matching)
def pubsub_channels(ctx: Context) -> list[bytes]:
    return _channels(ctx, CHANNEL)


@command("PUBSUB SHARDCHANNELS", arity=-2, flags=FLAGS, group="pubsub")
@everywhere(_matching)
def pubsub_shardchannels(ctx: Context) -> list[bytes]:
    return _channels(ctx, SHARD_CHANNEL)


def _counted(ctx: Context, counts: list[dict[bytes, int]]) -> Reply:
    """Each channel that was asked for, and its subscribers in all workers."""
    total: Counter[bytes] = Counter()
    for some in counts:
        total.update(some)
    return [item for name in ctx.argv[2:] for item in (name, total[name])]


@command("PUBSUB NUMSUB", arity=-2, flags=FLAGS, group="pubsub")
@everywhere(_counted)
def pubsub_numsub(ctx: Context) -> dict[bytes, int]:
    return ctx.engine.channels(CHANNEL)


@command("PUBSUB SHARDNUMSUB", arity=-2, flags=FLAGS, group="pubsub")
@everywhere(_counted)
def pubsub_shardnumsub(ctx: Context) -> dict[bytes, int]:
    return ctx.engine.channels(SHARD_CHANNEL)


def _different(_ctx: Context, patterns: list[list[bytes]]) -> Reply:
    return len({pattern for some in patterns for pattern in some})


@command("PUBSUB NUMPAT", arity=2, flags=FLAGS, group="pubsub")
@everywhere(_different)
def pubsub_numpat(ctx: Context) -> list[bytes]:
    return list(ctx.engine.channels(PATTERN))
