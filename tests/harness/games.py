"""Games of two servers: which commands, which settings, which steps a seed makes."""

import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from shmredis.commands.docs import command_docs
from tests.harness.match import Match, Side, Step
from tests.harness.resp import Client
from tests.harness.server import running
from tests.harness.steady import SteadyGrammar
from tests.interop import peers

__all__ = ["SETTINGS", "drawn_settings", "drawn_steps", "names_of", "pairing"]

GROUPS = (
    "generic",
    "string",
    "list",
    "set",
    "sorted-set",
    "hash",
    "stream",
    "bitmap",
    "hyperloglog",
)
GROUPS += ("geo", "transactions", "array")
# They talk to other servers, wait for them, or begin what transaction() begins.
LEFT_OUT = {"MIGRATE", "WAIT", "WAITAOF", "MULTI", "PFSELFTEST"}
HELP = "|HELP"  # everyone's own words
# Usual values first; the others have encodings change early.
SETTINGS: dict[str, tuple[str, ...]] = {
    "hash-max-listpack-entries": ("512", "3"),
    "hash-max-listpack-value": ("64", "8"),
    "set-max-intset-entries": ("512", "4"),
    "set-max-listpack-entries": ("128", "4"),
    "set-max-listpack-value": ("64", "8"),
    "zset-max-listpack-entries": ("128", "4"),
    "zset-max-listpack-value": ("64", "8"),
    "list-max-listpack-size": ("-2", "4", "1"),
    "list-compress-depth": ("0", "0", "1"),
    "stream-node-max-entries": ("100", "3"),
    "stream-node-max-bytes": ("4096", "100"),
    "array-slice-size": ("4096", "256"),
    "array-sparse-kmax": ("10", "6"),
    "hll-sparse-max-bytes": ("3000", "40"),
    "rdbcompression": ("yes", "no"),
    "proto-max-bulk-len": ("1mb",),
}
CLIENTS = 3


def names_of(client: Client, only: str) -> list[str]:
    """Commands of the groups that are compared; their subcommands as "OBJECT|ENCODING"."""
    docs, wanted = command_docs(), only.upper().split(",") if only else []
    names = [row[0].decode().upper() for row in client.value("COMMAND")]
    names += [sub[0].decode().upper() for row in client.value("COMMAND") for sub in row[9]]
    found = [name for name in names if name in docs and docs[name].group in GROUPS]
    found = [name for name in found if name not in LEFT_OUT and not name.endswith(HELP)]
    return [n for n in found if not wanted or n in wanted or docs[n].group.upper() in wanted]


@contextmanager
def pairing(redis: str, workers: int) -> Iterator[Match]:
    """Both servers, started."""
    logs = {"appendonly": "yes", "appendfsync": "no", "auto-aof-rewrite-percentage": "0"}
    options = [word for name, value in logs.items() for word in (f"--{name}", value)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer = stack.enter_context(peers.running(redis, folder, **logs))
        server = stack.enter_context(running("--warm-restart", "no", *options, workers=workers))
        sides = [Side(port, logs=workers == 1) for port in (peer.port, server.port)]
        for side in sides:
            stack.callback(side.close)
        yield Match(*sides, in_order=workers == 1)


def drawn_settings(rng: random.Random) -> dict[str, str]:
    """Limits of encodings and the like, for one game."""
    return {name: rng.choice(values) for name, values in SETTINGS.items()}


def drawn_steps(rng: random.Random, names: list[str], match: Match, steps: int) -> Iterator[Step]:
    """What the clients say; `names` of commands."""
    grammar, told = SteadyGrammar(rng, names), 0
    while told < steps:
        client, grammar.payloads = rng.randrange(CLIENTS), match.payloads
        kind = rng.random()
        one = grammar.script if kind < 0.08 else grammar.command
        several = grammar.transaction() if kind < 0.05 else [one()]
        for words in several:
            if rng.random() < 0.1:
                yield Step((client + 1) % CLIENTS, grammar.command())
            yield Step(client, words)
            told += 1
