"""What modules of Redis would read: Bloom and cuckoo filters, time series, vector sets."""

from shmredis.config.option import Option
from shmredis.config.types import INT64_MAX, Boolean, Decimal, Integer, Text, one_of

__all__ = ["OPTIONS"]

OPTIONS: tuple[Option, ...] = (
    Option("bf-error-rate", Decimal(0, 1), "0.01"),
    Option("bf-expansion-factor", Integer(0, 32768), "2"),
    Option("bf-initial-size", Integer(1, 1073741824), "100"),
    Option("cf-bucket-size", Integer(1, 255), "2"),
    Option("cf-expansion-factor", Integer(0, 32768), "1"),
    Option("cf-initial-size", Integer(4, 1073741824), "1024"),
    Option("cf-max-expansions", Integer(1, 65536), "32"),
    Option("cf-max-iterations", Integer(1, 65535), "20"),
    Option("enable-module-command", one_of("no", "yes", "local"), "no", mutable=False),
    Option("ts-chunk-size-bytes", Integer(48, 1048576), "4096"),
    Option("ts-compaction-policy", Text(), ""),
    Option("ts-duplicate-policy", one_of("block", "first", "last", "min", "max", "sum"), "block"),
    Option("ts-encoding", one_of("compressed", "uncompressed"), "compressed"),
    Option("ts-ignore-max-time-diff", Integer(0, INT64_MAX), "0"),
    Option("ts-ignore-max-val-diff", Decimal(0, 1.7976931348623157e308), "0.000000"),
    Option("ts-libmr-protocol", one_of("INTERNAL", "GEARS"), "INTERNAL", mutable=False),
    Option("ts-num-threads", Integer(1, 16), "3"),
    Option("ts-retention-policy", Integer(0, INT64_MAX), "0"),
    Option("ts-topology-events", Boolean(), "yes", mutable=False),
    Option("vset-force-single-threaded-execution", Boolean(), "no"),
)
