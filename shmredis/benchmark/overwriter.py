"""A process that writes all the time: `python -m shmredis.benchmark.overwriter PORT KEYS BYTES RATE`.

It sets keys of those that datasets.strings makes, in no order, until it is ended; so many a second, or as
fast as it can for a rate of 0. At low priority, so that it does not delay the client whose waiting times are
measured; with a rate it leaves a CPU alone for most of the time, since the scheduler lets whoever computes
go on for milliseconds.
"""

import os
import random
import sys
import time
from collections.abc import Iterator

from shmredis.benchmark.connection import Batch, Connection, encode

__all__ = ["main"]

NICENESS = 10
BATCH_COMMANDS = 16


def overwrites(keys: int, size: int) -> Iterator[Batch]:
    """Batches without an end."""
    chance, value = random.Random(1), b"y" * size
    while True:
        numbers = [chance.randrange(keys) for _ in range(BATCH_COMMANDS)]
        data = b"".join(encode(b"SET", b"key:%012d" % n, value) for n in numbers)
        yield data, BATCH_COMMANDS


def at_rate(batches: Iterator[Batch], rate: int) -> Iterator[Batch]:
    """The same, spread evenly over time."""
    due = time.perf_counter()
    for batch in batches:
        due = max(due + batch[1] / rate, time.perf_counter())
        time.sleep(max(0, due - time.perf_counter()))
        yield batch


def main() -> None:
    """Arguments: port, keys, bytes of a value, writes a second (0: as many as may be)."""
    port, keys, size, rate = (int(word) for word in sys.argv[1:5])
    os.nice(NICENESS)
    batches = overwrites(keys, size)
    with Connection(port) as connection:
        connection.pour(at_rate(batches, rate) if rate else batches)


if __name__ == "__main__":
    main()
