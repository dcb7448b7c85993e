"""A worker that is brought back from its log: what it is sent again is logged, what was left out stays so."""

import contextlib

from tests.harness.server import wait_until
from tests.persistence.logged import LoggedServer, logged_server, stream
from tests.workers.places import connect_to, key_of, pid_of, sure_pid_of

VICTIM = 1
KEYS = [key_of(i) for i in range(3)]
LARGE, SLOW = 32 << 20, 320  # bytes, times: longer than others wait for one who loads its log


def kill_inside(server: LoggedServer, value: int) -> None:
    """The victim dies inside of a command of all three, and is brought back from its log."""
    with connect_to(server, VICTIM) as victim, connect_to(server, 0) as client:
        pid = sure_pid_of(victim, VICTIM)
        with contextlib.suppress(OSError):
            victim.call("DEBUG", "FAULT", "stage.executing:kill")
        assert client.call("MSET", *(word for key in KEYS for word in (key, value))) == b"+OK\r\n"
        wait_until(lambda: pid_of(client, VICTIM) not in (0, pid))


def test_what_a_successor_has_missed_while_it_loaded_is_in_its_log() -> None:
    """It is brought back slowly, so that what the others send it again is there before it has its data."""
    with logged_server() as server:
        server.start("--appendfsync", "always", workers=3)
        with connect_to(server, VICTIM) as client:
            client.call("SETBIT", f"{{{KEYS[VICTIM]}}}large", 8 * LARGE - 1, 1)
            for _ in range(SLOW):
                client.call("BITOP", "NOT", f"{{{KEYS[VICTIM]}}}copy", f"{{{KEYS[VICTIM]}}}large")
        kill_inside(server, 49)
        server.kill()
        server.start("--appendfsync", "always", workers=3)
        assert [server.call("GET", key) for key in KEYS] == [b"$2\r\n49\r\n"] * 3


def test_what_was_left_out_once_does_not_come_back_with_its_worker() -> None:
    other = f"{{{KEYS[VICTIM]}}}other"
    with logged_server() as server:
        server.start(workers=3)
        server.kill()
        (log,) = server.files(VICTIM).glob("*.incr.aof")
        half = b"#TXN dead-3-6 1/2\r\n" + stream("MULTI", "SELECT 0", f"SET {other} half", "EXEC")
        log.write_bytes(log.read_bytes() + half)
        (log,) = server.files(2).glob("*.incr.aof")
        log.write_bytes(log.read_bytes() + b"#TXN-SEEN dead 0\r\n")
        server.start(workers=3)
        assert server.call("GET", other) == b"$-1\r\n"
        kill_inside(server, 1)
        wait_until(lambda: "its worker ended inside a command" in server.log)
        assert server.call("GET", other) == b"$-1\r\n"
