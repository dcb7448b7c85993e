"""Figures about memory, for INFO and MEMORY.

`used` is what the arena's live blocks take, `committed` the pages that hold them and `object` what
the kernel backs: they stand for allocated, active and resident of Redis's allocator.
"""

import os
from dataclasses import dataclass

from shmredis.commands.context import Context
from shmredis.commands.figures import CLIENTS, MEMORY, PROCESS, SCRIPTS, STATS
from shmredis.commands.settings import setting

__all__ = ["MEASURED", "MemoryFigures", "human_bytes", "measure_memory", "memory_section"]

Fields = list[tuple[str, object]]
MEASURED = (MEMORY, CLIENTS, PROCESS, SCRIPTS)  # what `measure_memory` looks at
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True, frozen=True)
class MemoryFigures:
    """Bytes, unless the name says otherwise."""

    used: int
    peak: int
    startup: int
    overhead: int
    tables: int
    clients: int
    committed: int
    object: int
    rss: int

    @property
    def dataset(self) -> int:
        return max(0, self.used - self.overhead)

    @property
    def dataset_percent(self) -> float:
        net = self.used - self.startup
        return min(100.0, 100.0 * self.dataset / net) if net > 0 else 0.0

    @property
    def peak_percent(self) -> float:
        return 100.0 * self.used / self.peak if self.peak else 100.0

    @property
    def frag_ratio(self) -> float:
        return _ratio(self.committed, self.used)

    @property
    def resident_ratio(self) -> float:
        return _ratio(self.object, self.committed)

    @property
    def process_ratio(self) -> float:
        return _ratio(self.rss, self.object)

    @property
    def total_ratio(self) -> float:
        return _ratio(self.rss, self.used)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def measure_memory(ctx: Context) -> MemoryFigures:
    """Of all workers together, now."""
    memory = ctx.figures[MEMORY]
    return MemoryFigures(
        used=memory.used,
        peak=max(memory.peak, memory.used),
        startup=memory.startup,
        overhead=min(memory.used, memory.startup + memory.tables),
        tables=memory.tables,
        clients=ctx.figures[CLIENTS].memory,
        committed=memory.committed,
        object=memory.object,
        rss=ctx.figures[PROCESS].rss,
    )


def human_bytes(n: int) -> str:
    """A size as INFO shows it: 1.17M."""
    if n < 1024:
        return f"{n}B"
    value = float(n)
    for unit in "KMGTP":
        value /= 1024
        if value < 1024:
            return f"{value:.2f}{unit}"
    return f"{n}B"


def memory_section(ctx: Context) -> Fields:
    figures = measure_memory(ctx)
    return [*_used(ctx, figures), *_limits(ctx), *_ratios(figures), *_parts(ctx, figures)]


def _used(ctx: Context, m: MemoryFigures) -> Fields:
    return [
        ("used_memory", m.used),
        ("used_memory_human", human_bytes(m.used)),
        ("used_memory_rss", m.rss),
        ("used_memory_rss_human", human_bytes(m.rss)),
        ("used_memory_peak", m.peak),
        ("used_memory_peak_human", human_bytes(m.peak)),
        ("used_memory_peak_time", int(ctx.server.facts.peak_time_s)),
        ("used_memory_peak_perc", f"{m.peak_percent:.2f}%"),
        ("used_memory_overhead", m.overhead),
        ("used_memory_startup", m.startup),
        ("used_memory_dataset", m.dataset),
        ("used_memory_dataset_perc", f"{m.dataset_percent:.2f}%"),
        ("allocator_allocated", m.used),
        ("allocator_active", m.committed),
        ("allocator_resident", m.object),
        ("allocator_muzzy", 0),
    ]


def _limits(ctx: Context) -> Fields:
    total = os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES
    maxmemory = ctx.engine.option("maxmemory")
    scripts = ctx.figures[SCRIPTS]
    vm, caches = scripts.interpreter, scripts.cached_memory + scripts.libraries_memory
    return [
        ("total_system_memory", total),
        ("total_system_memory_human", human_bytes(total)),
        ("used_memory_lua", vm),
        ("used_memory_vm_eval", vm),  # one interpreter has scripts and functions
        ("used_memory_lua_human", human_bytes(vm)),
        ("used_memory_scripts_eval", scripts.cached_memory),
        ("number_of_cached_scripts", scripts.cached),
        ("number_of_functions", scripts.functions),
        ("number_of_libraries", scripts.libraries),
        ("used_memory_vm_functions", 0),
        ("used_memory_vm_total", vm),
        ("used_memory_vm_total_human", human_bytes(vm)),
        ("used_memory_functions", scripts.libraries_memory),
        ("used_memory_hash_templates", 0),
        ("used_memory_scripts", caches),
        ("used_memory_scripts_human", human_bytes(caches)),
        ("maxmemory", maxmemory),
        ("maxmemory_human", human_bytes(maxmemory)),
        ("maxmemory_policy", setting(ctx, "maxmemory-policy")),
    ]


def _ratios(m: MemoryFigures) -> Fields:
    return [
        ("allocator_frag_ratio", f"{m.frag_ratio:.2f}"),
        ("allocator_frag_bytes", m.committed - m.used),
        ("allocator_rss_ratio", f"{m.resident_ratio:.2f}"),
        ("allocator_rss_bytes", m.object - m.committed),
        ("rss_overhead_ratio", f"{m.process_ratio:.2f}"),
        ("rss_overhead_bytes", m.rss - m.object),
        ("mem_fragmentation_ratio", f"{m.total_ratio:.2f}"),
        ("mem_fragmentation_bytes", m.rss - m.used),
    ]


def _parts(ctx: Context, m: MemoryFigures) -> Fields:
    stats = ctx.figures[STATS]
    return [
        ("mem_not_counted_for_evict", 0),
        ("mem_replication_backlog", 0),
        ("mem_total_replication_buffers", 0),
        ("mem_replica_full_sync_buffer", 0),
        ("mem_clients_slaves", 0),
        ("mem_clients_normal", m.clients),
        ("mem_clients_normal_shared", 0),
        ("mem_clients_normal_unshared", m.clients),
        ("mem_cluster_slot_migration_output_buffer", 0),
        ("mem_cluster_slot_migration_input_buffer", 0),
        ("mem_cluster_slot_migration_input_buffer_peak", 0),
        ("mem_cluster_links", 0),
        ("mem_aof_buffer", 0),
        ("mem_allocator", "shmredis-arena"),
        ("mem_overhead_db_hashtable_rehashing", 0),
        ("active_defrag_running", stats.defrag_running),
        ("lazyfree_pending_objects", stats.lazyfree_pending),
        ("lazyfreed_objects", stats.lazyfreed_objects),
    ]
