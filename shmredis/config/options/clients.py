"""Listening, connections, who may come."""

from shmredis.config.option import Option
from shmredis.config.types import (
    INT64_MAX,
    Boolean,
    EventClasses,
    Integer,
    Memory,
    Octal,
    OutputLimits,
    Text,
    Words,
    one_of,
)

__all__ = ["OPTIONS"]

OPTIONS: tuple[Option, ...] = (
    Option("acl-pubsub-default", one_of("allchannels", "resetchannels"), "resetchannels"),
    Option("aclfile", Text(), "", mutable=False),
    Option("acllog-max-len", Integer(0, INT64_MAX), "128"),
    Option("bind", Words(), "* -::*"),
    Option("bind-source-addr", Text(), ""),
    Option(
        "client-output-buffer-limit",
        OutputLimits(),
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    ),
    Option(
        "client-query-buffer-limit", Memory(1048576), "1073741824", core="client_query_buffer_limit"
    ),
    Option("io-threads", Integer(1, 128), "1", mutable=False),
    Option("lookahead", Integer(1, 2147483647), "16"),
    Option("max-new-connections-per-cycle", Integer(1, 1000), "10"),
    Option("max-new-tls-connections-per-cycle", Integer(1, 1000), "1"),
    Option("maxclients", Integer(1, 4294967295), "10000"),
    Option("notify-keyspace-events", EventClasses(), "", core="notify_events"),
    Option("port", Integer(0, 65535), "6379"),
    Option("prefetch-batch-max-size", Integer(0, 128), "16", hidden=True),
    Option("protected-mode", Boolean(), "yes"),
    Option("proto-max-bulk-len", Memory(1048576), "536870912", core="proto_max_bulk_len"),
    Option("requirepass", Text(), ""),
    Option("socket-mark-id", Integer(0, 4294967295), "0", mutable=False),
    Option("tcp-backlog", Integer(0, 2147483647), "511", mutable=False),
    Option("tcp-keepalive", Integer(0, 2147483647), "300"),
    Option("timeout", Integer(0, 2147483647), "0"),
    Option(
        "tracking-table-max-keys",
        Integer(0, INT64_MAX),
        "1000000",
        core="tracking_table_max_keys",
    ),
    Option("unixsocket", Text(), "", mutable=False),
    Option("unixsocketperm", Octal(), "0", mutable=False),
)
