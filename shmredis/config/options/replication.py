"""Replication links."""

from shmredis.config.option import Option
from shmredis.config.types import INT64_MAX, Boolean, Integer, Memory, Text, Words, one_of

__all__ = ["OPTIONS"]

OPTIONS: tuple[Option, ...] = (
    Option("masterauth", Text(), ""),
    Option("masteruser", Text(), ""),
    Option("min-replicas-max-lag", Integer(0, 2147483647), "10"),
    Option("min-replicas-to-write", Integer(0, 2147483647), "0"),
    Option("propagation-error-behavior", one_of("ignore", "panic", "panic-on-replicas"), "ignore"),
    Option("repl-backlog-size", Memory(1, clamp=16384), "1048576"),
    Option("repl-backlog-ttl", Integer(0, INT64_MAX), "3600"),
    Option("repl-disable-tcp-nodelay", Boolean(), "no"),
    Option(
        "repl-diskless-load", one_of("disabled", "on-empty-db", "swapdb", "flushdb"), "disabled"
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
    Option("replicaof", Words(), "", mutable=False, count=2),
)
