"""Snapshots and the append-only file."""

from shmredis.config.option import Option
from shmredis.config.types import (
    INT64_MAX,
    Boolean,
    Directory,
    FileName,
    FolderName,
    Integer,
    Memory,
    SavePoints,
    Text,
    one_of,
)

__all__ = ["OPTIONS"]

OPTIONS: tuple[Option, ...] = (
    Option("aof-disable-auto-gc", Boolean(), "no", hidden=True),
    Option("aof-load-corrupt-tail-max-size", Integer(0, INT64_MAX), "0"),
    Option("aof-load-truncated", Boolean(), "yes"),
    Option("aof-rewrite-cpulist", Text(), "", mutable=False),
    Option("aof-rewrite-incremental-fsync", Boolean(), "yes"),
    Option("aof-timestamp-enabled", Boolean(), "no", core="aof_timestamp_enabled"),
    Option("aof-use-rdb-preamble", Boolean(), "yes"),
    Option(
        "appenddirname", FolderName("appenddirname"), "appendonlydir", mutable=False, protected=True
    ),
    Option(
        "appendfilename",
        FileName("appendfilename", needed=True),
        "appendonly.aof",
        mutable=False,
        protected=True,
    ),
    Option("appendfsync", one_of("everysec", "always", "no"), "everysec", core="appendfsync"),
    Option("appendonly", Boolean(), "no"),
    Option("auto-aof-rewrite-min-size", Memory(), "67108864"),
    Option("auto-aof-rewrite-percentage", Integer(0, 2147483647), "100"),
    Option("backup-sealed-ttl", Integer(0, INT64_MAX), "0"),
    Option("backupdirname", FolderName("backupdirname"), "backupdir", mutable=False),
    Option("dbfilename", FileName("dbfilename"), "dump.rdb", protected=True),
    Option("dir", Directory(), "", protected=True),
    Option("key-load-delay", Integer(-(1 << 31), (1 << 31) - 1), "0", hidden=True),
    Option(
        "loading-process-events-interval-bytes",
        Integer(1024, (1 << 31) - 1),
        str(512 << 10),
        hidden=True,
    ),
    Option("no-appendfsync-on-rewrite", Boolean(), "no"),
    Option("preload-file", Text(), "", mutable=False),
    Option("rdb-del-sync-files", Boolean(), "no"),
    Option("rdb-key-save-delay", Integer(-(1 << 31), (1 << 31) - 1), "0", hidden=True),
    Option("rdb-save-incremental-fsync", Boolean(), "yes"),
    Option("rdbchecksum", Boolean(), "yes", mutable=False),
    Option("rdbcompression", Boolean(), "yes", core="rdbcompression"),
    Option(
        "sanitize-dump-payload", one_of("no", "yes", "clients"), "no", core="sanitize_dump_payload"
    ),
    Option("save", SavePoints(), "3600 1 300 100 60 10000"),
    Option("stop-writes-on-bgsave-error", Boolean(), "yes"),
)
