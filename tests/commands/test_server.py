"""Commands of the server group that are written in Python, and those of C behind DEBUG."""

import hashlib
import re
import time
from collections.abc import Callable, Iterator

import pytest

from shmredis.commands.context import ShutdownMode
from shmredis.commands.histogram import cumulative, percentile_us
from shmredis.commands.info_memory import human_bytes
from shmredis.commands.rates import Rates
from shmredis.commands.sparkline import sparkline
from shmredis.engine import Engine
from tests.commands.python_commands import FakeClient, FakeServer

SYNTAX = b"-ERR syntax error\r\n"
NOT_INTEGER = b"-ERR value is not an integer or out of range\r\n"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.close()


@pytest.fixture
def client(server: FakeServer) -> FakeClient:
    return server.connect()


@pytest.fixture
def at_second(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the clock that Python commands see."""

    def set_clock(second: int) -> None:
        monkeypatch.setattr(time, "time", lambda: float(second))

    return set_clock


def info(client: FakeClient, *sections: str) -> dict[str, str]:
    text = client.call("INFO", *sections).split(b"\r\n", 1)[1].decode()
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return dict(pair for pair in pairs if len(pair) == 2)


def sections(client: FakeClient, *names: str) -> list[str]:
    return re.findall(r"^# (\w+)", client.call("INFO", *names).decode(), re.MULTILINE)


# --- INFO ---

DEFAULT = [
    "Server",
    "Clients",
    "Memory",
    "Persistence",
    "Threads",
    "Stats",
    "Replication",
    "CPU",
    "Modules",
    "Errorstats",
    "Cluster",
    "Keyspace",
]


def test_info_sections(client: FakeClient) -> None:
    assert sections(client) == DEFAULT
    assert sections(client, "default") == DEFAULT
    everything = sections(client, "everything")
    assert set(everything) == {*DEFAULT, "Commandstats", "Latencystats"}
    assert sections(client, "ALL") == everything
    assert sections(client, "server", "Clients") == ["Server", "Clients"]
    assert client.call("INFO", "nosuch") == b"$0\r\n\r\n"


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


# --- CONFIG ---


def test_config_get_and_set(client: FakeClient) -> None:
    assert client.call("CONFIG", "GET", "hz", "nosuch") == b"*2\r\n$2\r\nhz\r\n$2\r\n10\r\n"
    assert client.call("CONFIG", "SET", "hz", "20", "port", "1") == b"+OK\r\n"
    client.call("HELLO", "3")
    assert client.call("CONFIG", "GET", "hz") == b"%1\r\n$2\r\nhz\r\n$2\r\n20\r\n"


def test_config_set_errors(client: FakeClient) -> None:
    assert client.call("CONFIG", "SET", "nosuchparam", "1") == (
        b"-ERR Unknown option or number of arguments for CONFIG SET - 'nosuchparam'\r\n"
    )
    wrong = b"-ERR wrong number of arguments for 'config|set' command\r\n"
    assert client.call("CONFIG", "SET", "hz") == wrong
    assert client.call("CONFIG", "SET", "hz", "1", "port") == b"-ERR syntax error\r\n"


def test_config_rewrite_needs_a_file(server: FakeServer) -> None:
    client = server.connect()
    error = b"-ERR The server is running without a config file\r\n"
    assert client.call("CONFIG", "REWRITE") == error
    server.config.path = "/etc/shmredis.conf"
    assert client.call("CONFIG", "REWRITE") == b"+OK\r\n"
    assert server.config.rewrites == 1


# --- SLOWLOG ---


def test_slowlog_keeps_trimmed_commands_newest_first(server: FakeServer) -> None:
    client = server.connect()
    server.engine.set_option("slowlog_log_slower_than", 0)
    client.call("CLIENT", "SETNAME", "me")
    client.call("SLOWLOG", "RESET")
    client.call("SET", "k", "x" * 200)
    client.call("DEL", *[str(i) for i in range(40)])
    newest, older, oldest = server.engine.slowlog(10)
    assert newest.argv[:3] == (b"DEL", b"0", b"1")
    assert newest.argv[31:] == (b"... (10 more arguments)",)
    assert (len(newest.argv), newest.argc) == (32, 41)
    assert older.argv == (b"SET", b"k", b"x" * 128 + b"... (72 more bytes)")
    assert oldest.argv == (b"SLOWLOG", b"RESET")
    assert (older.addr, older.name, older.argc) == (client.addr.encode(), b"me", 3)
    assert newest.id == older.id + 1
    server.engine.set_option("slowlog_log_slower_than", -1)
    assert client.call("SLOWLOG", "LEN") == b":3\r\n"
    assert re.fullmatch(
        rb"\*1\r\n\*7\r\n:3\r\n:\d+\r\n:\d+\r\n\*32\r\n\$3\r\nDEL.*\$15\r\n127\.0\.0\.1:50001\r\n"
        rb"\$2\r\nme\r\n:41\r\n",
        client.call("SLOWLOG", "GET", "1"),
        re.DOTALL,
    )


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["AUTH", "u", "p"], [b"AUTH", b"(redacted)", b"(redacted)"]),
        (
            ["HELLO", "3", "AUTH", "u", "p", "SETNAME", "q"],
            [b"HELLO", b"3", b"AUTH", b"(redacted)", b"(redacted)", b"SETNAME", b"q"],
        ),
        (
            ["CONFIG", "SET", "hz", "10", "requirepass", "p"],
            [b"CONFIG", b"SET", b"hz", b"10", b"requirepass", b"(redacted)"],
        ),
        (["ACL", "GETUSER", "u"], [b"ACL", b"GETUSER", b"(redacted)"]),
    ],
)
def test_slowlog_never_shows_secrets(
    server: FakeServer, words: list[str], kept: list[bytes]
) -> None:
    server.engine.set_option("slowlog_log_slower_than", 0)
    server.connect().call(*words)
    assert list(server.engine.slowlog(1)[0].argv) == kept


def test_slowlog_is_bounded_and_counts_all(server: FakeServer) -> None:
    client = server.connect()
    server.engine.set_option("slowlog_log_slower_than", 0)
    server.engine.set_option("slowlog_max_len", 20)
    for i in range(100):
        client.call("SET", "k", str(i))
    assert [entry.argv[2] for entry in server.engine.slowlog(2)] == [b"99", b"98"]
    assert server.engine.slowlog_length == 20
    assert server.engine.slowlog_totals().count == 100
    server.engine.set_option("slowlog_max_len", 0)
    client.call("PING")
    assert server.engine.slowlog_length == 0


def test_slowlog_leaves_out_commands_that_did_not_run(server: FakeServer) -> None:
    client = server.connect()
    server.engine.set_option("slowlog_log_slower_than", 0)
    client.call("GET")
    client.call("NOSUCH")
    assert server.engine.slowlog_length == 0


@pytest.mark.parametrize("count", ["-2", "x", ""])
def test_slowlog_get_count_is_checked(client: FakeClient, count: str) -> None:
    error = b"-ERR count should be greater than or equal to -1\r\n"
    assert client.call("SLOWLOG", "GET", count) == error
    assert client.call("SLOWLOG", "GET", "1", "2") == (
        b"-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.\r\n"
    )


# --- LATENCY ---


def test_latency_events_are_kept_per_second(server: FakeServer) -> None:
    client, engine = server.connect(), server.engine
    engine.note_latency("fork", 5_000_000)
    assert client.call("LATENCY", "LATEST") == b"*0\r\n"
    engine.set_option("latency_monitor_threshold", 10)
    engine.note_latency("fork", 9_000)
    assert engine.latency_events() == []
    engine.note_latency("fork", 20_000)
    engine.note_latency("fork", 50_000)
    engine.note_latency("fork", 30_000)
    (event,) = engine.latency_events()
    assert (event.name, event.max_ms, event.sum_ms, event.total) == ("fork", 50, 100, 3)
    assert max(ms for _, ms in event.samples) == 50
    assert len(event.samples) <= 2
    reply = client.call("LATENCY", "LATEST")
    assert re.fullmatch(rb"\*1\r\n\*4\r\n\$4\r\nfork\r\n:\d+\r\n:\d+\r\n:50\r\n", reply)
    history = client.call("LATENCY", "HISTORY", "fork")
    assert re.match(rb"\*[12]\r\n\*2\r\n:\d+\r\n:\d+\r\n", history)
    assert client.call("LATENCY", "HISTORY", "nosuch") == b"*0\r\n"
    assert client.call("LATENCY", "RESET", "nosuch", "fork") == b":1\r\n"
    assert client.call("LATENCY", "RESET") == b":0\r\n"


def test_slow_commands_are_latency_events(server: FakeServer) -> None:
    client = server.connect()
    server.engine.set_option("latency_monitor_threshold", 1)
    client.call("DEBUG", "SLEEP", "0.01")
    (event,) = server.engine.latency_events()
    assert event.name == "command"
    assert event.max_ms >= 10


def test_latency_graph(server: FakeServer, at_second: Callable[[int], None]) -> None:
    client = server.connect()
    server.engine.set_option("latency_monitor_threshold", 1)
    server.engine.note_latency("fork", 20_000)
    at_second(server.engine.latency_events()[0].latest_s)
    assert client.call("LATENCY", "GRAPH", "fork") == (
        b"$146\r\nfork - high 20 ms, low 20 ms (all time high 20 ms)\n"
        b"--------------------------------------------------------------------------------\n"
        b" \n \n \n_\n \n0\ns\n\r\n"
    )
    error = b"-ERR No samples available for event 'x'\r\n"
    assert client.call("LATENCY", "GRAPH", "x") == error


def test_sparkline_scales_and_breaks_lines() -> None:
    points = [(101, "15s"), (200, "14s"), (300, "12s"), (500, "8s"), (401, "6s")]
    assert sparkline(points, 80) == ("   #_\n  _||\n _|||\n_||||\n     \n11186\n542ss\nsss  \n")
    assert sparkline([(1, "a"), (2, "b")], 1).count("\n\n") == 1


def test_latency_doctor_tells_the_three_states(server: FakeServer) -> None:
    client, engine = server.connect(), server.engine
    assert b"The latency monitor is off" in client.call("LATENCY", "DOCTOR")
    engine.set_option("latency_monitor_threshold", 1)
    assert b"No event was slower" in client.call("LATENCY", "DOCTOR")
    engine.note_latency("command", 20_000)
    assert b"command: 1 slow seconds, 20 ms on average" in client.call("LATENCY", "DOCTOR")


def test_latency_histogram_of_named_commands(client: FakeClient) -> None:
    client.call("SLOWLOG", "LEN")
    assert client.call("LATENCY", "HISTOGRAM", "nosuch") == b"*0\r\n"
    reply = client.call("LATENCY", "HISTOGRAM", "slowlog")
    assert re.fullmatch(
        rb"\*2\r\n\$11\r\nslowlog\|len\r\n\*4\r\n\$5\r\ncalls\r\n:1\r\n\$14\r\nhistogram_usec\r\n"
        rb"\*2\r\n:\d+\r\n:1\r\n",
        reply,
    )


def test_histogram_limits_are_those_of_redis() -> None:
    buckets = [1] * 12 + [0] * 28
    assert list(cumulative(buckets)) == [1, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227]
    assert cumulative([0, 0, 3, 0, 2] + [0] * 35) == {8: 3, 33: 5}


def test_percentiles_are_interpolated_within_a_bucket() -> None:
    buckets = [0, 0, 0, 100] + [0] * 36
    assert percentile_us(buckets, 50) == 12.0
    assert percentile_us(buckets, 100) == 16.0
    assert percentile_us([0] * 40, 99) == 0.0


# --- MEMORY, MODULE, ROLE, TIME, SHUTDOWN, LOLWUT ---


def test_memory_stats_in_both_protocols(client: FakeClient) -> None:
    client.call("SET", "k", "v")
    reply = client.call("MEMORY", "STATS")
    assert reply.startswith(b"*74\r\n$14\r\npeak.allocated\r\n:")
    assert b"$4\r\ndb.0\r\n*4\r\n$23\r\noverhead.hashtable.main\r\n:" in reply
    assert b"$10\r\nkeys.count\r\n:1\r\n" in reply
    client.call("HELLO", "3")
    reply = client.call("MEMORY", "STATS")
    assert reply.startswith(b"%37\r\n")
    assert re.search(rb"\$15\r\npeak\.percentage\r\n,\d+", reply)


def test_memory_doctor_and_malloc_stats(client: FakeClient) -> None:
    assert client.call("MEMORY", "DOCTOR").startswith(b"$38\r\nToo little memory is in use")
    assert client.call("MEMORY", "PURGE") == b"+OK\r\n"
    client.call("SET", "k", "v")
    assert b"entry: " in client.call("MEMORY", "MALLOC-STATS")
    client.call("DEBUG", "POPULATE", "20000", "key", "500")
    assert b"No problem with memory" in client.call("MEMORY", "DOCTOR")
    client.call("FLUSHALL", "SYNC")
    client.call("DEBUG", "POPULATE", "12000", "key", "500")
    assert b"Peak: " in client.call("MEMORY", "DOCTOR")


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("ROLE", b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"),
        ("MODULE LIST", b"*0\r\n"),
        ("SHUTDOWN FOO", SYNTAX),
        ("SHUTDOWN SAVE NOSAVE", SYNTAX),
        ("SHUTDOWN ABORT NOW", SYNTAX),
        ("SHUTDOWN NOW ABORT", SYNTAX),
        ("SHUTDOWN ABORT", b"-ERR No shutdown in progress.\r\n"),
        ("LOLWUT VERSION x", NOT_INTEGER),
        ("ACL WHOAMI", b"$7\r\ndefault\r\n"),
        ("ACL USERS", b"*1\r\n$7\r\ndefault\r\n"),
        ("ACL LIST", b"*1\r\n$51\r\nuser default on nopass sanitize-payload ~* &* +@all\r\n"),
        ("ACL CAT nosuch", b"-ERR Unknown category 'nosuch'\r\n"),
        ("ACL GETUSER no", b"$-1\r\n"),
        ("ACL GENPASS x", NOT_INTEGER),
        (
            "ACL GENPASS 4097",
            b"-ERR ACL GENPASS argument must be the number of bits for the output password, a "
            b"positive number up to 4096\r\n",
        ),
    ],
)
def test_server_replies(client: FakeClient, words: str, reply: bytes) -> None:
    assert client.call(*words.split(" ")) == reply


def test_time_is_seconds_and_microseconds(client: FakeClient) -> None:
    before = time.time_ns() // 1000
    found = re.fullmatch(rb"\*2\r\n\$10\r\n(\d+)\r\n\$\d\r\n(\d+)\r\n", client.call("TIME"))
    assert found
    assert before <= int(found[1]) * 10**6 + int(found[2]) <= time.time_ns() // 1000


def test_lastsave_is_the_start(server: FakeServer) -> None:
    assert server.connect().call("LASTSAVE") == b":%d\r\n" % int(server.facts.started_s)


def test_shutdown_asks_the_server(server: FakeServer) -> None:
    client = server.connect()
    failed = b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
    assert client.call("SHUTDOWN") == failed
    assert client.call("SHUTDOWN", "nosave", "NOW", "FORCE") == failed
    assert client.call("SHUTDOWN", "SAVE") == failed
    assert server.shutdowns == [
        (ShutdownMode.DEFAULT, False, False),
        (ShutdownMode.NOSAVE, True, True),
        (ShutdownMode.SAVE, False, False),
    ]


def test_lolwut_ends_with_the_version(client: FakeClient) -> None:
    assert client.call("LOLWUT").endswith(b"Redis ver. 8.10.2\n\r\n")
    assert client.call("LOLWUT", "VERSION", "5", "1").endswith(b"Redis ver. 8.10.2\n\r\n")


def test_acl_with_a_password(server: FakeServer) -> None:
    client = server.connect()
    server.config.set([("requirepass", "foo")])
    digest = hashlib.sha256(b"foo").hexdigest().encode()
    assert client.call("ACL", "LIST") == (
        b"*1\r\n$110\r\nuser default on sanitize-payload #%b ~* &* +@all\r\n" % digest
    )
    assert b"$9\r\npasswords\r\n*1\r\n$64\r\n%b\r\n" % digest in client.call(
        "ACL", "GETUSER", "default"
    )


def test_acl_cat_and_genpass(client: FakeClient) -> None:
    assert client.call("ACL", "CAT").startswith(b"*22\r\n$8\r\nkeyspace\r\n$4\r\nread\r\n")
    assert b"$11\r\nclient|kill\r\n" in client.call("ACL", "CAT", "dangerous")
    assert len(client.call("ACL", "GENPASS")) == len("$64\r\n\r\n") + 64
    assert re.fullmatch(rb"\$2\r\n[0-9a-f]{2}\r\n", client.call("ACL", "GENPASS", "5"))


# --- DEBUG ---

UNKNOWN = "-ERR unknown subcommand or wrong number of arguments for '{}'. Try DEBUG HELP.\r\n"


@pytest.mark.parametrize(
    ("allowed", "addr", "refused"),
    [
        ("no", "127.0.0.1:5", True),
        ("yes", "10.0.0.1:5", False),
        ("local", "127.0.0.1:5", False),
        ("local", "/tmp/sock:0", False),
        ("local", "10.0.0.1:5", True),
    ],
)
def test_debug_is_guarded(server: FakeServer, allowed: str, addr: str, refused: bool) -> None:
    client = server.connect()
    client.addr = addr
    server.config.values["enable-debug-command"] = allowed
    error = (
        b"-ERR DEBUG command not allowed. If the enable-debug-command option is set to "
        b'"local", you can run it from a local connection, otherwise you need to set this option '
        b"in the configuration file, and then restart the server.\r\n"
    )
    assert client.call("DEBUG", "SLEEP", "0") == (error if refused else b"+OK\r\n")


@pytest.mark.parametrize(
    "words",
    [
        "FOO",
        "SLEEP",
        "SLEEP 0 0",
        "OBJECT",
        "OBJECT k fast",
        "JMAP",
        "MALLCTL x",
        "REPLICATE",
        "ASSERT x",
        "DIGEST x",
        "HTSTATS",
        "POPULATE",
        "POPULATE 1 a 1 x",
        "CHANGE-REPL-ID x",
        "REPLYBUFFER",
        "REPLYBUFFER FOO x",
        "LISTPACK",
        "help x",
        "STRINGMATCH-LEN 1 *",
    ],
)
def test_debug_unknown_subcommands(client: FakeClient, words: str) -> None:
    reply = client.call("DEBUG", *words.split(" "))
    assert reply == UNKNOWN.format(words.split(" ", maxsplit=1)[0]).encode()


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("SLEEP x", b"+OK\r\n"),
        ("ERROR foo", b"-foo\r\n"),
        ("OBJECT nokey", b"-ERR no such key\r\n"),
        ("LISTPACK nokey", b"-ERR no such key\r\n"),
        ("HTSTATS x", NOT_INTEGER),
        ("HTSTATS 99", b"-ERR Out of range database\r\n"),
        ("HTSTATS 1", b"$29\r\n[Dictionary HT]\n[Expires HT]\n\r\n"),
        ("HTSTATS-KEY nokey", b"-ERR no such key\r\n"),
        ("POPULATE x", b"-ERR value is out of range, must be positive\r\n"),
        ("POPULATE -1", b"-ERR value is out of range, must be positive\r\n"),
        ("POPULATE 1 p x", b"-ERR value is out of range, must be positive\r\n"),
        ("QUICKLIST-PACKED-THRESHOLD 100B", b"+OK\r\n"),
        (
            "QUICKLIST-PACKED-THRESHOLD 4gb",
            b"-ERR argument must be a memory value bigger than 1 and smaller than 4gb\r\n",
        ),
        ("REPLYBUFFER PEAK-RESET-TIME x", NOT_INTEGER),
        ("REPLYBUFFER RESIZING 0", b"+OK\r\n"),
        ("DICT-RESIZING x", b"+OK\r\n"),
        ("LEAK x", b"+OK\r\n"),
        ("REPLICATE SET k v", b"+OK\r\n"),
        ("REPLICATE PING", b"+OK\r\n"),
        ("SDSLEN nokey", b"-ERR no such key\r\n"),
        ("QUICKLIST nokey", b"-ERR no such key\r\n"),
        ("INTERNAL_SECRET", b"-ERR Internal secret is missing\r\n"),
        ("DEFRAG-FRAG-CACHE-STATS", b"+defrag_frag_cache_hits:0\r\n"),
        ("CONFIG-REWRITE-FORCE-ALL", b"-ERR CONFIG-REWRITE-FORCE-ALL failed: no file\r\n"),
        ("DIGEST", b"+" + b"0" * 40 + b"\r\n"),
        ("DIGEST-VALUE", b"*0\r\n"),
        ("PROTOCOL double", b"$5\r\n3.141\r\n"),
        ("PROTOCOL map", b"*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n"),
        ("PROTOCOL bignum", b"$37\r\n1234567999999999999999999999999999999\r\n"),
        ("PROTOCOL push", b"-ERR RESP2 is not supported by this command\r\n"),
        (
            "PROTOCOL foo",
            b"-ERR Wrong protocol type name. Please use one of the following: string|integer|"
            b"double|bignum|null|array|set|map|attrib|push|verbatim|true|false\r\n",
        ),
    ],
)
def test_debug_replies(client: FakeClient, words: str, reply: bytes) -> None:
    assert client.call("DEBUG", *words.split(" ")) == reply


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("string", b"$11\r\nHello World\r\n"),
        ("double", b",3.141\r\n"),
        ("null", b"_\r\n"),
        ("set", b"~3\r\n:0\r\n:1\r\n:2\r\n"),
        ("map", b"%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"),
        (
            "attrib",
            b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
            b"$39\r\nSome real reply following the attribute\r\n",
        ),
        (
            "push",
            b"$40\r\nSome real reply following the push reply\r\n"
            b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n",
        ),
        ("verbatim", b"=29\r\ntxt:This is a verbatim\nstring\r\n"),
        ("true", b"#t\r\n"),
        ("bignum", b"(1234567999999999999999999999999999999\r\n"),
    ],
)
def test_debug_protocol_in_resp3(client: FakeClient, kind: str, reply: bytes) -> None:
    client.call("HELLO", "3")
    assert client.call("DEBUG", "PROTOCOL", kind) == reply


def test_debug_object_of_strings(client: FakeClient) -> None:
    client.call("SET", "s", "12")
    reply = client.call("DEBUG", "OBJECT", "s")
    assert re.fullmatch(
        rb"\+Value at:0x[0-9a-f]+ refcount:1 encoding:int serializedlength:\d+ lru:\d+ "
        rb"lru_seconds_idle:0\r\n",
        reply,
    )
    assert client.call("DEBUG", "LISTPACK", "s") == b"-ERR Not a listpack encoded object.\r\n"
    assert client.call("DEBUG", "HTSTATS-KEY", "s") == (
        b"-ERR The value stored at the specified key is not represented using an hash table\r\n"
    )


def test_debug_sdslen(client: FakeClient) -> None:
    client.call("SET", "n", "12")
    assert client.call("DEBUG", "SDSLEN", "n") == b"-ERR Not an sds encoded string.\r\n"
    client.call("SET", "key", "v" * 5000)
    reply = client.call("DEBUG", "SDSLEN", "key")
    assert re.fullmatch(
        rb"\+key_sds_len:3, key_sds_avail:0, key_zmalloc: \d+, val_sds_len:5000, "
        rb"val_sds_avail:\d+, val_zmalloc: \d+\r\n",
        reply,
    )


def test_debug_finds_a_malicious_pattern_harmless(client: FakeClient) -> None:
    assert client.call("DEBUG", "STRINGMATCH-TEST").startswith(b"+Apparently ")


def test_debug_populate_leaves_keys_that_are_there(client: FakeClient) -> None:
    client.call("SET", "key:1", "old")
    assert client.call("DEBUG", "POPULATE", "3") == b"+OK\r\n"
    assert client.call("MGET", "key:0", "key:1", "key:2") == (
        b"*3\r\n$7\r\nvalue:0\r\n$3\r\nold\r\n$7\r\nvalue:2\r\n"
    )
    client.call("DEBUG", "POPULATE", "2", "p", "5")
    client.call("DEBUG", "POPULATE", "2", "q", "20")
    assert client.call("GET", "p:1") == b"$5\r\nvalue\r\n"
    assert client.call("GET", "q:1") == b"$20\r\nvalue:1" + b"\0" * 13 + b"\r\n"


def test_debug_digest_equals_that_of_redis(client: FakeClient) -> None:
    """The digests were taken from Redis 8.10.2 with the same data."""
    client.call("SET", "k", "12")
    assert client.call("DEBUG", "DIGEST") == b"+eb708d7f0cec62a02e3eb7f1eae92e506c8433f1\r\n"
    assert client.call("DEBUG", "DIGEST-VALUE", "k", "nokey") == (
        b"*2\r\n+655ac46b180ad2f61a3cee25f0b1780fa2ec879a\r\n+" + b"0" * 40 + b"\r\n"
    )
    client.call("PEXPIREAT", "k", "99999999999999")
    assert client.call("DEBUG", "DIGEST") == b"+632cc2e7daf2af4dfc157b64cb8b0140e7e38dd2\r\n"


def test_debug_switches_reach_the_server(server: FakeServer) -> None:
    client = server.connect()
    client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    assert server.engine.option("active_expire") == 0
    client.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
    assert server.engine.option("active_expire") == 1
    client.call("DEBUG", "PAUSE-CRON", "1")
    assert server.cron_paused
    client.call("DEBUG", "LOG", "hello")
    assert server.logged == [("warning", "DEBUG LOG: hello")]
    before = server.facts.replication_id
    client.call("DEBUG", "CHANGE-REPL-ID")
    assert re.fullmatch(r"[0-9a-f]{40}", server.facts.replication_id)
    assert server.facts.replication_id != before


def test_debug_error_cannot_break_the_protocol(client: FakeClient) -> None:
    assert client.call("DEBUG", "ERROR", "a\r\n+OK") == b"-a  +OK\r\n"


def test_debug_htstats_full(client: FakeClient) -> None:
    client.call("DEBUG", "POPULATE", "100")
    reply = client.call("DEBUG", "HTSTATS", "0", "full")
    assert b" number of elements: 100\n" in reply
    assert b" empty buckets: " in reply


def test_debug_help_lists_all(client: FakeClient) -> None:
    lines = client.call("DEBUG", "HELP").decode().split("\r\n+")
    names = [line.split()[0] for line in lines[2::2]]
    assert {"CHANGE-REPL-ID", "DICT-RESIZING", "DIGEST", "POPULATE"} <= set(names)
    assert lines[-2] == "HELP"
