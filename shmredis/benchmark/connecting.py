"""Connections that come, say one command and go: how many a second, and what each costs the server."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from shmredis.benchmark import processes
from shmredis.benchmark.connection import encode
from shmredis.benchmark.loads import LoadOptions
from shmredis.benchmark.measurement import Measurement, Section, in_turns
from shmredis.benchmark.servers import Server

__all__ = ["SUBJECT", "measure_connecting"]

SUBJECT = "connect, GET, close"
AT_ONCE = 200
CONNECTIONS = 10_000
COMMANDS = [encode(b"GET", b"key:%d" % n) for n in range(AT_ONCE)]
# Closing resets the connection: none is left in TIME-WAIT, of which there may be too many.
RESET = b"\1\0\0\0\0\0\0\0"


def measure_connecting(servers: Sequence[Server], options: LoadOptions) -> Iterator[Measurement]:
    """Connections per second, and the server's CPU microseconds for each."""
    rate = Measurement(Section.SCALED_RATE, SUBJECT, "op/s")
    cpu = Measurement(Section.SCALED_CPU, SUBJECT, "us/op")
    batches = -(-(options.requests or CONNECTIONS) // AT_ONCE)
    for server in in_turns(servers, options.rounds):
        before, begin = processes.cpu_times(server.pid), time.perf_counter()
        for _ in range(batches):
            come_and_go(server.port)
        seconds = time.perf_counter() - begin
        used = processes.cpu_us_between(before, processes.cpu_times(server.pid))
        rate.add(server.name, batches * AT_ONCE / seconds)
        cpu.add(server.name, used / (batches * AT_ONCE))
    yield from (rate, cpu)


def come_and_go(port: int) -> None:
    """AT_ONCE connections, each with a command and its reply."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(AT_ONCE)]
        for sock, command in zip(sockets, COMMANDS, strict=True):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.connect(("127.0.0.1", port))
            sock.sendall(command)
        for sock in sockets:
            if not sock.recv(64):
                raise ConnectionError("the server closed a new connection")
