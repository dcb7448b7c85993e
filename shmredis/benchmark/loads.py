"""Throughput and CPU time per operation: the same load on all servers in turns."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from shmredis.benchmark import generator, processes, redis_benchmark
from shmredis.benchmark.audience import listening
from shmredis.benchmark.measurement import Measurement, Section, in_turns
from shmredis.benchmark.servers import Server
from shmredis.benchmark.workloads import Shape, Workload

__all__ = ["Generator", "LoadOptions", "measure_loads", "pick_generator"]

Generator = Callable[[int, list[str], int, int, int, int], float]
"""port, words, clients, pipeline, requests, keyspace -> operations per second"""

TRIAL_REQUESTS = 20_000


@dataclass(slots=True, frozen=True)
class LoadOptions:
    """Which loads to run; `requests` of 0 means as many as take about `seconds`."""

    workloads: Sequence[Workload]
    clients: int
    pipelines: Sequence[int]
    requests: int
    seconds: float
    rounds: int
    keyspace: int
    value: str
    generate: Generator


def pick_generator(name: str) -> Generator:
    """By name: redis-benchmark, python, or auto for the first that is there. Raises: ValueError."""
    if name == "python" or (name == "auto" and not redis_benchmark.available()):
        return generator.run
    if not redis_benchmark.available():
        raise ValueError("redis-benchmark is not on PATH")
    return redis_benchmark.run


def measure_loads(servers: Sequence[Server], options: LoadOptions) -> Iterator[Measurement]:
    """Two measurements for each load: operations per second, and CPU microseconds per operation."""
    for pipeline in options.pipelines:
        for workload in options.workloads:
            yield from compare(servers, workload, pipeline, options)


def compare(
    servers: Sequence[Server], workload: Workload, pipeline: int, options: LoadOptions
) -> list[Measurement]:
    """One load on all servers; each round begins with another one of them."""
    subject = f"{workload.name}, pipeline {pipeline}"
    throughput = Measurement(Section.THROUGHPUT, subject, "op/s")
    cpu = Measurement(Section.CPU, subject, "us/op")
    requests = options.requests or requests_for(servers, workload, pipeline, options)
    for server in in_turns(servers, options.rounds):
        rate, cost = run_once(server, workload, pipeline, requests, options)
        throughput.add(server.name, rate)
        cpu.add(server.name, cost)
    return [throughput, cpu]


def requests_for(
    servers: Sequence[Server], workload: Workload, pipeline: int, options: LoadOptions
) -> int:
    """How many requests the fastest server does in `options.seconds`, by a trial on each."""
    rates = [run_once(server, workload, pipeline, TRIAL_REQUESTS, options)[0] for server in servers]
    return max(TRIAL_REQUESTS, int(max(rates) * options.seconds))


def run_once(
    server: Server, workload: Workload, pipeline: int, requests: int, options: LoadOptions
) -> tuple[float, float]:
    """Operations per second, and the server's CPU microseconds per operation."""
    shape = Shape(options.keyspace, requests, options.value)
    with server.connect() as connection:
        connection.call(b"FLUSHALL", b"SYNC")
        connection.pour(workload.prepare(shape))
    generate = generator.run if workload.joined else options.generate
    with listening(server, workload.audience):
        before = processes.cpu_times(server.pid)
        rate = generate(
            server.port, workload.argv(shape), options.clients, pipeline, requests, options.keyspace
        )
        after = processes.cpu_times(server.pid)
    return rate, processes.cpu_us_between(before, after) / requests
