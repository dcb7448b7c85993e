"""The arguments of shmredis-benchmark: one table per subject, and the types of their values."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shmredis.benchmark.durability import PARTS as DURABILITY_PARTS
from shmredis.benchmark.workloads import WORKLOADS

__all__ = ["COMPARE_PARTS", "USUAL_PARTS", "parse"]

COMPARE_PARTS = ("loads", "handover", "memory", "pauses", "scaling")
USUAL_PARTS = ("loads", "handover", "memory", "pauses")


# --- types ---


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


# --- tables ---


@dataclass(slots=True, frozen=True)
class Argument:
    """One row: the flag, its help, and what argparse is told of its value."""

    flag: str
    help: str
    type: Any = str
    default: Any = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def add_to(self, command: argparse.ArgumentParser) -> None:
        command.add_argument(
            self.flag, help=self.help, type=self.type, default=self.default, **self.more
        )


def repeated(flag: str, metavar: str, text: str) -> Argument:
    """One that can be given several times."""
    return Argument(flag, text, default=[], more={"action": "append", "metavar": metavar})


def parts(known: Sequence[str], usual: str) -> Argument:
    return Argument("--parts", f"what to measure: {','.join(known)} (default: {usual})", words)


SERVERS = (
    repeated(
        "--peer",
        "NAME=PATH",
        "a redis-server or valkey-server to compare with; "
        "without any, redis-server and valkey-server of PATH",
    ),
    repeated("--option", "DIRECTIVE", "a directive for shmredis, as in --option 'workers 2'"),
)

LOADS = (
    Argument("--commands", "loads to run", words, list(WORKLOADS)),
    repeated(
        "--command",
        "TEXT",
        "a command of your own, with __rand_int__ for random numbers; ' ; ' joins several",
    ),
    Argument("--clients", "connections of a load", positive, 50),
    Argument("--pipeline", "commands in flight on a connection", numbers, [1, 16]),
    Argument("--requests", "requests of a run; 0: --seconds", int, 0),
    Argument("--seconds", "length of a run", positive_float, 1.0),
    Argument("--keyspace", "different keys", positive, 100_000),
    Argument("--value-size", "bytes of a value", positive, 3),
    Argument(
        "--generator",
        "who makes the load; commands that are joined always come from Python",
        default="auto",
        more={"choices": ("auto", "redis-benchmark", "python")},
    ),
)

RESULTS = (
    Argument("--rounds", "rounds of everything but memory", positive, 3),
    Argument("--json", "write everything there", Path, more={"metavar": "FILE"}),
)

COMPARE = (
    parts(COMPARE_PARTS, "all but scaling"),
    Argument(
        "--workers",
        "also compare shmredis with so many workers (part scaling; default: 1,2,4)",
        numbers,
        more={"metavar": "N,N..."},
    ),
    Argument("--scale", "factor of all sizes of memory and pauses", positive_float, 1.0),
    Argument("--pause-keys", "keys of the growing table", positive, 10_000_000),
)

DURABILITY = (
    parts(DURABILITY_PARTS, "all"),
    Argument("--keys", "values of 512 bytes that are saved; usually 2 GiB", positive, 4 << 20),
)


@dataclass(slots=True, frozen=True)
class Subject:
    """A subcommand: what it is for, and its own arguments."""

    help: str
    own: Sequence[Argument]

    def add_to(self, command: argparse.ArgumentParser) -> None:
        for argument in (*SERVERS, *LOADS, *self.own, *RESULTS):
            argument.add_to(command)


SUBJECTS: Mapping[str, Subject] = MappingProxyType(
    {
        "compare": Subject("run the same on shmredis and on other servers, in turns", COMPARE),
        "durability": Subject(
            "what snapshots, restarts, logs and deaths cost, on shmredis and on other servers",
            DURABILITY,
        ),
    }
)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments as attributes; `subject` is compare or durability. Ends the program if wrong."""
    parser = argparse.ArgumentParser(prog="shmredis-benchmark")
    commands = parser.add_subparsers(dest="subject", required=True, metavar="|".join(SUBJECTS))
    for name, subject in SUBJECTS.items():
        subject.add_to(
            commands.add_parser(
                name,
                help=subject.help,
                formatter_class=argparse.ArgumentDefaultsHelpFormatter,
            )
        )
    return parser.parse_args(argv)
