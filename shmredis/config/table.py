"""All directives, out of `options` by subject. CONFIG, the parser and the engine read this table."""

from itertools import chain

from shmredis.config.option import Option
from shmredis.config.options import (
    clients,
    cluster,
    encodings,
    memory,
    modules,
    own,
    persistence,
    process,
    replication,
    tls,
    valkey,
    watching,
)

__all__ = ["ALIASES", "MAXMEMORY_POLICIES", "OPTIONS", "SHOWN", "Option"]

SUBJECTS = (
    own,
    clients,
    tls,
    process,
    watching,
    memory,
    encodings,
    persistence,
    replication,
    cluster,
    modules,
    valkey,
)

OPTIONS: dict[str, Option] = {
    option.name: option for option in chain.from_iterable(subject.OPTIONS for subject in SUBJECTS)
}

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
    **valkey.ALIASES,
}

# The names that patterns of CONFIG GET find.
SHOWN = tuple(
    name
    for name in (*OPTIONS, *ALIASES)
    if not OPTIONS[ALIASES.get(name, name)].hidden and name not in valkey.ALIASES
)

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
