"""LATENCY: slow events, and how long commands take."""

import time

from shmredis.commands.arguments import shown
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere, from_figures
from shmredis.commands.figures import COMMANDS, HISTOGRAMS, LATENCY
from shmredis.commands.histogram import cumulative
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import CommandError, Reply, Verbatim
from shmredis.commands.sparkline import sparkline
from shmredis.engine import CommandFacts, LatencyEvent

container("LATENCY")

ADMIN = Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE
GRAPH_COLUMNS = 80


def _event(ctx: Context, name: bytes) -> LatencyEvent | None:
    wanted = shown(name)
    return next((e for e in ctx.figures[LATENCY] if e.name == wanted), None)


@command("LATENCY HISTORY", arity=3, flags=ADMIN)
@from_figures(LATENCY)
def latency_history(ctx: Context) -> Reply:
    event = _event(ctx, ctx.argv[2])
    return [list(sample) for sample in event.samples] if event else []


@command("LATENCY LATEST", arity=2, flags=ADMIN)
@from_figures(LATENCY)
def latency_latest(ctx: Context) -> Reply:
    return [[e.name, e.latest_s, e.latest_ms, e.max_ms] for e in ctx.figures[LATENCY]]


def _distinct(_ctx: Context, names: list[set[str]]) -> Reply:
    return len(set().union(*names))


@command("LATENCY RESET", arity=-2, flags=ADMIN)
@everywhere(_distinct)
def latency_reset(ctx: Context) -> set[str]:
    """The names of the series that there were."""
    names = [shown(arg) for arg in ctx.argv[2:]]
    if not names:
        names = [event.name for event in ctx.engine.latency_events()]
    return {name for name in names if ctx.engine.latency_reset(name)}


@command("LATENCY GRAPH", arity=3, flags=ADMIN)
@from_figures(LATENCY)
def latency_graph(ctx: Context) -> Reply:
    event = _event(ctx, ctx.argv[2])
    if event is None:
        raise CommandError(f"ERR No samples available for event '{shown(ctx.argv[2])}'")
    return Verbatim(draw_graph(event, int(time.time())).encode())


def draw_graph(event: LatencyEvent, now_s: int) -> str:
    """The samples as columns, each with its age below it."""
    values = [ms for _, ms in event.samples]
    head = (
        f"{event.name} - high {max(values)} ms, low {min(values)} ms "
        f"(all time high {event.max_ms} ms)\n{'-' * GRAPH_COLUMNS}\n"
    )
    points = [(ms, _age(now_s - second)) for second, ms in event.samples]
    return head + sparkline(points, GRAPH_COLUMNS)


def _age(seconds: int) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(0, seconds)}s"


@command("LATENCY DOCTOR", arity=2, flags=ADMIN)
@from_figures(LATENCY)
def latency_doctor(ctx: Context) -> Reply:
    if not ctx.engine.option("latency_monitor_threshold"):
        text = (
            "The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> "
            "turns it on.\n"
        )
        return Verbatim(text.encode())
    events = ctx.figures[LATENCY]
    if not events:
        return Verbatim(b"No event was slower than latency-monitor-threshold so far.\n")
    return Verbatim("".join(_report(event) for event in events).encode())


def _report(event: LatencyEvent) -> str:
    values = [ms for _, ms in event.samples]
    mean = sum(values) / len(values)
    deviation = sum(abs(ms - mean) for ms in values) / len(values)
    advice = _ADVICE.get(event.name, "")
    return (
        f"{event.name}: {len(values)} slow seconds, {mean:.0f} ms on average, mean deviation "
        f"{deviation:.0f} ms, at worst {event.max_ms} ms.{advice}\n"
    )


_ADVICE = {
    "command": " SLOWLOG GET shows which commands were slow.",
    "fast-command": " Commands that are always quick were slow: the machine itself is too busy.",
    "expire-cycle": " Many keys expire at once: spread their expiry times.",
    "command-unblocking": " Commands that had waited for data were slow when it came.",
    "eviction-del": " Large values were evicted: lazyfree-lazy-eviction frees them later.",
    "expire-del": " Large values expired: lazyfree-lazy-expire frees them later.",
    "fork": " A snapshot or rewrite began; the system was slow to make a process.",
    "aof-write": " The disk of the append-only file is slow; the events beside it tell when.",
    "aof-fsync-always": " Each write waits for the disk: appendfsync everysec does not.",
    "aof-write-pending-fsync": " Writes waited for a sync: no-appendfsync-on-rewrite may help.",
    "aof-write-active-child": " A child wrote to the same disk.",
    "eviction-cycle": " Memory is short: raise maxmemory, or write less at once.",
}


@command("LATENCY HISTOGRAM", arity=-2, flags=ADMIN)
@from_figures(COMMANDS, HISTOGRAMS)
def latency_histogram(ctx: Context) -> Reply:
    rows = ctx.figures[COMMANDS]
    if names := [shown(arg).upper() for arg in ctx.argv[2:]]:
        rows = [row for name in names for row in rows if _is_or_is_under(row, name)]
    return {row.name.lower(): _histogram(ctx, row) for row in rows if row.calls}


def _is_or_is_under(row: CommandFacts, name: str) -> bool:
    return row.name == name or row.name.startswith(f"{name}|")


def _histogram(ctx: Context, row: CommandFacts) -> Reply:
    counts: Reply = dict(cumulative(ctx.figures[HISTOGRAMS].get(row.row, [])))
    return {"calls": row.calls, "histogram_usec": counts}
