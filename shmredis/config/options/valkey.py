"""Directives that only Valkey has: accepted, so that its configuration files can be used, without effect.

Some are only other names.
"""

from shmredis.config.option import Option
from shmredis.config.types import INT64_MAX, Boolean, Integer, Memory, Text, ValueType, one_of

__all__ = ["ALIASES", "OPTIONS"]

ALIASES = {
    "commandlog-execution-slower-than": "slowlog-log-slower-than",
    "commandlog-slow-execution-max-len": "slowlog-max-len",
    "primaryauth": "masterauth",
    "primaryuser": "masteruser",
}


def _accepted(name: str, kind: ValueType, default: str, mutable: bool = True) -> Option:
    return Option(name, kind, default, mutable=mutable, hidden=True)


OPTIONS: tuple[Option, ...] = (
    _accepted("active-defrag-cycle-us", Integer(0, 100000), "500"),
    _accepted("availability-zone", Text(), ""),
    _accepted("cluster-announce-client-ipv4", Text(), ""),
    _accepted("cluster-announce-client-ipv6", Text(), ""),
    _accepted("cluster-announce-client-port", Integer(0, 65535), "0"),
    _accepted("cluster-announce-client-tls-port", Integer(0, 65535), "0"),
    _accepted("cluster-blacklist-ttl", Integer(0, INT64_MAX), "60"),
    _accepted("cluster-config-save-behavior", one_of("sync", "best-effort"), "sync"),
    _accepted("cluster-databases", Integer(1, 2147483647), "1", mutable=False),
    _accepted("cluster-manual-failover-timeout", Integer(1, 2147483647), "5000"),
    _accepted("cluster-slot-migration-log-max-len", Integer(0, INT64_MAX), "1000"),
    _accepted("commandlog-large-reply-max-len", Integer(0, INT64_MAX), "128"),
    _accepted("commandlog-large-request-max-len", Integer(0, INT64_MAX), "128"),
    _accepted("commandlog-reply-larger-than", Integer(-1, INT64_MAX), "1048576"),
    _accepted("commandlog-request-larger-than", Integer(-1, INT64_MAX), "1048576"),
    _accepted("dual-channel-replication-enabled", Boolean(), "no"),
    _accepted("extended-redis-compatibility", Boolean(), "no"),
    _accepted("hash-seed", Text(), "", mutable=False),
    _accepted("import-mode", Boolean(), "no"),
    _accepted("log-format", one_of("legacy", "logfmt", "json"), "legacy"),
    _accepted("log-timestamp-format", one_of("legacy", "iso8601", "milliseconds"), "legacy"),
    _accepted("mptcp", Boolean(), "no", mutable=False),
    _accepted("rdb-version-check", one_of("strict", "relaxed"), "strict"),
    _accepted("rdma-bind", Text(), ""),
    _accepted("rdma-completion-vector", Integer(), "-1", mutable=False),
    _accepted("rdma-port", Integer(0, 65535), "0"),
    _accepted("rdma-rx-size", Memory(), "1048576", mutable=False),
    _accepted("repl-mptcp", Boolean(), "no", mutable=False),
    _accepted("slot-migration-max-failover-repl-bytes", Integer(-1, INT64_MAX), "0"),
    _accepted("tls-auto-reload-interval", Integer(0, 2147483647), "0"),
    _accepted("unixsocketgroup", Text(), "", mutable=False),
)
