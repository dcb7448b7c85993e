"""The process as the system sees it, its pace, its end."""

from shmredis.config.option import Option
from shmredis.config.types import (
    Boolean,
    Integer,
    Locale,
    OomScores,
    ShutdownFlags,
    Text,
    TitleTemplate,
    one_of,
)

__all__ = ["OPTIONS"]

OPTIONS: tuple[Option, ...] = (
    Option("always-show-logo", Boolean(), "no", mutable=False),
    Option("bgsave-cpulist", Text(), "", mutable=False),
    Option("bio-cpulist", Text(), "", mutable=False),
    Option("daemonize", Boolean(), "no", mutable=False),
    Option("databases", Integer(1, 2147483647), "16", mutable=False),
    Option("disable-thp", Boolean(), "yes", mutable=False),
    Option("dynamic-hz", Boolean(), "yes"),
    Option("hz", Integer(0, 2147483647, clamp=(1, 500)), "10", core="hz"),
    Option("ignore-warnings", Text(), ""),
    Option("locale-collate", Locale(), ""),
    Option("oom-score-adj", one_of("no", "yes", "relative", "absolute"), "no"),
    Option("oom-score-adj-values", OomScores(), "0 200 800"),
    Option("pidfile", Text(), "", mutable=False),
    Option("proc-title-template", TitleTemplate(), "{title} {listen-addr} {server-mode}"),
    Option("server-cpulist", Text(), "", mutable=False),
    Option("set-proc-title", Boolean(), "yes", mutable=False),
    Option("shutdown-on-sigint", ShutdownFlags(), "default"),
    Option("shutdown-on-sigterm", ShutdownFlags(), "default"),
    Option("shutdown-timeout", Integer(0, 2147483647), "10"),
    Option("supervised", one_of("upstart", "systemd", "auto", "no"), "no", mutable=False),
)
