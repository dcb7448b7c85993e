"""Connections come and go and workers die: nothing stays behind. tools/soak_workers does more."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until
from tests.workers.churn import churn, settled
from tests.workers.places import connect_to, key_of

Start = Callable[..., Server]
WORKERS = 3
CENSUS = Path(__file__).with_name("census.py")
A, B, C = (key_of(worker) for worker in range(WORKERS))
VISITS = (  # what clients have done when they leave
    [("MONITOR",)],
    [("CLIENT", "TRACKING", "ON"), ("GET", A), ("GET", B)],
    [("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "k")],
    [("SUBSCRIBE", "a"), ("PSUBSCRIBE", "b*")],
    [("WATCH", A, B, C), ("MULTI",), ("SET", A, 1)],
    [("MULTI",), ("RENAME", A, B), ("SCAN", 0), ("INFO",), ("EXEC",), ("SCAN", 0)],
    [("EVAL", "return redis.call('SCAN', 0)", 2, A, B)],
    [("CLIENT", "LIST"), ("CONFIG", "SET", "hz", "x"), ("SLOWLOG", "GET")],
    [("BLPOP", f"none{A}", f"none{B}", 0)],
    [("BLPOP", f"{{{C}}}none", 0)],
)


def test_connects_and_kills_leave_nothing_behind(start_server: Start) -> None:
    server = start_server(workers=3)
    with connect_to(server, 0) as watcher:
        churn(server, watcher, 60, 2, random.Random(1))  # what is made at its first use
        before = settled(server, watcher)
        churn(server, watcher, 300, 4, random.Random(2))
        assert settled(server, watcher) == before


def census(client: Client) -> Counter[str]:
    """Objects in Python of the client's worker."""
    pairs = client.value("CENSUS")
    return Counter(dict(zip((name.decode() for name in pairs[::2]), pairs[1::2], strict=True)))


def visit_all(server: Server, times: int) -> None:
    for visit in VISITS * times:
        with server.client(resp=3) as client:
            client.call("HELLO", 3)
            client.call("MSET", A, 1, B, 2, C, 3)
            client.send(b"".join(encode(*words) for words in visit))


def save_all(client: Client, times: int) -> None:
    for _ in range(times):
        for command, what in (("BGSAVE", b"rdb_bgsave"), ("BGREWRITEAOF", b"aof_rewrite")):
            assert client.call(command)[:1] == b"+"
            over = [what + b"_in_progress:0", b"aof_rewrite_scheduled:0"]
            wait_until(
                lambda over=over: all(w in client.value("INFO", "persistence") for w in over)
            )


def test_no_object_stays_behind(start_server: Start) -> None:
    """Clients that come and go, snapshots and rewrites: an object for each would show every time.

    What is made at its first use shows once.
    """
    options = ("--loadmodule", str(CENSUS), "--appendonly", "yes", "--warm-restart", "no")
    server = start_server(*options, "--auto-aof-rewrite-percentage", "0", workers=WORKERS)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect_to(server, worker)) for worker in range(WORKERS)]

        def leaves_nothing(work: Callable[[int], None], times: int) -> bool:
            before = [census(client) for client in clients]
            work(times)
            wait_until(lambda: client_count(clients[0]) == WORKERS)
            more = [census(client) - old for client, old in zip(clients, before, strict=True)]
            return all(n < times // 2 for kinds in more for n in kinds.values())

        wait_until(lambda: leaves_nothing(lambda times: visit_all(server, times), 20))
        wait_until(lambda: leaves_nothing(lambda times: save_all(clients[0], times), 10))


def client_count(client: Client) -> int:
    found: bytes = client.value("CLIENT", "LIST")
    return found.count(b"\n")
