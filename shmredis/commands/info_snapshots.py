"""What INFO persistence says of snapshots."""

from dataclasses import dataclass, replace

__all__ = ["SnapshotFigures", "merge_snapshots", "progress_fields", "snapshot_fields"]

Fields = list[tuple[str, object]]


@dataclass(slots=True, frozen=True)
class SnapshotFigures:
    """Of one worker; what concerns the whole server is right in the worker that leads snapshots."""

    leads: bool
    changes: int
    keys_done: int
    keys_total: int
    copied: int  # bytes of pages that were copied because of writes
    peak_copied: int
    in_progress: bool
    last_save_s: int
    last_ok: bool
    last_duration_s: int
    present_duration_s: int
    saves: int
    failures: int  # consecutive
    last_copied: int
    last_fork_us: int
    forks: int


def merge_snapshots(parts: list[SnapshotFigures]) -> SnapshotFigures:
    """The leader's, with the sums over all workers."""
    leader = next((part for part in parts if part.leads), parts[0])
    return replace(
        leader,
        changes=sum(part.changes for part in parts),
        keys_done=sum(part.keys_done for part in parts),
        keys_total=sum(part.keys_total for part in parts),
        copied=sum(part.copied for part in parts),
        peak_copied=sum(part.peak_copied for part in parts),
        last_fork_us=max(part.last_fork_us for part in parts),
        forks=sum(part.forks for part in parts),
    )


def progress_fields(figures: SnapshotFigures) -> Fields:
    """Of a child that is writing now."""
    done = 100 * figures.keys_done / figures.keys_total if figures.keys_total else 0.0
    return [
        ("current_cow_peak", figures.peak_copied),
        ("current_cow_size", figures.copied),
        ("current_cow_size_age", 0),
        ("current_fork_perc", f"{done:.2f}"),
        ("current_save_keys_processed", figures.keys_done),
        ("current_save_keys_total", figures.keys_total),
    ]


def snapshot_fields(figures: SnapshotFigures) -> Fields:
    """Of snapshots, under way and past."""
    return [
        ("rdb_changes_since_last_save", figures.changes),
        ("rdb_bgsave_in_progress", int(figures.in_progress)),
        ("rdb_last_save_time", figures.last_save_s),
        ("rdb_last_bgsave_status", "ok" if figures.last_ok else "err"),
        ("rdb_last_bgsave_time_sec", figures.last_duration_s),
        ("rdb_current_bgsave_time_sec", figures.present_duration_s),
        ("rdb_saves", figures.saves),
        ("rdb_saves_consecutive_failures", figures.failures),
        ("rdb_last_cow_size", figures.last_copied),
    ]
