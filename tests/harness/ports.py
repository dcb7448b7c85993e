"""Ports for the servers of tests.

They lie below those that systems give to clients: a server that comes back would else find its port taken by
somebody's connection now and then. Processes of one test run have different ones. Each is used once in a
long while, and ten thousand above it, where a cluster bus listens, is free of others, too.
"""

import itertools
import os
import random
import socket
from collections.abc import Iterator

__all__ = ["free_port"]

FIRST, END = 10_200, 20_200


def _candidates() -> Iterator[int]:
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    ports = list(range(FIRST + process, END, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))
    begin = random.randrange(len(ports))
    return itertools.cycle(ports[begin:] + ports[:begin])


_ports = _candidates()


def free_port() -> int:
    """A TCP port that nobody listens on."""
    for port in _ports:
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("cycles do not end")
