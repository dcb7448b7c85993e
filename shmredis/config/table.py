"""Every directive: its name, type and default. CONFIG, the parser and the engine all read this table."""

from dataclasses import dataclass

from shmredis.config.types import (
    INT64_MAX,
    Boolean,
    Cores,
    Decimal,
    Enumeration,
    EventClasses,
    Flags,
    Integer,
    Memory,
    MemoryOrPercent,
    Octal,
    OomScores,
    OutputLimits,
    Percentiles,
    SavePoints,
    ShutdownFlags,
    Text,
    ValueType,
    Words,
)

__all__ = ["ALIASES", "MAXMEMORY_POLICIES", "OPTIONS", "Option"]


@dataclass(slots=True, frozen=True)
class Option:
    """One directive.

    `core` names the field of struct engine_config that follows it.
    `protected`: CONFIG SET refuses it unless enable-protected-configs allows.
    `hidden`: CONFIG GET shows it only when it is asked for by its whole name.
    """

    name: str
    type: ValueType
    default: str
    core: str = ""
    mutable: bool = True
    protected: bool = False
    hidden: bool = False


# What Redis does not have.
OWN_OPTIONS = (
    Option("workers", Cores(64), "1", mutable=False),
    Option("arena-max", Memory(64 << 20, 32 << 30), str(32 << 30), mutable=False),
    Option("shm-name", Text(), "", mutable=False),
    Option("warm-restart", Boolean(), "yes"),
    Option("discard-shm", Boolean(), "no", mutable=False),
)

# Directives of Redis, by name.
REDIS_OPTIONS = (
    Option(
        "acl-pubsub-default",
        Enumeration(
            (
                "allchannels",
                "resetchannels",
            )
        ),
        "resetchannels",
    ),
    Option("aclfile", Text(), "", mutable=False),
    Option("acllog-max-len", Integer(0, INT64_MAX), "128"),
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
    Option("always-show-logo", Boolean(), "no", mutable=False),
    Option("aof-disable-auto-gc", Boolean(), "no", hidden=True),
    Option("aof-load-corrupt-tail-max-size", Integer(0, INT64_MAX), "0"),
    Option("aof-load-truncated", Boolean(), "yes"),
    Option("aof-rewrite-cpulist", Text(), "", mutable=False),
    Option("aof-rewrite-incremental-fsync", Boolean(), "yes"),
    Option("aof-timestamp-enabled", Boolean(), "no", core="aof_timestamp_enabled"),
    Option("aof-use-rdb-preamble", Boolean(), "yes"),
    Option("appenddirname", Text(), "appendonlydir", mutable=False, protected=True),
    Option("appendfilename", Text(), "appendonly.aof", mutable=False, protected=True),
    Option(
        "appendfsync",
        Enumeration(
            (
                "everysec",
                "always",
                "no",
            )
        ),
        "everysec",
        core="appendfsync",
    ),
    Option("appendonly", Boolean(), "no"),
    Option("array-slice-size", Integer(256, 65536), "4096"),
    Option("array-sparse-kmax", Integer(0, 256), "10"),
    Option("array-sparse-kmin", Integer(0, 256), "5"),
    Option("auto-aof-rewrite-min-size", Memory(), "67108864"),
    Option("auto-aof-rewrite-percentage", Integer(0, 2147483647), "100"),
    Option("backup-sealed-ttl", Integer(0, INT64_MAX), "0"),
    Option("backupdirname", Text(), "backupdir", mutable=False),
    Option("bf-error-rate", Decimal(0, 1), "0.01"),
    Option("bf-expansion-factor", Integer(0, 32768), "2"),
    Option("bf-initial-size", Integer(1, 1073741824), "100"),
    Option("bgsave-cpulist", Text(), "", mutable=False),
    Option("bind", Words(), "* -::*"),
    Option("bind-source-addr", Text(), ""),
    Option("bio-cpulist", Text(), "", mutable=False),
    Option("busy-reply-threshold", Integer(0, INT64_MAX), "5000"),
    Option("cf-bucket-size", Integer(1, 255), "2"),
    Option("cf-expansion-factor", Integer(0, 32768), "1"),
    Option("cf-initial-size", Integer(4, 1073741824), "1024"),
    Option("cf-max-expansions", Integer(1, 65536), "32"),
    Option("cf-max-iterations", Integer(1, 65535), "20"),
    Option(
        "client-output-buffer-limit",
        OutputLimits(),
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    ),
    Option(
        "client-query-buffer-limit",
        Memory(1048576),
        "1073741824",
        core="client_query_buffer_limit",
    ),
    Option("cluster-allow-pubsubshard-when-down", Boolean(), "yes"),
    Option("cluster-allow-reads-when-down", Boolean(), "no"),
    Option("cluster-allow-replica-migration", Boolean(), "yes"),
    Option("cluster-announce-bus-port", Integer(0, 65535), "0"),
    Option("cluster-announce-hostname", Text(), ""),
    Option("cluster-announce-human-nodename", Text(), ""),
    Option("cluster-announce-ip", Text(), ""),
    Option("cluster-announce-port", Integer(0, 65535), "0"),
    Option("cluster-announce-tls-port", Integer(0, 65535), "0"),
    Option("cluster-bus-port-protected-mode", Boolean(), "no"),
    Option("cluster-compatibility-sample-ratio", Integer(0, 100), "0"),
    Option("cluster-config-file", Text(), "nodes.conf", mutable=False),
    Option("cluster-enabled", Boolean(), "no", mutable=False),
    Option("cluster-link-sendbuf-limit", Memory(), "0"),
    Option("cluster-migration-barrier", Integer(0, 2147483647), "1"),
    Option("cluster-node-timeout", Integer(0, INT64_MAX), "15000"),
    Option("cluster-port", Integer(0, 65535), "0", mutable=False),
    Option(
        "cluster-preferred-endpoint-type",
        Enumeration(
            (
                "ip",
                "hostname",
                "unknown-endpoint",
            )
        ),
        "ip",
    ),
    Option("cluster-replica-no-failover", Boolean(), "no"),
    Option("cluster-replica-validity-factor", Integer(0, 2147483647), "10"),
    Option("cluster-require-full-coverage", Boolean(), "yes"),
    Option("cluster-slot-migration-handoff-max-lag-bytes", Memory(), "1048576"),
    Option("cluster-slot-migration-write-pause-timeout", Integer(0, INT64_MAX), "10000"),
    Option("cluster-slot-stats-enabled", Flags(("no", "yes", "cpu", "net", "mem")), "no"),
    Option("crash-log-enabled", Boolean(), "yes"),
    Option("crash-memcheck-enabled", Boolean(), "yes"),
    Option("daemonize", Boolean(), "no", mutable=False),
    Option("databases", Integer(1, 2147483647), "16", mutable=False),
    Option("dbfilename", Text(), "dump.rdb", protected=True),
    Option("dir", Text(), "", protected=True),
    Option("disable-thp", Boolean(), "yes", mutable=False),
    Option("dynamic-hz", Boolean(), "yes"),
    Option(
        "enable-debug-command",
        Enumeration(
            (
                "no",
                "yes",
                "local",
            )
        ),
        "no",
        mutable=False,
    ),
    Option(
        "enable-module-command",
        Enumeration(
            (
                "no",
                "yes",
                "local",
            )
        ),
        "no",
        mutable=False,
    ),
    Option(
        "enable-protected-configs",
        Enumeration(
            (
                "no",
                "yes",
                "local",
            )
        ),
        "no",
        mutable=False,
    ),
    Option(
        "hash-max-listpack-entries", Integer(0, INT64_MAX), "512", core="hash_max_listpack_entries"
    ),
    Option("hash-max-listpack-value", Memory(), "64", core="hash_max_listpack_value"),
    Option("hash-max-template-entries", Integer(0, INT64_MAX), "0"),
    Option("hash-min-template-entries", Integer(0, INT64_MAX), "0"),
    Option("hash-rdb-load-max-template-entries", Integer(0, INT64_MAX), "0"),
    Option("hash-rdb-load-min-template-entries", Integer(0, INT64_MAX), "0"),
    Option("hash-rdb-load-template-disassembly-threshold", Integer(0, INT64_MAX), "0"),
    Option("hide-user-data-from-log", Boolean(), "no"),
    Option("hll-sparse-max-bytes", Memory(), "3000", core="hll_sparse_max_bytes"),
    Option("hz", Integer(0, 2147483647), "10", core="hz"),
    Option("ignore-warnings", Text(), ""),
    Option("io-threads", Integer(1, 128), "1", mutable=False),
    Option("jemalloc-bg-thread", Boolean(), "yes"),
    Option("key-memory-histograms", Boolean(), "no"),
    Option(
        "latency-monitor-threshold", Integer(0, INT64_MAX), "0", core="latency_monitor_threshold"
    ),
    Option("latency-tracking", Boolean(), "yes", core="latency_tracking"),
    Option("latency-tracking-info-percentiles", Percentiles(), "50 99 99.9"),
    Option("lazyfree-lazy-eviction", Boolean(), "no", core="lazyfree_lazy_eviction"),
    Option("lazyfree-lazy-expire", Boolean(), "no", core="lazyfree_lazy_expire"),
    Option("lazyfree-lazy-server-del", Boolean(), "no", core="lazyfree_lazy_server_del"),
    Option("lazyfree-lazy-user-del", Boolean(), "no", core="lazyfree_lazy_user_del"),
    Option("lazyfree-lazy-user-flush", Boolean(), "no", core="lazyfree_lazy_user_flush"),
    Option("lfu-decay-time", Integer(0, 2147483647), "1", core="lfu_decay_time"),
    Option("lfu-log-factor", Integer(0, 2147483647), "10", core="lfu_log_factor"),
    Option("list-compress-depth", Integer(0, 2147483647), "0", core="list_compress_depth"),
    Option(
        "list-max-listpack-size",
        Integer(-2147483648, 2147483647),
        "-2",
        core="list_max_listpack_size",
    ),
    Option("locale-collate", Text(), ""),
    Option("logfile", Text(), "", mutable=False),
    Option(
        "loglevel",
        Enumeration(
            (
                "debug",
                "verbose",
                "notice",
                "warning",
                "nothing",
            )
        ),
        "notice",
    ),
    Option("lookahead", Integer(1, 2147483647), "16"),
    Option("masterauth", Text(), ""),
    Option("masteruser", Text(), ""),
    Option("max-new-connections-per-cycle", Integer(1, 1000), "10"),
    Option("max-new-tls-connections-per-cycle", Integer(1, 1000), "1"),
    Option("maxclients", Integer(1, 4294967295), "10000"),
    Option("maxmemory", Memory(), "0", core="maxmemory"),
    Option("maxmemory-clients", MemoryOrPercent(), "0"),
    Option("maxmemory-eviction-tenacity", Integer(0, 100), "10"),
    Option(
        "maxmemory-policy",
        Enumeration(
            (
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
            )
        ),
        "noeviction",
        core="maxmemory_policy",
    ),
    Option("maxmemory-samples", Integer(1, 64), "5", core="maxmemory_samples"),
    Option("min-replicas-max-lag", Integer(0, 2147483647), "10"),
    Option("min-replicas-to-write", Integer(0, 2147483647), "0"),
    Option("no-appendfsync-on-rewrite", Boolean(), "no"),
    Option("notify-keyspace-events", EventClasses(), "", core="notify_events"),
    Option(
        "oom-score-adj",
        Enumeration(
            (
                "no",
                "yes",
                "relative",
                "absolute",
            )
        ),
        "no",
    ),
    Option("oom-score-adj-values", OomScores(), "0 200 800"),
    Option("pidfile", Text(), "", mutable=False),
    Option("port", Integer(0, 65535), "6379"),
    Option("prefetch-batch-max-size", Integer(0, 128), "16", hidden=True),
    Option("preload-file", Text(), "", mutable=False),
    Option("proc-title-template", Text(), "{title} {listen-addr} {server-mode}"),
    Option(
        "propagation-error-behavior",
        Enumeration(
            (
                "ignore",
                "panic",
                "panic-on-replicas",
            )
        ),
        "ignore",
    ),
    Option("protected-mode", Boolean(), "yes"),
    Option("proto-max-bulk-len", Memory(1048576), "536870912", core="proto_max_bulk_len"),
    Option("rdb-del-sync-files", Boolean(), "no"),
    Option("rdb-key-save-delay", Integer(-(1 << 31), (1 << 31) - 1), "0", hidden=True),
    Option("key-load-delay", Integer(-(1 << 31), (1 << 31) - 1), "0", hidden=True),
    Option(
        "loading-process-events-interval-bytes",
        Integer(1024, INT64_MAX),
        str(2 << 20),
        hidden=True,
    ),
    Option("rdb-save-incremental-fsync", Boolean(), "yes"),
    Option("rdbchecksum", Boolean(), "yes", mutable=False),
    Option("rdbcompression", Boolean(), "yes", core="rdbcompression"),
    Option("repl-backlog-size", Memory(1), "1048576"),
    Option("repl-backlog-ttl", Integer(0, INT64_MAX), "3600"),
    Option("repl-disable-tcp-nodelay", Boolean(), "no"),
    Option(
        "repl-diskless-load",
        Enumeration(
            (
                "disabled",
                "on-empty-db",
                "swapdb",
                "flushdb",
            )
        ),
        "disabled",
    ),
    Option("repl-diskless-sync", Boolean(), "yes"),
    Option("repl-diskless-sync-delay", Integer(0, 2147483647), "5"),
    Option("repl-diskless-sync-max-replicas", Integer(0, 2147483647), "0"),
    Option("repl-ping-replica-period", Integer(1, 2147483647), "10"),
    Option("repl-timeout", Integer(1, 2147483647), "60"),
    Option("replica-announce-ip", Text(), ""),
    Option("replica-announce-port", Integer(0, 65535), "0"),
    Option("replica-announced", Boolean(), "yes"),
    Option("replica-full-sync-buffer-limit", Memory(), "0"),
    Option("replica-ignore-disk-write-errors", Boolean(), "no"),
    Option("replica-ignore-maxmemory", Boolean(), "yes"),
    Option("replica-lazy-flush", Boolean(), "no"),
    Option("replica-priority", Integer(0, 2147483647), "100"),
    Option("replica-read-only", Boolean(), "yes"),
    Option("replica-serve-stale-data", Boolean(), "yes"),
    Option("replicaof", Words(), "", mutable=False),
    Option("requirepass", Text(), ""),
    Option(
        "sanitize-dump-payload",
        Enumeration(
            (
                "no",
                "yes",
                "clients",
            )
        ),
        "no",
        core="sanitize_dump_payload",
    ),
    Option("save", SavePoints(), "3600 1 300 100 60 10000"),
    Option("server-cpulist", Text(), "", mutable=False),
    Option("set-max-intset-entries", Integer(0, INT64_MAX), "512", core="set_max_intset_entries"),
    Option(
        "set-max-listpack-entries", Integer(0, INT64_MAX), "128", core="set_max_listpack_entries"
    ),
    Option("set-max-listpack-value", Integer(0, INT64_MAX), "64", core="set_max_listpack_value"),
    Option("set-proc-title", Boolean(), "yes", mutable=False),
    Option("shutdown-on-sigint", ShutdownFlags(), "default"),
    Option("shutdown-on-sigterm", ShutdownFlags(), "default"),
    Option("shutdown-timeout", Integer(0, 2147483647), "10"),
    Option("slowlog-entry-max-argc", Integer(2, 2147483647), "32", core="slowlog_entry_max_argc"),
    Option(
        "slowlog-entry-max-string-len",
        Integer(1, INT64_MAX),
        "128",
        core="slowlog_entry_max_string_len",
    ),
    Option(
        "slowlog-log-slower-than", Integer(-1, INT64_MAX), "10000", core="slowlog_log_slower_than"
    ),
    Option("slowlog-max-len", Integer(0, INT64_MAX), "128", core="slowlog_max_len"),
    Option("socket-mark-id", Integer(0, 4294967295), "0", mutable=False),
    Option("stop-writes-on-bgsave-error", Boolean(), "yes"),
    Option("stream-idmp-duration", Integer(1, 86400), "100", core="stream_idmp_duration"),
    Option("stream-idmp-maxsize", Integer(1, 10000), "100", core="stream_idmp_maxsize"),
    Option("stream-node-max-bytes", Memory(), "4096", core="stream_node_max_bytes"),
    Option("stream-node-max-entries", Integer(0, INT64_MAX), "100", core="stream_node_max_entries"),
    Option(
        "supervised",
        Enumeration(
            (
                "upstart",
                "systemd",
                "auto",
                "no",
            )
        ),
        "no",
        mutable=False,
    ),
    Option("syslog-enabled", Boolean(), "no", mutable=False),
    Option(
        "syslog-facility",
        Enumeration(
            (
                "user",
                "local0",
                "local1",
                "local2",
                "local3",
                "local4",
                "local5",
                "local6",
                "local7",
            )
        ),
        "local0",
        mutable=False,
    ),
    Option("syslog-ident", Text(), "redis", mutable=False),
    Option("tcp-backlog", Integer(0, 2147483647), "511", mutable=False),
    Option("tcp-keepalive", Integer(0, 2147483647), "300"),
    Option("timeout", Integer(0, 2147483647), "0"),
    Option(
        "tls-auth-clients",
        Enumeration(
            (
                "no",
                "yes",
                "optional",
            )
        ),
        "yes",
    ),
    Option(
        "tls-auth-clients-user",
        Enumeration(
            (
                "CN",
                "off",
            )
        ),
        "off",
    ),
    Option("tls-ca-cert-dir", Text(), ""),
    Option("tls-ca-cert-file", Text(), ""),
    Option("tls-cert-file", Text(), ""),
    Option("tls-ciphers", Text(), ""),
    Option("tls-ciphersuites", Text(), ""),
    Option("tls-client-cert-file", Text(), ""),
    Option("tls-client-key-file", Text(), ""),
    Option("tls-client-key-file-pass", Text(), ""),
    Option("tls-cluster", Boolean(), "no"),
    Option("tls-dh-params-file", Text(), ""),
    Option("tls-expected-peer-name", Text(), ""),
    Option("tls-key-file", Text(), ""),
    Option("tls-key-file-pass", Text(), ""),
    Option("tls-port", Integer(0, 65535), "0"),
    Option("tls-prefer-server-ciphers", Boolean(), "no"),
    Option("tls-protocols", Text(), ""),
    Option("tls-replication", Boolean(), "no"),
    Option("tls-session-cache-size", Integer(0, 2147483647), "20480"),
    Option("tls-session-cache-timeout", Integer(0, 2147483647), "300"),
    Option("tls-session-caching", Boolean(), "yes"),
    Option("tracking-table-max-keys", Integer(0, INT64_MAX), "1000000"),
    Option("ts-chunk-size-bytes", Integer(48, 1048576), "4096"),
    Option("ts-compaction-policy", Text(), ""),
    Option(
        "ts-duplicate-policy",
        Enumeration(
            (
                "block",
                "first",
                "last",
                "min",
                "max",
                "sum",
            )
        ),
        "block",
    ),
    Option(
        "ts-encoding",
        Enumeration(
            (
                "compressed",
                "uncompressed",
            )
        ),
        "compressed",
    ),
    Option("ts-ignore-max-time-diff", Integer(0, INT64_MAX), "0"),
    Option("ts-ignore-max-val-diff", Decimal(0, 1.7976931348623157e308), "0.000000"),
    Option(
        "ts-libmr-protocol",
        Enumeration(
            (
                "INTERNAL",
                "GEARS",
            )
        ),
        "INTERNAL",
        mutable=False,
    ),
    Option("ts-num-threads", Integer(1, 16), "3"),
    Option("ts-retention-policy", Integer(0, INT64_MAX), "0"),
    Option("ts-topology-events", Boolean(), "yes", mutable=False),
    Option("unixsocket", Text(), "", mutable=False),
    Option("unixsocketperm", Octal(), "0", mutable=False),
    Option("vset-force-single-threaded-execution", Boolean(), "no"),
    Option(
        "zset-max-listpack-entries", Integer(0, INT64_MAX), "128", core="zset_max_listpack_entries"
    ),
    Option("zset-max-listpack-value", Memory(), "64", core="zset_max_listpack_value"),
)

OPTIONS = {option.name: option for option in OWN_OPTIONS + REDIS_OPTIONS}

# Older and other names of the same directives.
ALIASES = {
    "aof_rewrite_cpulist": "aof-rewrite-cpulist",
    "bgsave_cpulist": "bgsave-cpulist",
    "bio_cpulist": "bio-cpulist",
    "cluster-slave-no-failover": "cluster-replica-no-failover",
    "cluster-slave-validity-factor": "cluster-replica-validity-factor",
    "hash-max-ziplist-entries": "hash-max-listpack-entries",
    "hash-max-ziplist-value": "hash-max-listpack-value",
    "list-max-ziplist-size": "list-max-listpack-size",
    "lua-time-limit": "busy-reply-threshold",
    "min-slaves-max-lag": "min-replicas-max-lag",
    "min-slaves-to-write": "min-replicas-to-write",
    "repl-ping-slave-period": "repl-ping-replica-period",
    "server_cpulist": "server-cpulist",
    "slave-announce-ip": "replica-announce-ip",
    "slave-announce-port": "replica-announce-port",
    "slave-ignore-maxmemory": "replica-ignore-maxmemory",
    "slave-lazy-flush": "replica-lazy-flush",
    "slave-priority": "replica-priority",
    "slave-read-only": "replica-read-only",
    "slave-serve-stale-data": "replica-serve-stale-data",
    "slaveof": "replicaof",
    "zset-max-ziplist-entries": "zset-max-listpack-entries",
    "zset-max-ziplist-value": "zset-max-listpack-value",
}

# Values of maxmemory-policy in the order of enum maxmemory_policy (csrc/db/engine.h).
MAXMEMORY_POLICIES = (
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-lrm",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-lrm",
    "volatile-random",
    "volatile-ttl",
)
