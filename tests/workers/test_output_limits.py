"""client-output-buffer-limit holds for every connection, whoever has it and whoever makes its replies."""

from collections.abc import Callable

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until
from tests.workers.places import connect_to, key_of

Start = Callable[..., Server]
WORKERS = 3
VALUE = b"v" * 400_000


def flood(client: Client, owner: int) -> None:
    """Asks for 80 MB and reads nothing: more than the kernel's buffers and the limit together."""
    client.send(encode("GET", key_of(owner)) * 200)


def names(watcher: Client) -> bytes:
    reply: bytes = watcher.value("CLIENT", "LIST")
    return reply


@pytest.mark.parametrize("owner", range(WORKERS))
@pytest.mark.parametrize("at", [0, 2])
def test_a_client_that_does_not_read_is_closed(start_server: Start, at: int, owner: int) -> None:
    server = start_server(workers=WORKERS)
    with connect_to(server, 1) as watcher, connect_to(server, at) as greedy:
        for worker in range(WORKERS):
            watcher.call("SET", key_of(worker), VALUE)
        limit = "normal 3000000 0 0"
        assert watcher.call("CONFIG", "SET", "client-output-buffer-limit", limit) == b"+OK\r\n"
        greedy.call("CLIENT", "SETNAME", "greedy")
        assert b"name=greedy" in names(watcher)
        flood(greedy, owner)
        wait_until(lambda: b"name=greedy" not in names(watcher))
        with pytest.raises(OSError, match=r"closed by the server|reset"):
            for _ in range(200):
                greedy.read()
        with connect_to(server, at) as modest:  # the worker is well
            assert modest.value("GET", key_of(owner)) == VALUE
