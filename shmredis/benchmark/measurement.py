"""What was measured: samples of each server, their medians, and the ratio to the best peer."""

import enum
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

__all__ = ["OURS", "Better", "Measurement", "Section", "in_turns"]

OURS = "shmredis"
AnyServer = TypeVar("AnyServer")


class Better(enum.Enum):
    """Which end of the scale is good."""

    HIGHER = "higher"
    LOWER = "lower"


class Section(enum.Enum):
    """The tables of the report; the values are their titles."""

    THROUGHPUT = "Throughput"
    CPU = "CPU time of the server's processes"
    HANDOVER = "Wait from a push to a blocked client"
    USED = "Memory by INFO (used_memory)"
    RESIDENT = "Memory by the kernel (Pss of all processes)"
    PAUSES = "Worst pause of another client"
    SCALED_RATE = "Throughput by workers"
    SCALED_CPU = "CPU time of all processes by workers"
    PER_CORE = "Throughput per core in use by workers"
    HOP = "Wait of a client alone by workers"
    BACKGROUND = "Rate while something is saved, in percent of the calm one"
    DURATION = "Duration"
    DEATH = "kill -9 of one worker of three"

    @property
    def better(self) -> Better:
        return Better.HIGHER if self in _MORE_IS_BETTER else Better.LOWER

    @property
    def of_scaling(self) -> bool:
        """Whether it compares numbers of workers and not servers."""
        return self in _OF_SCALING


_MORE_IS_BETTER = (
    Section.THROUGHPUT,
    Section.SCALED_RATE,
    Section.PER_CORE,
    Section.BACKGROUND,
)
_OF_SCALING = (Section.SCALED_RATE, Section.SCALED_CPU, Section.PER_CORE, Section.HOP)


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

    def ratio_between(self, server: str, base: str) -> float | None:
        """The median of the rounds' ratios of two servers; None if one of them has no sample."""
        pairs = zip(self.samples.get(server, ()), self.samples.get(base, ()), strict=False)
        ratios = [value / other for value, other in pairs if other]
        return statistics.median(ratios) if ratios else None

    def spread(self) -> float:
        """How noisy: the widest range of a server's samples, as a part of its median."""
        ranges = [
            (max(values) - min(values)) / abs(middle)
            for values in self.samples.values()
            if (middle := statistics.median(values))
        ]
        return max(ranges, default=0.0)

    def behind(self) -> bool:
        """Whether the best peer does better than shmredis."""
        ratio = self.ratio()
        if ratio is None:
            return False
        return ratio < 1 if self.section.better is Better.HIGHER else ratio > 1


def in_turns(servers: Sequence[AnyServer], rounds: int) -> Iterator[AnyServer]:
    """All servers in each round, which begins with another one of them each time."""
    for turn in range(rounds):
        shift = turn % len(servers)
        yield from (*servers[shift:], *servers[:shift])
