"""shmredis-benchmark: the arguments, and the order of the measurements."""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from shmredis.benchmark.connection import ReplyError
from shmredis.benchmark.durability import (
    PARTS as DURABILITY_PARTS,
    DurabilityOptions,
    measure_durability,
)
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

PARTS = ("loads", "memory", "pauses", "scaling")
USUAL_PARTS = ("loads", "memory", "pauses")
USUAL_WORKERS = (1, 2, 4)
PAUSE_KEYS = 10_000_000
PAUSE_MEMBERS = 1_000_000
DURABLE_KEYS = 4 << 20  # 2 GiB


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point; the exit status is 0 if everything was measured."""
    args = parser().parse_args(argv)
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
    known = DURABILITY_PARTS if durable else PARTS
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


def parser() -> argparse.ArgumentParser:
    """All subcommands with their options."""
    result = argparse.ArgumentParser(prog="shmredis-benchmark")
    commands = result.add_subparsers(dest="subject", required=True, metavar="compare|durability")
    add_compare(commands)
    add_durability(commands)
    return result


def add_durability(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "durability",
        help="what snapshots, restarts, logs and deaths cost, on shmredis and on other servers",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_server_options(command)
    add_load_options(command)
    command.add_argument(
        "--parts",
        type=words,
        help=f"what to measure: {','.join(DURABILITY_PARTS)} (default: all)",
    )
    command.add_argument(
        "--keys", type=positive, default=DURABLE_KEYS, help="values of 512 bytes that are saved"
    )
    command.add_argument("--rounds", type=positive, default=3, help="rounds of everything")
    command.add_argument("--json", type=Path, metavar="FILE", help="write everything there")


def add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "compare",
        help="run the same on shmredis and on other servers, in turns",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_server_options(command)
    add_load_options(command)
    command.add_argument(
        "--parts",
        type=words,
        help=f"what to measure: {','.join(PARTS)} (default: all but scaling)",
    )
    command.add_argument(
        "--workers",
        type=numbers,
        metavar="N,N...",
        help="also compare shmredis with so many workers (part scaling; default: 1,2,4)",
    )
    command.add_argument(
        "--scale",
        type=positive_float,
        default=1.0,
        help="factor of all sizes of memory and pauses",
    )
    command.add_argument(
        "--pause-keys", type=positive, default=PAUSE_KEYS, help="keys of the growing table"
    )
    command.add_argument("--rounds", type=positive, default=3, help="rounds of loads and pauses")
    command.add_argument("--json", type=Path, metavar="FILE", help="write everything there")


def add_server_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a redis-server or valkey-server to compare with; "
        "without any, redis-server and valkey-server of PATH",
    )
    command.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="DIRECTIVE",
        help="a directive for shmredis, as in --option 'workers 2'",
    )


def add_load_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--commands", type=words, default=list(WORKLOADS), help="loads to run")
    command.add_argument(
        "--command",
        action="append",
        default=[],
        metavar="TEXT",
        help="a command of your own, with __rand_int__ for random numbers",
    )
    command.add_argument("--clients", type=positive, default=50, help="connections of a load")
    command.add_argument(
        "--pipeline", type=numbers, default=[1, 16], help="commands in flight on a connection"
    )
    command.add_argument("--requests", type=int, default=0, help="requests of a run; 0: --seconds")
    command.add_argument("--seconds", type=positive_float, default=1.0, help="length of a run")
    command.add_argument("--keyspace", type=positive, default=100_000, help="different keys")
    command.add_argument("--value-size", type=positive, default=3, help="bytes of a value")
    command.add_argument(
        "--generator", choices=("auto", "redis-benchmark", "python"), default="auto"
    )


def words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def numbers(text: str) -> list[int]:
    return [positive(word) for word in words(text)]


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


def positive_float(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


if __name__ == "__main__":
    main()
