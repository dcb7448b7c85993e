"""A worker's arena is looked at in the moment between two lives in which it is about to be replaced.

What a dead worker has shipped is still taken from its arena; nobody may take that arena for its successor's
(control_worker.settled, csrc/net/control.h).
"""

import os
import signal
from pathlib import Path

from tests.harness.processes import children_of, is_stopped
from tests.harness.server import is_alive, wait_until
from tests.persistence.logged import LoggedServer, logged_server
from tests.persistence.test_shipments import ALWAYS, KEYS, settled, transaction, values
from tests.workers.places import connect_to, sure_pid_of


def switches(pid: int) -> list[str]:
    """How often it has left a CPU."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return [line for line in lines if "ctxt_switches" in line]


def go_on_to_next_stop(pid: int) -> None:
    before = switches(pid)
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: is_stopped(pid) and switches(pid) != before)


def stopped_child(server: LoggedServer, others: list[int]) -> int:
    """The successor, stopped before it makes an arena of its own."""
    assert server.process

    def found() -> list[int]:
        pids = [pid for pid in children_of(server.process.pid) if pid not in others]
        return [pid for pid in pids if is_alive(pid) and is_stopped(pid)]

    wait_until(lambda: bool(found()))
    return found()[0]


def test_an_arena_that_is_to_be_replaced_is_not_taken_for_the_next_one(tmp_path: Path) -> None:
    token = tmp_path / "once"
    token.touch()
    with logged_server() as server:
        server.start(*ALWAYS, workers=3, faults=f"recovery.refused:stop:1:{token}")
        assert server.call("MSET", *(word for key in KEYS for word in (key, 1))) == b"+OK\r\n"
        with connect_to(server, 0) as client, connect_to(server, 1) as owner:
            pids = [sure_pid_of(client, i) for i in range(3)]
            owner.call("DEBUG", "FAULT", "cross.before_take_back:stop,cross.taken_back:stop")
            client.send(transaction(2))
            wait_until(lambda: is_stopped(pids[1]))
            os.kill(pids[0], signal.SIGKILL)
            successor = stopped_child(server, pids)
            go_on_to_next_stop(pids[1])
            os.kill(pids[1], signal.SIGCONT)
        os.kill(successor, signal.SIGCONT)
        wait_until(lambda: settled(server, pids[:1]), 20)
        assert len(values(server)) == 1
        with connect_to(server, 0) as client:
            client.send(transaction(3))
            replies = [client.read() for _ in range(len(KEYS) + 2)]
        assert replies[-1].startswith(b"*")
        assert values(server) == {b"$1\r\n3\r\n"}
