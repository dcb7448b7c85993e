"""What more workers bring and cost: the same loads on servers of 1, 2, 4 workers, in turns.

Rounds are interleaved, and ratios are taken round by round, so that a machine which others use too tells
something. CPU time is that of all processes of a server: with more workers than cores it says what
throughput on a machine with enough of them would be.
"""

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from shmredis.benchmark.connecting import measure_connecting
from shmredis.benchmark.connection import Connection, encode
from shmredis.benchmark.loads import LoadOptions, requests_for, run_once
from shmredis.benchmark.measurement import Measurement, Section, in_turns
from shmredis.benchmark.servers import Server, Target
from shmredis.benchmark.workloads import WORKLOADS, Workload
from shmredis.slots import key_slot, slot_owner

__all__ = ["COMMANDS", "FEW", "measure_scaling", "targets_of"]

COMMANDS = ("GET", "SET", "MSET")
FEW = 4
"""Connections of a load that does not have many."""
HOP_TURNS = 1000


def targets_of(workers: Sequence[int], directives: Sequence[str] = ()) -> list[Target]:
    """A server for each number of workers. `directives` are words, as in "--maxmemory", "1gb"."""
    program = (sys.executable, "-m", "shmredis.front.main", *directives)
    return [Target(name_of(n), (*program, "--workers", str(n)), ours=True) for n in workers]


def name_of(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"


def measure_scaling(servers: Sequence[Server], options: LoadOptions) -> Iterator[Measurement]:
    """The loads with few connections and with many, new connections, what one hop adds."""
    for clients in sorted({min(FEW, options.clients), options.clients}):
        for pipeline in options.pipelines:
            for name in COMMANDS:
                some = replace(options, clients=clients)
                yield from compare(servers, WORKLOADS[name], pipeline, some)
    yield from measure_connecting(servers, options)
    yield from measure_hops(servers, options.rounds)


# --- loads ---


def compare(
    servers: Sequence[Server], workload: Workload, pipeline: int, options: LoadOptions
) -> list[Measurement]:
    """One load on all servers; each round begins with another one of them."""
    subject = f"{workload.name}, pipeline {pipeline}, {options.clients} connections"
    rate = Measurement(Section.SCALED_RATE, subject, "op/s")
    cpu = Measurement(Section.SCALED_CPU, subject, "us/op")
    per_core = Measurement(Section.PER_CORE, subject, "op/s")
    requests = options.requests or requests_for(servers, workload, pipeline, options)
    for server in in_turns(servers, options.rounds):
        operations, cost = run_once(server, workload, pipeline, requests, options)
        rate.add(server.name, operations)
        cpu.add(server.name, cost)
        if cost:
            per_core.add(server.name, 1e6 / cost)
    return [rate, cpu, per_core]


# --- one hop ---


def measure_hops(servers: Sequence[Server], rounds: int) -> Iterator[Measurement]:
    """Medians of one client's waits for keys of its own worker and of another, and the difference."""
    several = [server for server in servers if workers_of(server) > 1]
    for words in ((b"GET",), (b"SET", b"value")):
        command = words[0].decode()
        rows = [
            Measurement(Section.HOP, f"{command}, {what}", "us")
            for what in ("own key", "another worker's key", "added")
        ]
        for _ in range(rounds if several else 0):
            for server in several:
                own, other = hop_medians(server, words)
                for row, value in zip(rows, (own, other, other - own), strict=True):
                    row.add(server.name, value)
        yield from (row for row in rows if row.samples)


def workers_of(server: Server) -> int:
    return int(server.target.argv[-1])


def hop_medians(server: Server, words: Sequence[bytes]) -> tuple[float, float]:
    """Microseconds, of a key of the connection's own worker and of one of another."""
    total = workers_of(server)
    own, other = key_of(0, total), key_of(total - 1, total)
    waits: dict[bytes, list[float]] = {own: [], other: []}
    with server.connect() as connection:
        connection.call(b"EXISTS", own)  # the front brings it to this key's worker
        ask = {key: encode(words[0], key, *words[1:]) for key in waits}
        for _ in range(HOP_TURNS):
            for key in (own, other, own):  # mostly its own, so that it stays
                waits[key].append(wait_us(connection, ask[key]))
    return statistics.median(waits[own]), statistics.median(waits[other])


def wait_us(connection: Connection, command: bytes) -> float:
    begin = time.perf_counter()
    connection.send(command)
    connection.read()
    return (time.perf_counter() - begin) * 1e6


def key_of(worker: int, workers: int) -> bytes:
    """A key that this worker owns."""
    names = (b"key:%d" % n for n in count())
    return next(name for name in names if slot_owner(key_slot(name), workers) == worker)
