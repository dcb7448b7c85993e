"""How many commands and bytes a second there were just now, for INFO."""

from collections import deque
from dataclasses import dataclass, field

from shmredis.engine import Engine

__all__ = ["Rates"]

SAMPLES = 16  # as many as Redis averages over


@dataclass(slots=True)
class Rates:
    """Per second, averaged over the last samples. The worker samples every 100 ms."""

    commands: float = 0.0
    input_bytes: float = 0.0
    output_bytes: float = 0.0
    loop_cycles: float = 0.0
    loop_us: float = 0.0
    _seen: deque[tuple[float, int, int, int, int, float]] = field(
        default_factory=lambda: deque(maxlen=SAMPLES)
    )

    def sample(self, engine: Engine, now_s: float) -> None:
        """Looks at the engine's counters; `now_s` is a monotonic clock."""
        stats = engine.stats
        loop = stats.loop_cycles, stats.loop_ns / 1000
        self._seen.append((now_s, stats.commands, stats.net_in, stats.net_out, *loop))
        seconds = now_s - self._seen[0][0]
        if seconds <= 0:
            return
        first, last = self._seen[0], self._seen[-1]
        # A reset of the counters must not show as a negative rate.
        self.commands, self.input_bytes, self.output_bytes, self.loop_cycles, self.loop_us = (
            max(0.0, (last[i] - first[i]) / seconds) for i in range(1, 6)
        )
