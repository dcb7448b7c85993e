"""How long calls of a command took: percentiles and cumulative counts.

The core counts calls per power of two of microseconds: bucket i has [2^i, 2^(i+1)), bucket 0 also
what took less than one.
"""

__all__ = ["cumulative", "percentile_us"]


def cumulative(buckets: list[int]) -> dict[int, int]:
    """Calls that took at most so many microseconds, for the limits that LATENCY HISTOGRAM uses.

    Limits without a call of their own are left out.
    """
    total = 0
    counts: dict[int, int] = {}
    for i, count in enumerate(buckets):
        total += count
        if count:
            counts[_limit_us(0 if i == 0 else i + 1)] = total
    return counts


def _limit_us(n: int) -> int:
    """The n-th limit: 2^n, rounded up as a histogram of two significant digits does."""
    nanoseconds = 1024 << n
    return (nanoseconds + (nanoseconds >> 7) - 1) // 1000


def percentile_us(buckets: list[int], percent: float) -> float:
    """The microseconds that `percent` of the calls did not exceed, interpolated."""
    total = sum(buckets)
    rank = total * min(max(percent, 0.0), 100.0) / 100
    seen = 0
    for i, count in enumerate(buckets):
        if count and seen + count >= rank:
            low = float(1 << i) if i else 0.0
            return low + ((2 << i) - low) * (rank - seen) / count
        seen += count
    return 0.0
