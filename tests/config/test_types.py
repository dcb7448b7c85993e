"""Values of directives, with the texts and errors of Redis 8.10.2's CONFIG SET and CONFIG GET."""

import pytest

from shmredis.config import Config
from shmredis.config.types import ConfigError


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("shutdown-on-sigint", "now force", "now force"),
        ("shutdown-on-sigint", "FORCE now", "now force"),
        ("shutdown-on-sigint", "save save", "save"),
        ("shutdown-on-sigint", "default now", "now"),
        ("shutdown-on-sigint", "default", "default"),
        ("latency-tracking-info-percentiles", "50 99.90 5e1 100.0", "50 99.9 50 100"),
        ("latency-tracking-info-percentiles", "", ""),
        ("oom-score-adj-values", "0 200 100", "0 200 100"),
        ("maxmemory-clients", "50%", "50%"),
        ("maxmemory-clients", "1mb", "1048576"),
        ("client-output-buffer-limit", "replica 1mb 2mb 60", None),
        ("cluster-slot-stats-enabled", "net cpu", "cpu net"),
    ],
)
def test_values_are_shown_as_redis_shows_them(name: str, value: str, shown: str | None) -> None:
    config = Config()
    config.set([(name, value)])
    if shown is None:
        assert config.text(name).split()[4:8] == ["slave", "1048576", "2097152", "60"]
    else:
        assert config.get(name) == {name: shown}


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        (
            "shutdown-on-sigint",
            "save nosave",
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        (
            "shutdown-on-sigint",
            "foo",
            "argument(s) must be one of the following: default, save, nosave, now, force",
        ),
        (
            "latency-tracking-info-percentiles",
            "101",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        (
            "latency-tracking-info-percentiles",
            "abc",
            "Invalid latency-tracking-info-percentiles parameters",
        ),
        ("oom-score-adj-values", "0 200", "wrong number of arguments"),
        (
            "oom-score-adj-values",
            "0 200 x",
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ),
        ("maxmemory-clients", "abc", "argument must be a memory or percent value"),
        ("maxmemory-clients", "500%", "percentage argument must be less or equal to 100"),
        (
            "set-max-intset-entries",
            "9223372036854775808",
            "argument couldn't be parsed into an integer",
        ),
        (
            "client-query-buffer-limit",
            "100",
            "argument must be between 1048576 and 9223372036854775807 inclusive",
        ),
        ("logfile", "x", "can't set immutable config"),
        ("unixsocket", "/tmp/s", "can't set immutable config"),
        ("replicaof", "localhost 6379", "can't set immutable config"),
        ("array-slice-size", "128", "argument must be between 256 and 65536 inclusive"),
        ("array-slice-size", "300", "array-slice-size must be a power of two"),
        ("array-sparse-kmin", "10", "array-sparse-kmin must be less than array-sparse-kmax"),
        (
            "array-sparse-kmax",
            "5",
            "array-sparse-kmax must be greater than array-sparse-kmin when non-zero",
        ),
    ],
)
def test_errors_are_those_of_redis(name: str, value: str, why: str) -> None:
    expected = f"CONFIG SET failed (possibly related to argument '{name}') - {why}"
    with pytest.raises(ConfigError) as error:
        Config().set([(name, value)])
    assert str(error.value) == expected


def test_hidden_directives_answer_to_their_whole_name_only() -> None:
    config = Config()
    assert config.get("prefetch-batch-max-size") == {"prefetch-batch-max-size": "16"}
    assert "prefetch-batch-max-size" not in config.get("*")
