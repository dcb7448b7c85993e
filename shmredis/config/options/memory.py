"""The memory limit, giving memory back, moving data together."""

from shmredis.config.option import Option
from shmredis.config.types import INT64_MAX, Boolean, Integer, Memory, MemoryOrPercent, one_of

__all__ = ["OPTIONS"]

OPTIONS: tuple[Option, ...] = (
    Option("active-defrag-cycle-max", Integer(1, 99), "25", core="active_defrag_cycle_max"),
    Option("active-defrag-cycle-min", Integer(1, 99), "1", core="active_defrag_cycle_min"),
    Option("active-defrag-ignore-bytes", Memory(1), "104857600", core="active_defrag_ignore_bytes"),
    Option(
        "active-defrag-max-scan-fields",
        Integer(1, INT64_MAX),
        "1000",
        core="active_defrag_max_scan_fields",
    ),
    Option(
        "active-defrag-threshold-lower",
        Integer(0, 1000),
        "10",
        core="active_defrag_threshold_lower",
    ),
    Option(
        "active-defrag-threshold-upper",
        Integer(0, 1000),
        "100",
        core="active_defrag_threshold_upper",
    ),
    Option("active-expire-effort", Integer(1, 10), "1", core="active_expire_effort"),
    Option("activedefrag", Boolean(), "no", core="activedefrag"),
    Option("activerehashing", Boolean(), "yes"),
    Option("jemalloc-bg-thread", Boolean(), "yes"),
    Option("key-memory-histograms", Boolean(), "no"),
    Option("lazyfree-lazy-eviction", Boolean(), "no", core="lazyfree_lazy_eviction"),
    Option("lazyfree-lazy-expire", Boolean(), "no", core="lazyfree_lazy_expire"),
    Option("lazyfree-lazy-server-del", Boolean(), "no", core="lazyfree_lazy_server_del"),
    Option("lazyfree-lazy-user-del", Boolean(), "no", core="lazyfree_lazy_user_del"),
    Option("lazyfree-lazy-user-flush", Boolean(), "no", core="lazyfree_lazy_user_flush"),
    Option("lfu-decay-time", Integer(0, 2147483647), "1", core="lfu_decay_time"),
    Option("lfu-log-factor", Integer(0, 2147483647), "10", core="lfu_log_factor"),
    Option("maxmemory", Memory(), "0", core="maxmemory"),
    Option("maxmemory-clients", MemoryOrPercent(), "0", core="maxmemory_clients"),
    Option("maxmemory-eviction-tenacity", Integer(0, 100), "10"),
    Option(
        "maxmemory-policy",
        one_of(
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "volatile-lrm",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "allkeys-lrm",
            "noeviction",
        ),
        "noeviction",
        core="maxmemory_policy",
    ),
    Option("maxmemory-samples", Integer(1, 64), "5", core="maxmemory_samples"),
)
