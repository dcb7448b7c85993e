"""INFO: which sections are asked for, and their layout."""

from collections.abc import Awaitable, Callable

from shmredis.commands.arguments import shown
from shmredis.commands.context import Context
from shmredis.commands.everywhere import from_figures
from shmredis.commands.figures import (
    AOF,
    BACKUPS,
    HOTKEYS,
    KEY_SIZES,
    LOADS,
    SCRIPTS,
    SNAPSHOTS,
    STATS,
    WORKERS,
)
from shmredis.commands.hotkey_figures import hotkeys_fields
from shmredis.commands.info_memory import MEASURED, memory_section
from shmredis.commands.info_server import (
    clients_section,
    cluster_section,
    cpu_section,
    persistence_section,
    replication_section,
    server_section,
    threads_section,
)
from shmredis.commands.info_stats import (
    COUNTED,
    commandstats_section,
    errorstats_section,
    keyspace_section,
    latencystats_section,
    stats_section,
)
from shmredis.commands.info_workers import workers_section
from shmredis.commands.key_sizes import key_sizes_fields
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import Reply, Verbatim

Fields = list[tuple[str, object]]


def modules_section(ctx: Context) -> Fields:
    """The modules of Python; what Redis says beyond name and version they do not have."""
    nothing = "api=1,filters=0,usedby=[],using=[],options=[]"
    modules = [loaded.module for loaded in ctx.server.modules.listed]
    return [("module", f"name={m.name},ver={m.version},{nothing}") for m in modules]


def hotkeys_section(ctx: Context) -> Fields:
    return hotkeys_fields(ctx.figures[HOTKEYS])


def key_sizes_section(ctx: Context) -> Fields:
    return key_sizes_fields(ctx.figures[KEY_SIZES])


def debug_section(ctx: Context) -> Fields:
    """Times in microseconds. Scripts are in an interpreter whose allocator tells what is in use alone."""
    stats, lua = ctx.figures[STATS], ctx.figures[SCRIPTS].interpreter
    return [
        ("eventloop_duration_aof_sum", stats.log_ns // 1000),
        ("eventloop_duration_cron_sum", stats.cron_ns // 1000),
        ("eventloop_duration_max", stats.loop_max_ns // 1000),
        ("eventloop_cmd_per_cycle_max", stats.loop_max_commands),
        ("allocator_allocated_lua", lua),
        ("allocator_active_lua", lua),
        ("allocator_resident_lua", 0),
        ("allocator_frag_bytes_lua", 0),
    ]


# In the order in which INFO shows them.
SECTIONS: dict[str, Callable[[Context], Fields]] = {
    "Server": server_section,
    "Clients": clients_section,
    "Memory": memory_section,
    "Persistence": persistence_section,
    "Threads": threads_section,
    "Stats": stats_section,
    "Replication": replication_section,
    "CPU": cpu_section,
    "Hotkeys": hotkeys_section,
    "Workers": workers_section,
    "Modules": modules_section,
    "Commandstats": commandstats_section,
    "Errorstats": errorstats_section,
    "Latencystats": latencystats_section,
    "Cluster": cluster_section,
    "Keyspace": keyspace_section,
    "Keysizes": key_sizes_section,
    "Debug": debug_section,
}
BY_NAME_ONLY = {"Debug"}
NOT_BY_DEFAULT = {"Commandstats", "Latencystats"}
ONLY_OF_SEVERAL = {"Workers"}
LOOKED_AT = (*MEASURED, *COUNTED, WORKERS, SNAPSHOTS, AOF, LOADS, HOTKEYS, BACKUPS)


def chosen_sections(names: list[str]) -> list[str]:
    """The sections that the arguments of INFO ask for."""
    wanted = {name.lower() for name in names} or {"default"}
    if wanted & {"all", "everything"}:
        return [name for name in SECTIONS if name not in BY_NAME_ONLY or name.lower() in wanted]
    return [
        name
        for name in SECTIONS
        if name.lower() in wanted
        or ("default" in wanted and name not in NOT_BY_DEFAULT | BY_NAME_ONLY)
    ]


def info_text(ctx: Context, names: list[str]) -> bytes:
    """The sections as INFO lays them out, a blank line between two."""
    parts = []
    alone = ctx.server.workers is None
    for name in chosen_sections(names):
        if alone and name in ONLY_OF_SEVERAL:
            continue
        lines = [f"# {name}", *(f"{key}:{value}" for key, value in SECTIONS[name](ctx))]
        parts.append("".join(line + "\r\n" for line in lines))
    return "\r\n".join(parts).encode("utf-8", "surrogateescape")


def _asked(ctx: Context) -> list[str]:
    return [shown(arg) for arg in ctx.argv[1:]]


def _told(ctx: Context) -> Reply:
    return Verbatim(info_text(ctx, _asked(ctx)))


_without_keys = from_figures(*LOOKED_AT)(_told)
_with_keys = from_figures(*LOOKED_AT, KEY_SIZES)(_told)


@command("INFO", arity=-1, flags=Flag.LOADING | Flag.STALE | Flag.DANGEROUS)
def info(ctx: Context) -> Reply | Awaitable[Reply]:
    """Keys are looked at only if their sizes are asked for: others' INFO comes often."""
    tell = _with_keys if "Keysizes" in chosen_sections(_asked(ctx)) else _without_keys
    return tell(ctx)
