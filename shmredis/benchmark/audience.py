"""Subscribers of the channel that a load publishes to: they read what comes and throw it away."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator

from shmredis.benchmark.connection import Connection
from shmredis.benchmark.servers import Server
from shmredis.benchmark.workloads import CHANNEL

__all__ = ["listening"]

RECEIVE_BYTES = 1 << 18


@contextlib.contextmanager
def listening(server: Server, count: int) -> Iterator[None]:
    """So many connections are subscribed to CHANNEL, and a thread reads from them until the end."""
    if count == 0:
        yield
        return
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(count)]
        for connection in connections:
            connection.call(b"SUBSCRIBE", CHANNEL.encode())
        ours, stop = socket.socketpair()
        stack.enter_context(ours)
        thread = threading.Thread(target=drain, args=(connections, ours), name="audience")
        thread.start()
        try:
            yield
        finally:
            stop.close()
            thread.join()


def drain(connections: list[Connection], stop: socket.socket) -> None:
    """Reads from all connections until the other end of `stop` is closed."""
    buffer = bytearray(RECEIVE_BYTES)
    with selectors.EpollSelector() as selector:
        for connection in connections:
            selector.register(connection.fileno(), selectors.EVENT_READ, connection)
        selector.register(stop, selectors.EVENT_READ, None)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    return
                key.data.receive_into(buffer)
