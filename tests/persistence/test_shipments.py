"""Who executes a transaction of several workers dies, alone or with an owner: it has happened, or not.

By csrc/net/shipment.c: all of what it changes lies where it outlives both before anything is logged or told.
"""

import contextlib
import os
import signal

import pytest

from tests.harness.resp import encode
from tests.harness.server import is_alive, wait_until
from tests.persistence.logged import LoggedServer, logged_server
from tests.workers.places import connect_to, key_of, sure_pid_of

ALWAYS = ("--appendfsync", "always")
KEYS = [key_of(i) for i in range(3)]
# Where worker 0, which executes, dies: before anybody knows of it; kept; in its log; told to the owners.
POINTS = ["cross.before_ship", "shipment.kept", "aof.written", "cross.executed"]


def transaction(value: object) -> bytes:
    return b"".join([encode("MULTI"), *(encode("SET", key, value) for key in KEYS), encode("EXEC")])


def values(server: LoggedServer) -> set[bytes]:
    return {server.call("GET", key) for key in KEYS}


def settled(server: LoggedServer, dead: list[int]) -> bool:
    with contextlib.suppress(OSError, ConnectionError, ValueError), server.client() as client:
        pids = [sure_pid_of(client, i) for i in range(3)]
        return all(pids) and not set(pids) & set(dead)
    return False


@pytest.mark.parametrize("owner", [None, "stopped", "cross.before_take_back", "cross.taken_back"])
@pytest.mark.parametrize("point", POINTS)
def test_a_transaction_happens_everywhere_or_nowhere(point: str, owner: str | None) -> None:
    """`owner`: worker 1 dies as well; stopped, it has seen nothing of it before."""
    check(point, owner, "1", "2")


@pytest.mark.parametrize("owner", ["stopped", "cross.before_take_back"])
@pytest.mark.parametrize("point", ["shipment.kept", "cross.executed"])
def test_a_large_one_does(point: str, owner: str) -> None:
    """What it changes needs more memory than there is for such things at first."""
    check(point, owner, "1" * 400_000, "2" * 400_000)


def check(point: str, owner: str | None, old: str, new: str) -> None:
    before, after = ({b"$%d\r\n%b\r\n" % (len(v), v.encode())} for v in (old, new))
    with logged_server() as server:
        server.start(*ALWAYS, workers=3)
        assert server.call("MSET", *(word for key in KEYS for word in (key, old))) == b"+OK\r\n"
        assert values(server) == before
        with connect_to(server, 0) as client, connect_to(server, 1) as other:
            pids = [sure_pid_of(client, i) for i in range(3)]
            client.call("DEBUG", "FAULT", f"{point}:kill")
            if owner and owner != "stopped":
                other.call("DEBUG", "FAULT", f"{owner}:kill")
            client.send(transaction(new))
            wait_until(lambda: not is_alive(pids[0]))
            if owner:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pids[1], signal.SIGKILL)
        wait_until(lambda: settled(server, pids[: 2 if owner else 1]), 20)
        assert values(server) == (before if point == "cross.before_ship" else after)
        server.call("APPEND", KEYS[1], "x")
        digest = server.digest()
        server.kill()
        server.start(*ALWAYS, workers=3)
        assert server.digest() == digest
