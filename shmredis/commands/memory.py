"""MEMORY: figures, advice and defragmentation. MEMORY USAGE is a command of C."""

from shmredis._core import lib
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere, from_figures
from shmredis.commands.figures import DATABASES, MEMORY, SCRIPTS
from shmredis.commands.info_memory import MEASURED, MemoryFigures, human_bytes, measure_memory
from shmredis.commands.info_scripts import ScriptFigures
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import OK, Reply, Verbatim

SMALL = 5 << 20  # below this the ratios say nothing
# Names of enum mem_owner in csrc/mem/heap.h.
# fmt: off
OWNERS = (
    "free", "system", "entry", "table", "string", "list", "hash", "set", "zset", "stream", "json",
    "series", "sketch", "vector", "array",
)
# fmt: on


@command("MEMORY STATS", arity=2, flags=Flag.NONE)
@from_figures(*MEASURED, DATABASES)
def memory_stats(ctx: Context) -> Reply:
    m = measure_memory(ctx)
    keys = sum(db.keys for db in ctx.figures[DATABASES])
    return _owners(m, ctx.figures[SCRIPTS]) | _databases(ctx) | _totals(m, keys) | _allocator(m)


def _owners(m: MemoryFigures, scripts: ScriptFigures) -> dict[str, Reply]:
    return {
        "peak.allocated": m.peak,
        "total.allocated": m.used,
        "startup.allocated": m.startup,
        "replication.backlog": 0,
        "replica.fullsync.buffer": 0,
        "clients.slaves": 0,
        "clients.normal": m.clients,
        "clients.normal.shared": 0,
        "clients.normal.unshared": m.clients,
        "cluster.links": 0,
        "aof.buffer": 0,
        "lua.caches": scripts.cached_memory,
        "functions.caches": scripts.libraries_memory,
        "script.VMs": scripts.interpreter,
        "hash.templates": 0,
    }


def _databases(ctx: Context) -> dict[str, Reply]:
    """Expiry times are in the entries, so there is no table of their own."""
    tables: dict[str, Reply] = {}
    databases = ctx.figures[DATABASES]
    for i, db in enumerate(databases):
        if db.keys:
            table: Reply = {
                "overhead.hashtable.main": db.table_bytes,
                "overhead.hashtable.expires": 0,
            }
            tables[f"db.{i}"] = table
    return tables


def _totals(m: MemoryFigures, keys: int) -> dict[str, Reply]:
    return {
        "overhead.db.hashtable.lut": m.tables,
        "overhead.db.hashtable.rehashing": 0,
        "overhead.total": m.overhead,
        "db.dict.rehashing.count": 0,
        "keys.count": keys,
        "keys.bytes-per-key": max(0, m.used - m.startup) // keys if keys else 0,
        "dataset.bytes": m.dataset,
        "dataset.percentage": m.dataset_percent,
        "peak.percentage": m.peak_percent,
    }


def _allocator(m: MemoryFigures) -> dict[str, Reply]:
    return {
        "allocator.allocated": m.used,
        "allocator.active": m.committed,
        "allocator.resident": m.object,
        "allocator.muzzy": 0,
        "allocator-fragmentation.ratio": m.frag_ratio,
        "allocator-fragmentation.bytes": m.committed - m.used,
        "allocator-rss.ratio": m.resident_ratio,
        "allocator-rss.bytes": m.object - m.committed,
        "rss-overhead.ratio": m.process_ratio,
        "rss-overhead.bytes": m.rss - m.object,
        "fragmentation": m.total_ratio,
        "fragmentation.bytes": m.rss - m.used,
    }


@command("MEMORY PURGE", arity=2, flags=Flag.NONE)
@everywhere()
def memory_purge(ctx: Context) -> Reply:
    lib.engine_purge(ctx.engine.handle)
    return OK


@command("MEMORY MALLOC-STATS", arity=2, flags=Flag.NONE)
@from_figures(MEMORY)
def memory_malloc_stats(ctx: Context) -> Reply:
    """The arena's live bytes by what they are for."""
    memory = ctx.figures[MEMORY]
    lines = [
        f"arena: {memory.used} used, {memory.committed} committed, {memory.object} backed, "
        f"{memory.arena_max} at most, {memory.blocks} blocks"
    ]
    for owner, size in zip(OWNERS, memory.by_owner, strict=False):
        if size:
            lines.append(f"{owner}: {size}")
    return Verbatim("".join(line + "\n" for line in lines).encode())


@command("MEMORY DOCTOR", arity=2, flags=Flag.NONE)
@from_figures(*MEASURED)
def memory_doctor(ctx: Context) -> Reply:
    return Verbatim(f"{diagnose(measure_memory(ctx))}\n".encode())


def diagnose(m: MemoryFigures) -> str:
    """What may be wrong with the use of memory, in plain words."""
    if m.used < SMALL:
        return "Too little memory is in use to judge."
    findings = []
    if m.peak > m.used * 1.5:
        peak = human_bytes(m.peak)
        findings.append(
            f"Peak: {peak} were in use at the peak, much more than now; pages that are only "
            "partly used may remain. MEMORY PURGE gives them back."
        )
    if m.frag_ratio > 1.4:
        findings.append(
            f"Fragmentation: pages hold {m.frag_ratio:.2f} times the bytes in use. Turn "
            "activedefrag on, or run MEMORY PURGE."
        )
    if m.clients > m.used // 2:
        size = human_bytes(m.clients)
        findings.append(
            f"Clients: connections take {size}. Look for slow readers in CLIENT LIST and at "
            "client-output-buffer-limit."
        )
    return "\n".join(findings) or "No problem with memory was found."
