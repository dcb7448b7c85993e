"""INFO as one worker composes it."""

import re

import pytest

from shmredis.commands.info_memory import human_bytes
from shmredis.commands.rates import Rates
from shmredis.engine import Engine
from tests.commands.python_commands import FakeClient, FakeServer


def info(client: FakeClient, *sections: str) -> dict[str, str]:
    text = client.call("INFO", *sections).split(b"\r\n", 1)[1].decode()
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return dict(pair for pair in pairs if len(pair) == 2)


def sections(client: FakeClient, *names: str) -> list[str]:
    return re.findall(r"^# (\w+)", client.call("INFO", *names).decode(), re.MULTILINE)


DEFAULT = [
    "Server",
    "Clients",
    "Memory",
    "Persistence",
    "Threads",
    "Stats",
    "Replication",
    "CPU",
    "Hotkeys",
    "Modules",
    "Errorstats",
    "Cluster",
    "Keyspace",
    "Keysizes",
]


def test_info_sections(client: FakeClient) -> None:
    assert sections(client) == DEFAULT
    assert sections(client, "default") == DEFAULT
    everything = sections(client, "everything")
    assert set(everything) == {*DEFAULT, "Commandstats", "Latencystats"}
    assert sections(client, "ALL") == everything
    assert sections(client, "server", "Clients") == ["Server", "Clients"]
    assert client.call("INFO", "nosuch") == b"$0\r\n\r\n"


def test_info_keysizes(client: FakeClient) -> None:
    """As Redis 8.10 shows the same keys."""
    for name, n in {"e": 0, "a": 1, "b": 2, "c": 5, "d": 1501, "f": 1 << 20, "g": 3000001}.items():
        client.call("SETRANGE", name, str(n - 1), "x") if n else client.call("SET", name, "")
    client.call("SET", "n", "12345")
    client.call("RPUSH", "l", "a", "b", "c")
    client.call("SADD", "s", "a")
    client.call("ZADD", "z", "1", "a", "2", "b")
    client.call("HSET", "h", "a", "1")
    client.call("HSET", "h2", "a", "1", "b", "2", "c", "3", "d", "4")
    client.call("XADD", "x", "*", "f", "v")
    client.call("SELECT", "3")
    client.call("SET", "q", "xxx")
    assert info(client, "keysizes") == {
        "db0_distrib_strings_sizes": "0=1,1=1,2=1,4=2,1K=1,1M=1,2M=1",
        "db0_distrib_lists_items": "2=1",
        "db0_distrib_sets_items": "1=1",
        "db0_distrib_zsets_items": "2=1",
        "db0_distrib_hashes_items": "1=1,4=1",
        "db3_distrib_strings_sizes": "2=1",
    }


def test_info_keysizes_of_many_keys_is_an_estimate(client: FakeClient) -> None:
    client.call("DEBUG", "POPULATE", "40000", "key", "100")
    client.call("DEBUG", "POPULATE", "40000", "other", "10")
    line = info(client, "keysizes")["db0_distrib_strings_sizes"]
    counts = {name: int(n) for name, n in (part.split("=") for part in line.split(","))}
    assert counts.keys() == {"8", "64"}
    assert sum(counts.values()) == pytest.approx(80000, abs=2)
    assert counts["8"] == pytest.approx(40000, rel=0.2)


def test_info_debug_is_shown_by_its_name_alone(client: FakeClient) -> None:
    assert sections(client, "everything", "debug")[-1] == "Debug"
    client.call("EVAL", "return 1", "0")
    shown = info(client, "debug")
    assert list(shown)[:2] == ["eventloop_duration_aof_sum", "eventloop_duration_cron_sum"]
    assert int(shown["allocator_allocated_lua"]) > 0


def test_info_memory_counts_scripts_and_functions(client: FakeClient) -> None:
    library = "#!lua name=one\nredis.register_function('f', function() return 1 end)"
    client.call("EVAL", "return 1", "0")
    client.call("FUNCTION", "LOAD", library)
    shown = info(client, "memory")
    assert shown["number_of_cached_scripts"] == "1"
    assert shown["number_of_libraries"] == shown["number_of_functions"] == "1"
    parts = int(shown["used_memory_scripts_eval"]), int(shown["used_memory_functions"])
    assert int(shown["used_memory_scripts"]) == sum(parts)
    assert min(parts) > 0


def test_info_is_laid_out_with_a_blank_line_between_sections(client: FakeClient) -> None:
    reply = client.call("INFO", "cluster", "modules")
    assert reply == b"$43\r\n# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n"
    client.call("HELLO", "3")
    reply = client.call("INFO", "cluster")
    assert reply == b"=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n"


def test_info_counts_commands_and_errors(client: FakeClient) -> None:
    client.call("GET", "k")
    client.call("LPUSH")
    client.call("TIME", "x")
    stats = info(client, "commandstats", "errorstats", "stats")
    assert stats["cmdstat_get"].startswith("calls=1,usec=")
    assert stats["cmdstat_time"].endswith(
        "calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0"
    )
    assert stats["errorstat_ERR"] == "count=2"
    assert stats["total_error_replies"] == "2"
    assert stats["keyspace_misses"] == "1"
    client.call("CONFIG", "RESETSTAT")
    stats = info(client, "commandstats", "errorstats", "stats")
    assert "cmdstat_get" not in stats
    assert stats["total_error_replies"] == "0"


def test_info_keyspace_shows_databases_with_keys(client: FakeClient) -> None:
    client.call("SET", "a", "1")
    client.call("SET", "b", "1", "EX", "100")
    client.call("SELECT", "3")
    client.call("SET", "c", "1")
    keyspace = info(client, "keyspace")
    assert re.fullmatch(r"keys=2,expires=1,avg_ttl=\d+,subexpiry=0", keyspace["db0"])
    assert keyspace["db3"] == "keys=1,expires=0,avg_ttl=0,subexpiry=0"
    assert set(keyspace) == {"db0", "db3"}


def test_info_latencystats_follows_latency_tracking(server: FakeServer) -> None:
    client = server.connect()
    client.call("GET", "k")
    text = info(client, "latencystats")["latency_percentiles_usec_get"]
    assert re.fullmatch(r"p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}", text)
    server.engine.set_option("latency_tracking", 0)
    assert info(client, "latencystats") == {}


def test_info_memory_adds_up(server: FakeServer) -> None:
    client = server.connect()
    client.call("SET", "k", "x" * 100_000)
    memory = info(client, "memory")
    assert int(memory["used_memory"]) > 100_000
    assert int(memory["used_memory_peak"]) >= int(memory["used_memory"])
    dataset = int(memory["used_memory_dataset"])
    assert dataset + int(memory["used_memory_overhead"]) == int(memory["used_memory"])
    assert memory["maxmemory_policy"] == "noeviction"


def test_info_server_names_the_listeners(server: FakeServer) -> None:
    client = server.connect()
    assert info(client, "server")["listener0"] == "name=tcp,bind=127.0.0.1,bind=-::1,port=6379"
    server.config.values |= {"tls-port": "6380", "unixsocket": "/tmp/s"}
    fields = info(client, "server")
    assert fields["listener1"] == "name=tls,bind=127.0.0.1,bind=-::1,port=6380"
    assert fields["listener2"] == "name=unix,bind=/tmp/s"


def test_the_time_of_the_peak_is_that_of_the_highest_use(server: FakeServer) -> None:
    server.facts.note_peak(1000, 5.0)
    server.facts.note_peak(2000, 6.0)
    server.facts.note_peak(2000, 7.0)
    assert info(server.connect(), "memory")["used_memory_peak_time"] == "6"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (1023, "1023B"), (1536, "1.50K"), (25276502016, "23.54G")]
)
def test_human_bytes(size: int, text: str) -> None:
    assert human_bytes(size) == text


def test_rates_are_averages_that_survive_a_reset(server: FakeServer) -> None:
    client, rates = server.connect(), Rates()
    engine: Engine = server.engine
    rates.sample(engine, 10.0)
    for _ in range(30):
        client.call("PING")
    rates.sample(engine, 11.0)
    assert rates.commands == 30
    engine.reset_stats()
    rates.sample(engine, 12.0)
    assert rates.commands == 0
