"""What HOTKEYS has found: of this worker, or of all together."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shmredis._core import ffi, lib

if TYPE_CHECKING:
    from shmredis.commands.context import Server

__all__ = ["METRICS", "Findings", "hotkeys_fields", "merge_findings", "read_findings"]

METRICS = ("CPU", "NET")  # their places are those of the core


@dataclass(slots=True)
class Findings:
    """Of one worker, or of all. Times of commands in nanoseconds; keys by metric, heaviest anywhere."""

    active: bool
    count: int
    sample: int
    start_ms: int
    duration_ms: int
    user_ms: int
    system_ms: int
    all_ns: int
    all_bytes: int
    sampled_bytes: int
    own_ns: int
    keys: dict[str, Counter[bytes]] = field(default_factory=dict)


def read_findings(server: "Server") -> Findings | None:
    """Of this worker; None: there was no session since the last RESET."""
    plan, found = ffi.new("struct hotkeys_plan *"), ffi.new("struct hotkeys_report *")
    if not lib.engine_hotkeys_report(server.engine.handle, plan, found):
        return None
    asked = [name for name, on in zip(METRICS, (plan.cpu, plan.net), strict=True) if on]
    return Findings(
        active=bool(found.active),
        count=plan.count,
        sample=plan.sample,
        start_ms=found.start_ms,
        duration_ms=found.duration_ms,
        user_ms=found.user_ms,
        system_ms=found.system_ms,
        all_ns=found.all_ns,
        all_bytes=found.all_bytes,
        sampled_bytes=found.sampled_bytes,
        own_ns=found.own_ns,
        keys={name: _read_keys(server, METRICS.index(name)) for name in asked},
    )


def _read_keys(server: "Server", metric: int) -> Counter[bytes]:
    n, weight = ffi.new("size_t *"), ffi.new("uint64_t *")
    keys: Counter[bytes] = Counter()
    handle = server.engine.handle
    while (name := lib.engine_hotkeys_key(handle, metric, len(keys), n, weight)) != ffi.NULL:
        keys[bytes(ffi.buffer(name, n[0]))] = int(weight[0])
    return keys


def merge_findings(parts: list[Findings | None]) -> Findings | None:
    """Of all workers: what each has counted is added; one that was reborn meanwhile has nothing."""
    found = [part for part in parts if part]
    if not found:
        return None
    first = found[0]
    return Findings(
        active=any(part.active for part in found),
        count=first.count,
        sample=first.sample,
        start_ms=min(part.start_ms for part in found),
        duration_ms=max(part.duration_ms for part in found),
        user_ms=sum(part.user_ms for part in found),
        system_ms=sum(part.system_ms for part in found),
        all_ns=sum(part.all_ns for part in found),
        all_bytes=sum(part.all_bytes for part in found),
        sampled_bytes=sum(part.sampled_bytes for part in found),
        own_ns=sum(part.own_ns for part in found),
        keys={
            name: _add([part.keys.get(name, Counter()) for part in found]) for name in first.keys
        },
    )


def _add(parts: list[Counter[bytes]]) -> Counter[bytes]:
    total: Counter[bytes] = Counter()
    for part in parts:
        total.update(part)
    return total


def hotkeys_fields(found: Findings | None) -> list[tuple[str, object]]:
    """INFO hotkeys: nothing without a session."""
    if not found:
        return []
    return [
        ("hotkeys-tracking-active", int(found.active)),
        ("hotkeys-cmd-cpu-time", found.own_ns // 1_000_000),
    ]
