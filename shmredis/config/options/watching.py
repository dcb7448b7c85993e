"""The log, slow commands, crashes, what is allowed for debugging."""

from shmredis.config.option import Option
from shmredis.config.types import INT64_MAX, Boolean, Integer, Percentiles, Text, one_of

__all__ = ["OPTIONS"]

OPTIONS: tuple[Option, ...] = (
    Option("busy-reply-threshold", Integer(0, INT64_MAX), "5000"),
    Option("crash-log-enabled", Boolean(), "yes"),
    Option("crash-memcheck-enabled", Boolean(), "yes"),
    Option("enable-debug-command", one_of("no", "yes", "local"), "no", mutable=False),
    Option("enable-protected-configs", one_of("no", "yes", "local"), "no", mutable=False),
    Option("hide-user-data-from-log", Boolean(), "no"),
    Option(
        "latency-monitor-threshold", Integer(0, INT64_MAX), "0", core="latency_monitor_threshold"
    ),
    Option("latency-tracking", Boolean(), "yes", core="latency_tracking"),
    Option("latency-tracking-info-percentiles", Percentiles(), "50 99 99.9"),
    Option("logfile", Text(), "", mutable=False),
    Option("loglevel", one_of("debug", "verbose", "notice", "warning", "nothing"), "notice"),
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
    Option("syslog-enabled", Boolean(), "no", mutable=False),
    Option(
        "syslog-facility",
        one_of(
            "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"
        ),
        "local0",
        mutable=False,
    ),
    Option("syslog-ident", Text(), "redis", mutable=False),
    Option("use-exit-on-panic", Boolean(), "no", hidden=True),
    Option("watchdog-period", Integer(0, 2147483647), "0", hidden=True),
)
