"""Subcommands of DEBUG that show what the server keeps of scripts and of its clients' memory."""

from collections import Counter
from collections.abc import Iterable

from shmredis._core import lib
from shmredis.commands.arguments import shown, word, wrong_arguments
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.resp import OK, CommandError, Reply, Verbatim
from shmredis.commands.settings import setting
from shmredis.engine import session_info
from shmredis.scripting.cache import Script

__all__ = ["client_eviction", "script"]

SHA_LENGTH = 40
NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL."
NO_LIMIT = "ERR maxmemory-clients is disabled."
SMALLEST, LARGEST = 15, 32  # binary logarithms: where the first bucket ends, and the last begins


def script(ctx: Context) -> Reply:
    """SCRIPT <LIST|<sha>>: texts in the log."""
    cache, sha = ctx.server.scripting.cache, ctx.argv[2]
    if word(sha) == "LIST":
        cache.learn()
        for each in cache.by_text.values():
            _log(ctx, each.sha, each)
        return OK
    if len(sha) != SHA_LENGTH:
        raise wrong_arguments(ctx)
    found = cache.find(sha)
    if found is None:
        raise CommandError(NO_SCRIPT)
    _log(ctx, sha, found)
    return OK


def _log(ctx: Context, sha: bytes, found: Script) -> None:
    ctx.server.log("warning", f"SCRIPT SHA: {shown(sha)}\n{shown(found.text)}")


def _sizes(ctx: Context) -> list[int]:
    """Memory of each client that might be evicted."""
    if setting(ctx, "maxmemory-clients") == "0":
        raise CommandError(NO_LIMIT)
    found = (session_info(client.session) for client in ctx.server.clients.values())
    return [int(info.memory) for info in found if not info.flags & lib.SESSION_NO_EVICT]


def _bucket(size: int) -> int:
    return min(max(size.bit_length(), SMALLEST), LARGEST + 1)


def _range(bucket: int) -> str:
    """From the first size of a bucket to its last."""
    if bucket > LARGEST:
        return f"{1 << LARGEST:10}+            "
    first = 1 << (bucket - 1) if bucket > SMALLEST else 0
    return f"{first:10} - {(1 << bucket) - 1:10}"


def _table(_ctx: Context, workers: Iterable[list[int]]) -> Reply:
    clients: Counter[int] = Counter()
    memory: Counter[int] = Counter()
    for size in (size for sizes in workers for size in sizes):
        clients[_bucket(size)] += 1
        memory[_bucket(size)] += size
    lines = (
        f"bucket {_range(b)}: tot-mem: {memory[b]:10}, clients: {clients[b]}\n"
        for b in range(SMALLEST, LARGEST + 2)
    )
    return Verbatim("".join(lines).encode())


# CLIENT-EVICTION: how many clients there are of each size, as maxmemory-clients looks at them.
client_eviction = everywhere(_table)(_sizes)
