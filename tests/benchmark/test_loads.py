"""Every load runs, with both generators, and reaches the server."""

import pytest

from shmredis.benchmark import generator, redis_benchmark
from shmredis.benchmark.audience import listening
from shmredis.benchmark.loads import Generator, LoadOptions, measure_loads
from shmredis.benchmark.redis_benchmark import LoadError
from shmredis.benchmark.servers import Server as BenchmarkServer, find_targets
from shmredis.benchmark.workloads import CHANNEL, WORKLOADS, Workload, arbitrary
from tests.harness.resp import Client
from tests.harness.server import Server

GENERATORS = [
    pytest.param(generator.run, id="python"),
    pytest.param(
        redis_benchmark.run,
        id="redis-benchmark",
        marks=pytest.mark.skipif(not redis_benchmark.available(), reason="not installed"),
    ),
]
GROWN = {
    "SET": ("DBSIZE",),
    "LPUSH": ("LLEN", "mylist"),
    "SADD": ("SCARD", "myset"),
    "HSET": ("HLEN", "myhash"),
    "ZADD": ("ZCARD", "myzset"),
    "XADD": ("XLEN", "mystream"),
    "MULTI": ("DBSIZE",),
    "PFADD": ("PFCOUNT", "myhll"),
}


def options(generate: Generator, *loads: Workload, requests: int = 160) -> LoadOptions:
    return LoadOptions(loads, 4, (1, 8), requests, 0.01, 2, 100, "xxx", generate)


def benchmark_server(server: Server) -> BenchmarkServer:
    return BenchmarkServer(find_targets([])[0], server.port, server.process.pid)


@pytest.mark.parametrize("generate", GENERATORS)
def test_all_loads_are_measured(shared_server: Server, generate: Generator) -> None:
    loads = list(WORKLOADS.values())
    rows = list(measure_loads([benchmark_server(shared_server)], options(generate, *loads)))
    assert len(rows) == len(loads) * 2 * 2
    assert all(len(row.samples["shmredis"]) == 2 for row in rows)
    assert all(value > 0 for row in rows for value in row.samples["shmredis"])


@pytest.mark.parametrize("generate", GENERATORS)
@pytest.mark.parametrize("name", GROWN)
def test_a_load_writes(
    client: Client, shared_server: Server, generate: Generator, name: str
) -> None:
    list(measure_loads([benchmark_server(shared_server)], options(generate, WORKLOADS[name])))
    assert client.value(*GROWN[name]) > 1


def test_the_python_generator_sends_all_requests(client: Client, shared_server: Server) -> None:
    generator.run(shared_server.port, ["INCR", "sum"], 3, 7, 70, 1)
    assert client.value("GET", "sum") == b"71"  # one more asks what a reply looks like


def test_joined_commands_are_one_operation(client: Client, shared_server: Server) -> None:
    joined = ["INCR", "sum", ";", "INCRBY", "sum", "100"]
    generator.run(shared_server.port, joined, 2, 3, 12, 1)
    assert client.value("GET", "sum") == b"1313"


def test_the_audience_gets_what_is_published(client: Client, shared_server: Server) -> None:
    server = benchmark_server(shared_server)
    with listening(server, 3):
        assert client.value("PUBLISH", CHANNEL, "hello") == 3
        generator.run(shared_server.port, ["PUBLISH", CHANNEL, "x" * 1000], 2, 8, 800, 1)


@pytest.mark.parametrize("generate", GENERATORS)
def test_an_error_reply_ends_the_run(shared_server: Server, generate: Generator) -> None:
    rows = measure_loads([benchmark_server(shared_server)], options(generate, arbitrary("NOSUCH")))
    with pytest.raises(LoadError, match="NOSUCH"):
        next(rows)
