"""Where a worker's data came from: told by the worker, put into one line of the log by the front."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum

__all__ = ["Origin", "Source", "describe_return", "describe_start"]


class Source(Enum):
    """What was loaded."""

    EMPTY = "empty"
    ARENA = "arena"
    AOF = "append only file"
    RDB = "disk"


@dataclass(slots=True, frozen=True)
class Origin:
    """What one worker began with. `why`: the reason for not taking over an arena that was there."""

    source: Source = Source.EMPTY
    keys: int = 0
    generation: int = 0
    seconds: float = 0.0
    why: str = ""
    note: str = ""  # what is missing in an arena that was taken over

    def to_json(self) -> bytes:
        return json.dumps(asdict(self) | {"source": self.source.value}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Origin":
        fields = json.loads(text)
        return cls(**fields | {"source": Source(fields["source"])})


def _loaded(source: Source, seconds: float) -> str:
    return f"DB loaded from {source.value}: {seconds:.3f} seconds"


def _reasons(origins: Sequence[Origin]) -> str:
    """Why arenas were not taken over: once if it is the same for all."""
    reasons = {i: origin.why for i, origin in enumerate(origins) if origin.why}
    if not reasons:
        return ""
    if len(set(reasons.values())) == 1:
        return f" (the data in shared memory is not used: {next(iter(reasons.values()))})"
    each = "; ".join(f"worker {i}: {why}" for i, why in reasons.items())
    return f" (data in shared memory is not used: {each})"


def _reattached(origins: Sequence[Origin]) -> str:
    count = len(origins)
    notes = sorted({origin.note for origin in origins if origin.note})
    return (
        f"Re-attached {count} arena{'s' if count > 1 else ''}, "
        f"{sum(origin.keys for origin in origins)} keys, "
        f"generation {max(origin.generation for origin in origins)}"
        + "".join(f"; {note}" for note in notes)
    )


def describe_start(origins: Sequence[Origin]) -> str:
    """What a server says of its start; empty: there was nothing to begin with."""
    parts = []
    if kept := [origin for origin in origins if origin.source is Source.ARENA]:
        parts.append(_reattached(kept))
    for source in (Source.AOF, Source.RDB):
        if seconds := [origin.seconds for origin in origins if origin.source is source]:
            parts.append(_loaded(source, max(seconds)))
    reasons = _reasons(origins)
    if not parts and reasons:
        parts.append("Starting without data")
    return "; ".join(parts) + reasons if parts else ""


def describe_return(origin: Origin) -> str:
    """What is said of a worker that was brought back."""
    match origin.source:
        case Source.ARENA:
            return _reattached([origin])
        case Source.EMPTY:
            return f"it is empty{_reasons([origin])}"
        case _:
            return _loaded(origin.source, origin.seconds) + _reasons([origin])
