"""What the server tells of itself: figures of this worker, or of all workers together.

Each part is read in a worker, and knows how to become one out of those of several workers.
"""

import os
import re
import resource
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from shmredis._core import ffi
from shmredis.commands.hotkey_figures import merge_findings, read_findings
from shmredis.commands.info_aof import merge_aof
from shmredis.commands.info_loading import merge_loads
from shmredis.commands.info_scripts import merge_scripts, read_scripts
from shmredis.commands.info_snapshots import merge_snapshots
from shmredis.commands.key_sizes import merge_key_sizes, read_key_sizes
from shmredis.engine import CommandFacts, LatencyEvent

if TYPE_CHECKING:
    from shmredis.commands.context import Server

__all__ = [
    "AOF",
    "BACKUPS",
    "CLIENTS",
    "COMMANDS",
    "COUNTS",
    "DATABASES",
    "ERRORS",
    "HISTOGRAMS",
    "HOTKEYS",
    "LATENCY",
    "LOADS",
    "MEMORY",
    "PARTS",
    "PROCESS",
    "SCRIPTS",
    "SLOW_TOTALS",
    "SNAPSHOTS",
    "STATS",
    "WORKERS",
    "Figures",
    "Part",
    "WorkerFigures",
]

T = TypeVar("T")
LATENCY_SAMPLES = 160  # of an event, as many as the core keeps


@dataclass(slots=True, frozen=True)
class Part(Generic[T]):
    """One subject: how a worker reads it, and what that of several workers is."""

    name: str
    read: "Callable[[Server], T]"
    merge: Callable[[list[T]], T]


class Figures:
    """Parts by subject: `figures[STATS].commands`. Those of this worker are read when asked for."""

    def __init__(self, server: "Server", others: list[dict[str, Any]] | None = None) -> None:
        """`others` has what the other workers said."""
        self._server = server
        self._others = others or []
        self._known: dict[str, Any] = {}

    def __getitem__(self, part: Part[T]) -> T:
        if part.name not in self._known:
            self._known[part.name] = self._find(part)
        known: T = self._known[part.name]
        return known

    def _find(self, part: Part[T]) -> T:
        own = part.read(self._server)
        others = [other[part.name] for other in self._others if part.name in other]
        return part.merge([own, *others]) if others else own


# --- structs of the core ---


def _namespace(struct: Any) -> SimpleNamespace:
    """The fields of a struct of the core, as Python numbers and lists."""
    values = {}
    for name, field in ffi.typeof(struct[0]).fields:
        value = getattr(struct, name)
        values[name] = list(value) if field.type.kind == "array" else int(value)
    return SimpleNamespace(**values)


def _sum(values: list[Any]) -> Any:
    if isinstance(values[0], list):
        return [sum(column) for column in zip(*values, strict=True)]
    return sum(values)


def _sum_fields(parts: list[SimpleNamespace]) -> SimpleNamespace:
    columns = {name: [getattr(part, name) for part in parts] for name in vars(parts[0])}
    return SimpleNamespace(**{name: _sum(values) for name, values in columns.items()})


def _merge_stats(parts: list[SimpleNamespace]) -> SimpleNamespace:
    total = _sum_fields(parts)
    total.expired_stale_ppm //= len(parts)
    for name in ("loop_max_ns", "loop_max_commands"):
        setattr(total, name, max(getattr(part, name) for part in parts))
    total.defrag_running = max(part.defrag_running for part in parts)
    return total


def _merge_slow_totals(parts: list[SimpleNamespace]) -> SimpleNamespace:
    total = _sum_fields(parts)
    total.max_us = max(part.max_us for part in parts)
    return total


def _read_memory(server: "Server") -> SimpleNamespace:
    memory = _namespace(server.engine.memory())
    memory.startup = server.facts.startup_memory
    return memory


def _read_databases(server: "Server") -> list[SimpleNamespace]:
    engine = server.engine
    return [_namespace(engine.database(i)) for i in range(engine.databases)]


def _merge_databases(parts: list[list[SimpleNamespace]]) -> list[SimpleNamespace]:
    return [_merge_database(list(column)) for column in zip(*parts, strict=True)]


def _merge_database(parts: list[SimpleNamespace]) -> SimpleNamespace:
    total = _sum_fields(parts)
    if total.volatile_keys:
        whole_ms = sum(part.avg_ttl_ms * part.volatile_keys for part in parts)
        total.avg_ttl_ms = whole_ms // total.volatile_keys
    else:
        total.avg_ttl_ms = 0
    return total


# --- commands ---


def _merge_commands(parts: list[list[CommandFacts]]) -> list[CommandFacts]:
    total: dict[int, CommandFacts] = {}
    for facts in (facts for part in parts for facts in part):
        known = total.get(facts.row)
        total[facts.row] = _add_calls(known, facts) if known else facts
    return [total[row] for row in sorted(total)]


def _add_calls(a: CommandFacts, b: CommandFacts) -> CommandFacts:
    return replace(
        a,
        calls=a.calls + b.calls,
        usec=a.usec + b.usec,
        rejected=a.rejected + b.rejected,
        failed=a.failed + b.failed,
    )


def _read_histograms(server: "Server") -> dict[int, list[int]]:
    engine = server.engine
    return {facts.row: engine.histogram(facts.row) for facts in engine.used_commands()}


def _merge_histograms(parts: list[dict[int, list[int]]]) -> dict[int, list[int]]:
    rows = {row for part in parts for row in part}
    return {row: _sum([part[row] for part in parts if row in part]) for row in rows}


def _merge_errors(parts: list[dict[str, int]]) -> dict[str, int]:
    prefixes = sorted({prefix for part in parts for prefix in part})
    return {prefix: sum(part.get(prefix, 0) for part in parts) for prefix in prefixes}


# --- latency monitor ---


def _merge_latency(parts: list[list[LatencyEvent]]) -> list[LatencyEvent]:
    total: dict[str, LatencyEvent] = {}
    for event in (event for part in parts for event in part):
        known = total.get(event.name)
        total[event.name] = _join_events(known, event) if known else event
    return list(total.values())


def _join_events(a: LatencyEvent, b: LatencyEvent) -> LatencyEvent:
    """One series: of each second the slowest."""
    worst: dict[int, int] = {}
    for second, ms in (*a.samples, *b.samples):
        worst[second] = max(ms, worst.get(second, 0))
    latest_s, latest_ms = max((a.latest_s, a.latest_ms), (b.latest_s, b.latest_ms))
    return LatencyEvent(
        name=a.name,
        latest_s=latest_s,
        latest_ms=latest_ms,
        max_ms=max(a.max_ms, b.max_ms),
        sum_ms=a.sum_ms + b.sum_ms,
        total=a.total + b.total,
        samples=tuple(sorted(worst.items()))[-LATENCY_SAMPLES:],
    )


# --- connections, the process ---


@dataclass(slots=True, frozen=True)
class ClientFigures:
    """Connections; bytes of memory that they take."""

    count: int
    memory: int
    longest_input: int
    longest_output: int
    watching: int
    watched_keys: int
    active: int  # within the last second
    blocked: int
    awaited_keys: int
    subscribers: int
    channels: int
    patterns: int
    shard_channels: int
    tracking: int
    tracked_keys: int
    tracked_items: int
    tracked_prefixes: int


def _read_clients(server: "Server") -> ClientFigures:
    clients = server.clients
    crowd = server.engine.crowd()
    watched_keys, watching = server.engine.watches()
    blocked, awaited_keys = server.engine.blocked()
    pubsub, tracking = server.engine.pubsub(), server.engine.tracking()
    return ClientFigures(
        count=len(clients),
        memory=crowd.memory,
        longest_input=crowd.longest_input,
        longest_output=crowd.longest_output,
        watching=watching,
        watched_keys=watched_keys,
        active=server.engine.active_sessions,
        blocked=blocked,
        awaited_keys=awaited_keys,
        subscribers=pubsub.sessions,
        channels=pubsub.channels,
        patterns=pubsub.patterns,
        shard_channels=pubsub.shard_channels,
        tracking=tracking.sessions,
        tracked_keys=tracking.keys,
        tracked_items=tracking.items,
        tracked_prefixes=tracking.prefixes,
    )


def _merge_clients(parts: list[ClientFigures]) -> ClientFigures:
    return ClientFigures(
        count=sum(part.count for part in parts),
        memory=sum(part.memory for part in parts),
        longest_input=max(part.longest_input for part in parts),
        longest_output=max(part.longest_output for part in parts),
        watching=sum(part.watching for part in parts),
        watched_keys=sum(part.watched_keys for part in parts),
        active=sum(part.active for part in parts),
        blocked=sum(part.blocked for part in parts),
        awaited_keys=sum(part.awaited_keys for part in parts),
        subscribers=sum(part.subscribers for part in parts),
        channels=max(part.channels for part in parts),
        patterns=max(part.patterns for part in parts),
        shard_channels=max(part.shard_channels for part in parts),
        tracking=sum(part.tracking for part in parts),
        tracked_keys=sum(part.tracked_keys for part in parts),
        tracked_items=sum(part.tracked_items for part in parts),
        tracked_prefixes=max(part.tracked_prefixes for part in parts),
    )


def _read_counts(server: "Server") -> SimpleNamespace:
    """What Python counts."""
    facts, rates = server.facts, server.facts.rates
    return SimpleNamespace(
        rejected_connections=facts.rejected_connections,
        evicted_clients=facts.evicted_clients,
        query_buffer_disconnections=facts.query_buffer_disconnections,
        output_buffer_disconnections=facts.output_buffer_disconnections,
        **{f"denied_{reason.replace('-', '_')}": n for reason, n in server.denials.counts.items()},
        commands_per_s=rates.commands,
        input_bytes_per_s=rates.input_bytes,
        output_bytes_per_s=rates.output_bytes,
        loop_cycles_per_s=rates.loop_cycles,
        loop_us_per_s=rates.loop_us,
    )


def _resident_bytes(server: "Server") -> int:
    """Resident memory of this process and of its arena, without what it has read in others' arenas."""
    status = Path("/proc/self/status").read_text()
    own = sum(int(kib) for kib in re.findall(r"^Rss(?:Anon|File):\s+(\d+)", status, re.MULTILINE))
    return own * 1024 + int(server.engine.memory().object)


def _read_process(server: "Server") -> SimpleNamespace:
    whole = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    thread = resource.getrusage(resource.RUSAGE_THREAD)
    return SimpleNamespace(
        rss=_resident_bytes(server),
        system_s=whole.ru_stime,
        user_s=whole.ru_utime,
        children_system_s=children.ru_stime,
        children_user_s=children.ru_utime,
        thread_system_s=thread.ru_stime,
        thread_user_s=thread.ru_utime,
    )


# --- each worker for itself ---


@dataclass(slots=True, frozen=True)
class WorkerFigures:
    """One worker of several."""

    index: int
    pid: int
    connections: int
    used_memory: int
    keys: int
    commands_per_s: float
    links: SimpleNamespace  # struct link_stats


def _read_workers(server: "Server") -> list[WorkerFigures]:
    engine, workers = server.engine, server.workers
    if workers is None:
        return []
    links = _namespace(engine.link_stats())
    keys = sum(engine.database(i).keys for i in range(engine.databases))
    rate = server.facts.rates.commands
    used = int(engine.memory().used)
    return [WorkerFigures(workers.index, os.getpid(), len(server.clients), used, keys, rate, links)]


def _merge_workers(parts: list[list[WorkerFigures]]) -> list[WorkerFigures]:
    return sorted((worker for part in parts for worker in part), key=lambda worker: worker.index)


STATS = Part("stats", lambda server: _namespace(server.engine.stats), _merge_stats)
MEMORY = Part("memory", _read_memory, _sum_fields)
DATABASES = Part("databases", _read_databases, _merge_databases)
COMMANDS = Part("commands", lambda server: server.engine.used_commands(), _merge_commands)
HISTOGRAMS = Part("histograms", _read_histograms, _merge_histograms)
ERRORS = Part("errors", lambda server: server.engine.error_stats(), _merge_errors)
SLOW_TOTALS = Part(
    "slow totals", lambda server: _namespace(server.engine.slowlog_totals()), _merge_slow_totals
)
LATENCY = Part("latency", lambda server: server.engine.latency_events(), _merge_latency)
CLIENTS = Part("clients", _read_clients, _merge_clients)
COUNTS = Part("counts", _read_counts, _sum_fields)
PROCESS = Part("process", _read_process, _sum_fields)
WORKERS = Part("workers", _read_workers, _merge_workers)
AOF = Part("aof", lambda server: server.append_log.figures(), merge_aof)
SCRIPTS = Part("scripts", read_scripts, merge_scripts)
LOADS = Part("loads", lambda server: server.load_figures(), merge_loads)
KEY_SIZES = Part("key sizes", read_key_sizes, merge_key_sizes)
BACKUPS = Part("backups", lambda server: server.backups.in_progress, any)
HOTKEYS = Part("hotkeys", read_findings, merge_findings)
SNAPSHOTS = Part("snapshots", lambda server: server.snapshots.figures(), merge_snapshots)

PARTS: dict[str, Part[Any]] = {
    part.name: part
    for part in (
        STATS,
        MEMORY,
        DATABASES,
        COMMANDS,
        HISTOGRAMS,
        ERRORS,
        SLOW_TOTALS,
        LATENCY,
        CLIENTS,
        COUNTS,
        PROCESS,
        WORKERS,
        SCRIPTS,
        LOADS,
        SNAPSHOTS,
        AOF,
        KEY_SIZES,
        HOTKEYS,
        BACKUPS,
    )
}
