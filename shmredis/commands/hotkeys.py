"""HOTKEYS: which keys take most of the processor's time and of the network.

Each worker counts the commands that it executes (csrc/net/hotkeys.h); a session is one for all workers, and
what they have found is added here.
"""

from dataclasses import dataclass
from typing import Any

from shmredis._core import ffi, lib
from shmredis.commands.arguments import integer, syntax_error, word
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.hotkey_figures import METRICS, Findings, merge_findings, read_findings
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import OK, CommandError, Reply

container("HOTKEYS")

ADMIN = Flag.ADMIN | Flag.NOSCRIPT
DEFAULT_COUNT, MOST_KEYS = 10, 64
LONGEST_S = 1_000_000
ALL_SLOTS: Reply = [[0, 16383]]
RUNNING = "ERR hotkey tracking session already in progress"
STOP_FIRST = "ERR hotkey tracking session in progress, stop tracking first"


# --- what is asked for ---


@dataclass(slots=True)
class Plan:
    """A session as START describes it."""

    metrics: list[str]
    count: int = DEFAULT_COUNT
    sample: int = 1
    duration_s: int = 0

    def struct(self) -> Any:
        cpu, net = ("CPU" in self.metrics), ("NET" in self.metrics)
        return ffi.new(
            "struct hotkeys_plan *", [cpu, net, self.count, self.sample, self.duration_s * 1000]
        )


def parse_plan(argv: list[bytes]) -> Plan:
    """The arguments of START. Raises: CommandError."""
    if not argv or word(argv[0]) != "METRICS" or len(argv) < 2:
        raise CommandError("ERR METRICS parameter is required")
    number = integer(argv[1], "ERR METRICS count must be > 0 and <= 2", 1, 2)
    plan = Plan(_metrics(argv[2:], number))
    options = argv[2 + number :]
    for name, value in zip(options[::2], [*options[1::2], None], strict=False):
        if value is None:
            raise syntax_error()
        _take_option(plan, word(name), value)
    return plan


def _metrics(words: list[bytes], number: int) -> list[str]:
    """So many metrics; a word that is none is passed over if there is one besides."""
    if len(words) < number:
        raise CommandError("ERR METRICS count does not match number of metric types provided")
    metrics: list[str] = []
    for name in map(word, words[:number]):
        if name in metrics:
            raise CommandError(f"ERR METRICS {name} defined more than once!")
        if name in METRICS:
            metrics.append(name)
    if not metrics:
        raise CommandError("ERR METRICS no valid metrics passed. Supported: CPU|NET")
    return metrics


def _take_option(plan: Plan, name: str, value: bytes) -> None:
    match name:
        case "COUNT":
            plan.count = integer(value, "ERR COUNT must be between 1 and 64", 1, MOST_KEYS)
        case "DURATION":
            error = "ERR DURATION must be between 1 and 1000000"
            plan.duration_s = integer(value, error, 1, LONGEST_S)
        case "SAMPLE":
            plan.sample = integer(value, "ERR SAMPLE ratio must be positive", 1, 2**31 - 1)
        case "SLOTS":
            raise CommandError("ERR SLOTS parameter cannot be used in non-cluster mode")
        case _:
            raise syntax_error()


# --- what was found ---


def _heaviest(found: Findings, metric: str, unit: int) -> Reply:
    """Keys and their weights, one after the other; those that weigh nothing in this unit are left out."""
    top = [(key, weight // unit) for key, weight in found.keys[metric].most_common(found.count)]
    return [item for pair in top if pair[1] for item in pair]


def _told(found: Findings) -> Reply:
    told: dict[str, Reply] = {
        "tracking-active": int(found.active),
        "sample-ratio": found.sample,
        "selected-slots": ALL_SLOTS,
        "all-commands-all-slots-us": found.all_ns // 1000,
        "net-bytes-all-commands-all-slots": found.all_bytes,
        "collection-start-time-unix-ms": found.start_ms,
        "collection-duration-ms": found.duration_ms,
    }
    if "CPU" in found.keys:
        told["total-cpu-time-user-ms"] = found.user_ms
        told["total-cpu-time-sys-ms"] = found.system_ms
    if "NET" in found.keys:
        told["total-net-bytes"] = found.sampled_bytes
    if "CPU" in found.keys:
        told["by-cpu-time-us"] = _heaviest(found, "CPU", 1000)
    if "NET" in found.keys:
        told["by-net-bytes"] = _heaviest(found, "NET", 1)
    return [told]


# --- the commands ---


def _is_active(ctx: Context) -> bool:
    found = read_findings(ctx.server)
    return bool(found and found.active)


@command("HOTKEYS START", arity=-2, flags=ADMIN)
@everywhere()
def hotkeys_start(ctx: Context) -> Reply:
    if _is_active(ctx):
        raise CommandError(RUNNING)
    plan = parse_plan(ctx.argv[2:])
    lib.engine_hotkeys_start(ctx.engine.handle, plan.struct())
    return OK


def _ok_if_any(_ctx: Context, stopped: list[bool]) -> Reply:
    return OK if any(stopped) else None


@command("HOTKEYS STOP", arity=2, flags=ADMIN)
@everywhere(_ok_if_any)
def hotkeys_stop(ctx: Context) -> bool:
    return bool(lib.engine_hotkeys_stop(ctx.engine.handle))


@command("HOTKEYS RESET", arity=2, flags=ADMIN)
@everywhere()
def hotkeys_reset(ctx: Context) -> Reply:
    if _is_active(ctx):
        raise CommandError(STOP_FIRST)
    lib.engine_hotkeys_reset(ctx.engine.handle)
    return OK


def _all_told(_ctx: Context, parts: list[Findings | None]) -> Reply:
    found = merge_findings(parts)
    return _told(found) if found else None


@command("HOTKEYS GET", arity=2, flags=ADMIN)
@everywhere(_all_told)
def hotkeys_get(ctx: Context) -> Findings | None:
    return read_findings(ctx.server)
