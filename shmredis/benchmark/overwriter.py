"""A process that writes all the time: `python -m shmredis.benchmark.overwriter PORT KEYS BYTES`.

It sets keys of those that datasets.strings makes, in no order, until it is ended. At low priority, so that
it does not delay the client whose waiting times are measured.
"""

import os
import random
import sys
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


def main() -> None:
    port, keys, size = (int(word) for word in sys.argv[1:4])
    os.nice(NICENESS)
    with Connection(port) as connection:
        connection.pour(overwrites(keys, size))


if __name__ == "__main__":
    main()
