"""What INFO persistence says of the append-only file."""

from dataclasses import dataclass

__all__ = ["AofFigures", "aof_fields", "aof_size_fields", "merge_aof"]

Fields = list[tuple[str, object]]


@dataclass(slots=True, frozen=True)
class AofFigures:
    """Of one worker, or of all."""

    enabled: bool
    rewriting: bool
    scheduled: bool
    last_duration_s: int
    present_duration_s: int
    last_ok: bool
    rewrites: int
    failures: int
    write_ok: bool
    last_copied: int
    size: int
    base_size: int
    buffered: int
    fsync_pending: int
    delayed_fsyncs: int


def merge_aof(parts: list[AofFigures]) -> AofFigures:
    """Sizes are added; states are the worst; a rewrite counts when all workers have ended theirs."""
    return AofFigures(
        enabled=any(part.enabled for part in parts),
        rewriting=any(part.rewriting for part in parts),
        scheduled=any(part.scheduled for part in parts),
        last_duration_s=max(part.last_duration_s for part in parts),
        present_duration_s=max(part.present_duration_s for part in parts),
        last_ok=all(part.last_ok for part in parts),
        rewrites=min(part.rewrites for part in parts),
        failures=max(part.failures for part in parts),
        write_ok=all(part.write_ok for part in parts),
        last_copied=sum(part.last_copied for part in parts),
        size=sum(part.size for part in parts),
        base_size=sum(part.base_size for part in parts),
        buffered=sum(part.buffered for part in parts),
        fsync_pending=sum(part.fsync_pending for part in parts),
        delayed_fsyncs=sum(part.delayed_fsyncs for part in parts),
    )


def aof_fields(figures: AofFigures) -> Fields:
    """Always shown."""
    return [
        ("aof_enabled", int(figures.enabled)),
        ("aof_rewrite_in_progress", int(figures.rewriting)),
        ("aof_rewrite_scheduled", int(figures.scheduled)),
        ("aof_last_rewrite_time_sec", figures.last_duration_s),
        ("aof_current_rewrite_time_sec", figures.present_duration_s),
        ("aof_last_bgrewrite_status", "ok" if figures.last_ok else "err"),
        ("aof_rewrites", figures.rewrites),
        ("aof_rewrites_consecutive_failures", figures.failures),
        ("aof_last_write_status", "ok" if figures.write_ok else "err"),
        ("aof_last_cow_size", figures.last_copied),
    ]


def aof_size_fields(figures: AofFigures) -> Fields:
    """Shown while commands are logged."""
    if not figures.enabled:
        return []
    return [
        ("aof_current_size", figures.size),
        ("aof_base_size", figures.base_size),
        ("aof_pending_rewrite", int(figures.scheduled)),
        ("aof_buffer_length", figures.buffered),
        ("aof_pending_bio_fsync", figures.fsync_pending),
        ("aof_delayed_fsync", figures.delayed_fsyncs),
    ]
