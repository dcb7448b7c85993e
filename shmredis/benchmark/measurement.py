"""What was measured: samples of each server, their medians, and the ratio to the best peer."""

import enum
import statistics
from dataclasses import dataclass, field

__all__ = ["OURS", "Better", "Measurement", "Section"]

OURS = "shmredis"


class Better(enum.Enum):
    """Which end of the scale is good."""

    HIGHER = "higher"
    LOWER = "lower"


class Section(enum.Enum):
    """The tables of the report; the values are their titles."""

    THROUGHPUT = "Throughput"
    CPU = "CPU time of the server's processes"
    USED = "Memory by INFO (used_memory)"
    RESIDENT = "Memory by the kernel (Pss of all processes)"
    PAUSES = "Worst pause of another client"

    @property
    def better(self) -> Better:
        return Better.HIGHER if self is Section.THROUGHPUT else Better.LOWER


@dataclass(slots=True)
class Measurement:
    """One row of a table: the samples of each server, in rounds, all in `unit`."""

    section: Section
    subject: str
    unit: str
    samples: dict[str, list[float]] = field(default_factory=dict)

    def add(self, server: str, value: float) -> None:
        self.samples.setdefault(server, []).append(value)

    def median(self, server: str) -> float | None:
        """The median over the rounds; None if the server has no sample."""
        values = self.samples.get(server)
        return statistics.median(values) if values else None

    def best_peer(self) -> str | None:
        """The peer with the best median; None without peers."""
        peers = {
            name: statistics.median(values)
            for name, values in self.samples.items()
            if name != OURS and values
        }
        if not peers:
            return None
        choose = max if self.section.better is Better.HIGHER else min
        return choose(peers, key=peers.__getitem__)

    def ratio(self) -> float | None:
        """Our median divided by the best peer's; None if either is missing or the peer's is 0."""
        ours, best = self.median(OURS), self.best_peer()
        theirs = self.median(best) if best else None
        return ours / theirs if ours is not None and theirs else None

    def behind(self) -> bool:
        """Whether the best peer does better than shmredis."""
        ratio = self.ratio()
        if ratio is None:
            return False
        return ratio < 1 if self.section.better is Better.HIGHER else ratio > 1
