"""A process that fills a server: `python -m shmredis.benchmark.filler PORT COUNT` sets COUNT new strings.

It runs at low priority, so that it does not delay the client whose waiting times are measured.
"""

import os
import sys

from shmredis.benchmark.connection import Connection
from shmredis.benchmark.datasets import strings

__all__ = ["main"]

NICENESS = 10


def main() -> None:
    """Arguments: the port, and how many keys."""
    port, count = (int(word) for word in sys.argv[1:3])
    os.nice(NICENESS)
    with Connection(port) as connection:
        connection.pour(strings(count, lambda _: b"xxx"))


if __name__ == "__main__":
    main()
