"""shmredis-benchmark: the order of the measurements."""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence

from rich.console import Console

from shmredis.benchmark.arguments import COMPARE_PARTS, USUAL_PARTS, parse
from shmredis.benchmark.connection import ReplyError
from shmredis.benchmark.durability import (
    PARTS as DURABILITY_PARTS,
    DurabilityOptions,
    measure_durability,
)
from shmredis.benchmark.handover import measure_handover
from shmredis.benchmark.loads import LoadOptions, measure_loads, pick_generator
from shmredis.benchmark.measurement import Measurement
from shmredis.benchmark.memory import measure_memory
from shmredis.benchmark.pauses import measure_pauses
from shmredis.benchmark.redis_benchmark import LoadError
from shmredis.benchmark.report import as_json, print_tables, write_json
from shmredis.benchmark.scaling import measure_scaling, targets_of
from shmredis.benchmark.servers import StartError, Target, all_running, find_targets
from shmredis.benchmark.workloads import WORKLOADS, Workload, arbitrary

__all__ = ["main"]

USUAL_WORKERS = (1, 2, 4)
PAUSE_MEMBERS = 1_000_000


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point; the exit status is 0 if everything was measured."""
    args = parse(argv)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    try:
        report(args)
    except (ValueError, StartError, LoadError, ReplyError, OSError) as error:
        print(f"shmredis-benchmark: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def report(args: argparse.Namespace) -> None:
    """Measures all parts on all servers, prints the tables and writes the file."""
    targets = find_targets(args.peer, args.option)
    durable = args.subject == "durability"
    known = DURABILITY_PARTS if durable else COMPARE_PARTS
    args.parts = args.parts or DURABILITY_PARTS if durable else parts_of(args)
    if unknown := set(args.parts) - set(known):
        raise ValueError(f"no part {', '.join(unknown)}; there are {', '.join(known)}")
    measure = durability if durable else comparison
    with all_running(targets) as servers:
        versions = {server.name: server.version() for server in servers}
    measurements = []
    console = Console(stderr=True)
    with console.status("starting") as status:
        for row in measure(targets, args):
            measurements.append(row)
            status.update(f"{row.section.value}: {row.subject}")
    print_tables(Console(), versions, measurements)
    if args.json:
        options = {name: value for name, value in vars(args).items() if name != "json"}
        write_json(args.json, as_json(versions, measurements, options))


def durability(targets: Sequence[Target], args: argparse.Namespace) -> Iterator[Measurement]:
    """Of shmredis-benchmark durability."""
    options = DurabilityOptions(args.parts, args.keys, args.rounds, load_options(args))
    return measure_durability(targets, options)


def comparison(targets: Sequence[Target], args: argparse.Namespace) -> Iterator[Measurement]:
    """Of shmredis-benchmark compare: all measurements of the parts that were asked for."""
    if "loads" in args.parts:
        with all_running(targets) as servers:
            yield from measure_loads(servers, load_options(args))
    if "handover" in args.parts:
        with all_running(targets) as servers:
            yield from measure_handover(servers, args.rounds, args.requests)
    if "memory" in args.parts:
        yield from measure_memory(targets, args.scale)
    if "pauses" in args.parts:
        keys, members = (max(1, int(n * args.scale)) for n in (args.pause_keys, PAUSE_MEMBERS))
        yield from measure_pauses(targets, keys, members, args.rounds)
    if "scaling" in args.parts:
        with all_running(targets_of(args.workers or USUAL_WORKERS)) as servers:
            yield from measure_scaling(servers, load_options(args))


def parts_of(args: argparse.Namespace) -> list[str]:
    """What to measure: what was asked for, and scaling if workers were named."""
    parts = list(args.parts or USUAL_PARTS)
    return parts if not args.workers or "scaling" in parts else [*parts, "scaling"]


def load_options(args: argparse.Namespace) -> LoadOptions:
    return LoadOptions(
        workloads=workloads(args.commands, args.command),
        clients=args.clients,
        pipelines=args.pipeline,
        requests=args.requests,
        seconds=args.seconds,
        rounds=args.rounds,
        keyspace=args.keyspace,
        value="x" * args.value_size,
        generate=pick_generator(args.generator),
    )


def workloads(names: Sequence[str], commands: Sequence[str]) -> list[Workload]:
    """Those with the names, then the user's own. Raises: ValueError with a text for the user."""
    unknown = [name for name in names if name.upper() not in WORKLOADS]
    if unknown:
        raise ValueError(f"no command {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    return [WORKLOADS[name.upper()] for name in names] + [arbitrary(text) for text in commands]


if __name__ == "__main__":
    main()
