"""All that shmredis-benchmark durability measures: snapshots, restarts, the append-only file, deaths."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shmredis.benchmark.dying import measure_deaths
from shmredis.benchmark.loads import LoadOptions, compare
from shmredis.benchmark.measurement import Measurement
from shmredis.benchmark.restarting import measure_restarts
from shmredis.benchmark.saving import measure_saving
from shmredis.benchmark.servers import Target, all_running
from shmredis.benchmark.workloads import WORKLOADS

__all__ = ["PARTS", "DurabilityOptions", "measure_durability"]

PARTS = ("saving", "restarts", "logs", "deaths")


@dataclass(slots=True, frozen=True)
class DurabilityOptions:
    """Which parts, and how much of everything."""

    parts: Sequence[str]
    keys: int
    rounds: int
    load: LoadOptions


def measure_durability(
    targets: Sequence[Target], options: DurabilityOptions
) -> Iterator[Measurement]:
    """Part by part."""
    if "saving" in options.parts:
        yield from measure_saving(targets, options.keys, options.rounds, options.load)
    if "restarts" in options.parts:
        yield from measure_restarts(targets, options.keys, options.rounds)
    if "logs" in options.parts:
        yield from measure_logs(targets, options.load)
    if "deaths" in options.parts:
        yield from measure_deaths(options.rounds)


def measure_logs(targets: Sequence[Target], load: LoadOptions) -> Iterator[Measurement]:
    """SET with the append-only file on: synced every second at all pipelines, and at each write."""
    for policy, pipelines in (("everysec", load.pipelines), ("always", (1,))):
        with all_running(targets, "--appendonly", "yes", "--appendfsync", policy) as servers:
            for pipeline in pipelines:
                for row in compare(servers, WORKLOADS["SET"], pipeline, load):
                    yield replace(row, subject=f"{row.subject}, appendfsync {policy}")
