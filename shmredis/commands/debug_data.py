"""Subcommands of DEBUG that the core executes on the data, over all workers."""

import hashlib
from collections.abc import Awaitable, Sized

from shmredis.commands.arguments import shown, wrong_arguments
from shmredis.commands.context import Context
from shmredis.commands.everywhere import at_owner, everywhere
from shmredis.commands.resp import CommandError, Raw, Reply, Simple, Verbatim

__all__ = [
    "at_key_owner",
    "digest",
    "digest_values",
    "in_core",
    "populate",
    "replicate",
    "tables",
]

DIGEST_DIGITS = 40
KEY_OF_REPLICATE = 3


def in_core(ctx: Context) -> Raw:
    """What the core of this worker says. Raises: CommandError."""
    reply = ctx.engine.debug(ctx.db, ctx.argv, ctx.resp)
    if reply is None:
        raise wrong_arguments(ctx)
    if reply.startswith(b"-"):
        raise CommandError(shown(reply[1:-2]))
    return Raw(reply)


def replicate(ctx: Context) -> Reply | Awaitable[Reply]:
    """REPLICATE <command> ...: in the log of the owner of its first argument."""
    return _replicate_key(ctx) if len(ctx.argv) > KEY_OF_REPLICATE else _replicate(ctx)


def _replicate(ctx: Context) -> Raw:
    reply = in_core(ctx)
    ctx.server.end_turn()
    return reply


def _lines(reply: Raw) -> list[str]:
    """The simple strings of a reply."""
    return [line[1:] for line in reply.data.decode().split("\r\n") if line.startswith("+")]


def _combine(digests: list[str]) -> str:
    """A digest of many things is the exclusive or of theirs."""
    total = 0
    for one in digests:
        total ^= int(one, 16)
    return f"{total:0{DIGEST_DIGITS}x}"


def _keys_digests(ctx: Context) -> list[str]:
    """For each database the digest of the keys that this worker has; zero: none."""
    reply = ctx.engine.debug(ctx.db, [b"DEBUG", b"DIGEST-KEYS"], ctx.resp)
    assert reply is not None
    return _lines(Raw(reply))


def _check_complete(ctx: Context, answers: Sized) -> None:
    """A digest of some of the data says nothing. Raises: CommandError."""
    workers = ctx.server.workers
    if workers and len(answers) < workers.count:
        raise CommandError("ERR a worker does not answer")


def _whole_digest(ctx: Context, workers: list[list[str]]) -> Reply:
    """Database by database: its number is mixed in, then its keys by exclusive or.

    Raises: CommandError.
    """
    _check_complete(ctx, workers)
    whole = 0
    for db, parts in enumerate(zip(*workers, strict=True)):
        keys = int(_combine(list(parts)), 16)
        if keys:
            whole = _sha1(whole ^ _sha1(db, 4)) ^ keys
    return Simple(f"{whole:0{DIGEST_DIGITS}x}")


def _sha1(number: int, size: int = DIGEST_DIGITS // 2) -> int:
    return int.from_bytes(hashlib.sha1(number.to_bytes(size, "big")).digest(), "big")


def _digest_of_each(ctx: Context, replies: list[Raw]) -> Reply:
    """A worker that does not have the key says zero. Raises: CommandError."""
    _check_complete(ctx, replies)
    columns = zip(*map(_lines, replies), strict=True)
    return [Simple(_combine(list(column))) for column in columns]


def _one_after_the_other(_ctx: Context, replies: list[Raw]) -> Reply:
    if len(replies) == 1:
        return replies[0]
    texts = [reply.data.split(b"\r\n", 1)[1].removesuffix(b"\r\n") for reply in replies]
    return Verbatim(b"".join(text.removeprefix(b"txt:") for text in texts))


_replicate_key = at_owner(KEY_OF_REPLICATE)(_replicate)
at_key_owner = at_owner(2)(in_core)
digest = everywhere(_whole_digest)(_keys_digests)
digest_values = everywhere(_digest_of_each)(in_core)
populate = everywhere()(in_core)
tables = everywhere(_one_after_the_other)(in_core)
