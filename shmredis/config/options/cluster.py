"""Redis Cluster."""

from shmredis.config.option import Option
from shmredis.config.types import INT64_MAX, Boolean, Flags, Integer, Memory, Text, one_of

__all__ = ["OPTIONS"]

OPTIONS: tuple[Option, ...] = (
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
    Option("cluster-preferred-endpoint-type", one_of("ip", "hostname", "unknown-endpoint"), "ip"),
    Option("cluster-replica-no-failover", Boolean(), "no"),
    Option("cluster-replica-validity-factor", Integer(0, 2147483647), "10"),
    Option("cluster-require-full-coverage", Boolean(), "yes"),
    Option("cluster-slot-migration-handoff-max-lag-bytes", Memory(), "1048576"),
    Option("cluster-slot-migration-write-pause-timeout", Integer(0, INT64_MAX), "10000"),
    Option("cluster-slot-stats-enabled", Flags(("no", "yes", "cpu", "net", "mem")), "no"),
)
