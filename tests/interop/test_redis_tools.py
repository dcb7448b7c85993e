"""redis-cli and redis-benchmark, used as they are, against one worker and three."""

import csv
import re
import shutil
import subprocess

import pytest

from tests.harness.resp import encode
from tests.harness.server import Server

pytestmark = pytest.mark.skipif(
    not (shutil.which("redis-cli") and shutil.which("redis-benchmark")),
    reason="redis-cli and redis-benchmark (redis-tools) are not installed",
)


def cli(server: Server, *words: str, stdin: bytes = b"") -> str:
    argv = ["redis-cli", "-p", str(server.port), *words]
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=60, check=False)
    return (done.stdout + done.stderr).decode()


@pytest.fixture
def server(shared_server: Server) -> Server:
    """The shared server, empty."""
    assert cli(shared_server, "FLUSHALL") == "OK\n"
    return shared_server


def fill(server: Server, count: int = 300) -> None:
    lines = [f"SET string:{i} {'v' * (i + 1)}" for i in range(count)]
    lines += [f"RPUSH list {i}" for i in range(count)]
    lines += [f"HSET hash f{i} {i}" for i in range(count)]
    lines += [f"SADD set m{i}" for i in range(count)]
    lines += [f"ZADD zset {i} m{i}" for i in range(count)]
    replies = cli(server, stdin="\n".join(lines).encode()).split()
    assert len(replies) == 5 * count
    assert set(replies) <= {"OK", *map(str, range(1, count + 1))}


def test_commands_of_the_line(server: Server) -> None:
    assert cli(server, "SET", "k", "a b") == "OK\n"
    assert cli(server, "GET", "k") == "a b\n"
    assert cli(server, "-n", "3", "EXISTS", "k") == "0\n"
    assert cli(server, "INCR", "k") == "ERR value is not an integer or out of range\n\n"
    assert cli(server, "-x", "SET", "k", stdin=b"from stdin") == "OK\n"
    assert cli(server, "--raw", "GET", "k") == "from stdin\n"
    assert cli(server, "-r", "5", "-i", "0", "INCR", "n").split() == ["1", "2", "3", "4", "5"]


def test_resp3(server: Server) -> None:
    cli(server, "HSET", "h", "a", "1", "b", "2")
    assert cli(server, "-3", "--no-raw", "HGETALL", "h").split("\n")[:2] == [
        '1# "a" => "1"',
        '2# "b" => "2"',
    ]
    cli(server, "ZADD", "z", "1.5", "m")
    assert "(double) 1.5" in cli(server, "-3", "--no-raw", "ZSCORE", "z", "m")
    assert cli(server, "-3", "--json", "HGETALL", "h") == '{"a":"1","b":"2"}\n'


def test_pipe(server: Server) -> None:
    data = b"".join(encode("SET", f"key:{i}", i) for i in range(20_000))
    text = cli(server, "--pipe", stdin=data + encode("LPUSH", "key:1", "x"))
    assert "errors: 1, replies: 20001" in text
    assert cli(server, "DBSIZE") == "20000\n"


def test_scan(server: Server) -> None:
    fill(server)
    assert len(set(cli(server, "--scan").split())) == 304
    found = cli(server, "--scan", "--pattern", "string:2?").split()
    assert sorted(found) == [f"string:{i}" for i in range(20, 30)]


@pytest.mark.parametrize("option", ["--bigkeys", "--memkeys"])
def test_what_is_large(server: Server, option: str) -> None:
    fill(server)
    text = cli(server, option)
    assert "Sampled 304 keys in the keyspace!" in text
    biggest = dict(re.findall(r"^Biggest +(\w+) found [\"']+(.*?)[\"']+ has", text, re.MULTILINE))
    assert biggest.pop("string").startswith("string:2")
    assert biggest == {kind: kind for kind in ("list", "hash", "set", "zset")}


def test_hotkeys_need_an_lfu_policy(server: Server) -> None:
    fill(server, 20)
    assert "An LFU maxmemory policy is not selected" in cli(server, "--hotkeys")


def test_statistics(server: Server) -> None:
    argv = ["redis-cli", "-p", str(server.port), "--stat", "-i", "0.1"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as stat:
        assert stat.stdout
        lines = [stat.stdout.readline() for _ in range(5)]
        stat.terminate()
    assert "keys" in lines[1]
    assert lines[2].split()[0] == "0"


BENCHMARKS = "ping_inline ping_mbulk set get incr lpush rpush lpop rpop sadd hset spop zadd zpopmin"
BENCHMARKS += " lrange_100 lrange_300 lrange_500 lrange_600 mset"


@pytest.mark.parametrize("options", [["-P", "16"], ["-P", "1"], ["-P", "8", "--threads", "2"]])
def test_benchmark(server: Server, options: list[str]) -> None:
    argv = ["redis-benchmark", "-p", str(server.port), "-n", "3000", "-r", "1000", "-c", "20"]
    argv += ["--csv", "-t", BENCHMARKS.replace(" ", ","), *options]
    done = subprocess.run(argv, capture_output=True, timeout=100, check=False, text=True)
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert len(rows) == 20, done.stdout + done.stderr  # LPUSH once more, for LRANGE
    assert all(float(row["rps"]) > 0 for row in rows)
    assert "rror" not in done.stdout + done.stderr
