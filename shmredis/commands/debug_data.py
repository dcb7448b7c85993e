"""Subcommands of DEBUG that the core executes on the data, over all workers."""

import hashlib

from shmredis.commands.arguments import shown, wrong_arguments
from shmredis.commands.context import Context
from shmredis.commands.everywhere import at_owner, everywhere
from shmredis.commands.resp import CommandError, Raw, Reply, Simple, Verbatim

__all__ = ["at_key_owner", "digest", "digest_values", "populate", "tables"]

DIGEST_DIGITS = 40


def in_core(ctx: Context) -> Raw:
    """What the core of this worker says. Raises: CommandError."""
    reply = ctx.engine.debug(ctx.db, ctx.argv, ctx.resp)
    if reply is None:
        raise wrong_arguments(ctx)
    if reply.startswith(b"-"):
        raise CommandError(shown(reply[1:-2]))
    return Raw(reply)


def _lines(reply: Raw) -> list[str]:
    """The simple strings of a reply."""
    return [line[1:] for line in reply.data.decode().split("\r\n") if line.startswith("+")]


def _combine(digests: list[str]) -> str:
    """A digest of many things is the exclusive or of theirs."""
    total = 0
    for one in digests:
        total ^= int(one, 16)
    return f"{total:0{DIGEST_DIGITS}x}"


def _whole_digest(ctx: Context) -> tuple[str, set[int]]:
    """The digest of all data of this worker, and the databases that have some."""
    used = {i for i in range(ctx.engine.databases) if ctx.engine.database(i).keys}
    return _lines(in_core(ctx))[0], used


def _one_digest(_ctx: Context, parts: list[tuple[str, set[int]]]) -> Reply:
    """A worker's digest is that of the database's number, and of its keys by exclusive or.

    With several databases in use it is not that of a single server, but still equal for equal data.
    """
    digests = [digest for digest, used in parts if used]
    used = set().union(*(used for _, used in parts))
    if len(used) == 1 and len(digests) % 2 == 0:
        digests.append(_database_digest(used.pop()))
    return Simple(_combine(digests))


def _database_digest(db: int) -> str:
    return hashlib.sha1(hashlib.sha1(db.to_bytes(4, "big")).digest()).hexdigest()


def _digest_of_each(_ctx: Context, replies: list[Raw]) -> Reply:
    """A worker that does not have the key says zero."""
    columns = zip(*map(_lines, replies), strict=True)
    return [Simple(_combine(list(column))) for column in columns]


def _one_after_the_other(_ctx: Context, replies: list[Raw]) -> Reply:
    if len(replies) == 1:
        return replies[0]
    texts = [reply.data.split(b"\r\n", 1)[1].removesuffix(b"\r\n") for reply in replies]
    return Verbatim(b"".join(text.removeprefix(b"txt:") for text in texts))


at_key_owner = at_owner(2)(in_core)
digest = everywhere(_one_digest)(_whole_digest)
digest_values = everywhere(_digest_of_each)(in_core)
populate = everywhere()(in_core)
tables = everywhere(_one_after_the_other)(in_core)
