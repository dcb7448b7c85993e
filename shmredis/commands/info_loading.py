"""What INFO persistence says of files that are being loaded, or were at the start."""

import time
from dataclasses import dataclass, replace

__all__ = ["LoadFigures", "last_load_fields", "loading_fields", "merge_loads"]

Fields = list[tuple[str, object]]


@dataclass(slots=True, frozen=True)
class LoadFigures:
    """Of one worker, or of all."""

    running: bool = False
    begun_s: float = 0.0
    total: int = 0  # bytes
    loaded: int = 0
    used_memory: int = 0  # what the file says that its data took
    keys: int = 0  # by the last load of an RDB file
    expired: int = 0

    @classmethod
    def begun(cls, total: int) -> "LoadFigures":
        """Of a load that begins now."""
        return cls(running=True, begun_s=time.time(), total=total)


def merge_loads(parts: list[LoadFigures]) -> LoadFigures:
    """All workers read all of an RDB file; the slowest counts."""
    running = [part for part in parts if part.running]
    slowest = min(running or parts, key=lambda part: part.loaded)
    return replace(
        slowest, keys=sum(part.keys for part in parts), expired=sum(part.expired for part in parts)
    )


def loading_fields(load: LoadFigures) -> Fields:
    """How far a load is. Source: Redis 8.10."""
    if not load.running:
        return []
    elapsed_s = time.time() - load.begun_s
    part = load.loaded / load.total if load.total else 0.0
    left_s = elapsed_s / part - elapsed_s if part else -1
    return [
        ("loading_start_time", int(load.begun_s)),
        ("loading_total_bytes", load.total),
        ("loading_rdb_used_mem", load.used_memory),
        ("loading_loaded_bytes", load.loaded),
        ("loading_loaded_perc", f"{100 * part:.2f}"),
        ("loading_eta_seconds", max(int(left_s), 1) if part else 1),
    ]


def last_load_fields(load: LoadFigures) -> Fields:
    """Of the last dump.rdb that was loaded."""
    return [
        ("rdb_last_load_keys_expired", load.expired),
        ("rdb_last_load_keys_loaded", load.keys),
    ]
