"""A worker dies with something that others have committed: its successor does it, and nobody sees half."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from tests.harness.processes import is_stopped
from tests.harness.resp import Client, encode, parse
from tests.harness.server import Server, is_alive, wait_until
from tests.workers.places import connect_to, key_of, pid_of, sure_pid_of, worker_lines
from tests.workers.test_stuck import stopped

Start = Callable[..., Server]
WORKERS = 3
VICTIM = 1
KEYS = [key_of(worker, prefix="re") for worker in range(WORKERS)]
LISTS = [key_of(worker, prefix="rel") for worker in range(WORKERS)]
COLD = ("--warm-restart", "no")  # its end leaves nothing in memory
LOST = "restarted while it"  # in the errors to commands that met a death


def pairs(value: str) -> list[str]:
    return [word for key in KEYS for word in (key, value)]


def armed(server: Server, point: str, *, plain: bool = False) -> int:
    """The victim will die there, or do what a plain plan says; its process."""
    with connect_to(server, VICTIM) as client:
        pid = sure_pid_of(client, VICTIM)
        with suppress(OSError):
            assert client.call("DEBUG", "FAULT", point if plain else f"{point}:kill") == b"+OK\r\n"
    return pid


def values(server: Server, *words: str) -> list[object]:
    """What clients of the two others read, once the worker is back."""
    replies = []
    for worker in (0, 2):
        with connect_to(server, worker) as client:
            wait_until(
                lambda client=client: not isinstance(client.value("GET", KEYS[1]), ValueError)
            )
            replies.append(client.value(*words))
    return replies


def reborn(client: Client, pid: int) -> None:
    wait_until(lambda: pid_of(client, VICTIM) not in (0, pid))


@pytest.mark.parametrize("appendonly", ["no", "yes"])
@pytest.mark.parametrize("point", ["stage.before_execute", "stage.executing"])
def test_a_committed_part_is_executed_by_the_successor(
    start_server: Start, point: str, appendonly: str
) -> None:
    server = start_server(*COLD, "--appendonly", appendonly, workers=WORKERS)
    with connect_to(server, 0) as client:
        client.call("MSET", *pairs("old"))
        pid = armed(server, point)
        assert client.call("MSET", *pairs("new")) == b"+OK\r\n"
        reborn(client, pid)
        assert sum(int(line["redone"]) for line in worker_lines(client)) == 1
    assert values(server, "MGET", *KEYS) == [[b"new"] * WORKERS] * 2


def test_what_its_arena_has_already_is_not_done_twice(start_server: Start) -> None:
    server = start_server(workers=WORKERS)
    with connect_to(server, 0) as client:
        client.call("SET", KEYS[1], "x")
        pid = armed(server, "stage.applied")
        assert LOST in str(client.value("SWAPDB", "0", "1"))
        reborn(client, pid)
        client.call("SELECT", "1")
        assert client.value("GET", KEYS[1]) == b"x"


def test_clients_wait_until_all_have_told(start_server: Start) -> None:
    """Those that come to the successor while a worker that owes something has not told."""
    server = start_server(workers=WORKERS)
    with connect_to(server, 0) as client, ExitStack() as stack:
        victim, debtor = (sure_pid_of(client, worker) for worker in (VICTIM, 2))
        with connect_to(server, 2) as other:
            other.call("DEBUG", "FAULT", "stage.before_execute:stop:1")
        client.send(encode("MSET", *pairs("new")))
        wait_until(lambda: is_stopped(debtor))
        with stopped(debtor):
            os.kill(victim, signal.SIGKILL)
            wait_until(
                lambda: victim not in server.children() and len(server.children()) == WORKERS
            )
            workers = server.children()
            clients = []
            for _ in range(20):  # some are handed to it as soon as it is there
                clients.append(stack.enter_context(server.client()))
                clients[-1].send(encode("GET", KEYS[VICTIM]))
                time.sleep(0.02)
        assert [waiting.read() for waiting in clients] == [b"$3\r\nnew\r\n"] * len(clients)
        assert server.children() == workers


@pytest.mark.parametrize("point", ["stage.before_execute", "stage.executing", "stage.executed"])
def test_pipelines_happen_whole(start_server: Start, point: str) -> None:
    """Those that were committed when it died, and those that come after; none that is answered is lost."""
    server = start_server(workers=WORKERS)
    with connect_to(server, 0) as client:
        pid = armed(server, point)
        for n in range(20):
            client.send(encode("MSET", *pairs(str(n))))
        replies = [parse(client.read()) for _ in range(20)]
        assert all(reply == "OK" or LOST in str(reply) for reply in replies)
        reborn(client, pid)
    last = max((n for n, reply in enumerate(replies) if reply == "OK"), default=0)
    seen = values(server, "MGET", *KEYS)
    assert len({value for part in seen for value in part}) == 1, (seen, replies)
    assert int(seen[0][0]) >= last, replies


@pytest.mark.parametrize("appendonly", ["no", "yes"])
@pytest.mark.parametrize("point", ["cross.before_take_back", "cross.taken_back"])
@pytest.mark.parametrize("executor", [0, 2])
def test_what_is_shipped_to_a_dead_owner_arrives(
    start_server: Start, executor: int, point: str, appendonly: str
) -> None:
    server = start_server(*COLD, "--appendonly", appendonly, workers=WORKERS)
    with connect_to(server, 0) as client:
        client.call("RPUSH", LISTS[executor], *"abcde")
        pid = armed(server, point)
        words = ["LMOVE", LISTS[executor], LISTS[VICTIM], "LEFT", "LEFT"]
        assert client.value(*words) == b"a"
        reborn(client, pid)
    assert values(server, "LRANGE", LISTS[executor], "0", "-1") == [[b"b", b"c", b"d", b"e"]] * 2
    assert values(server, "LRANGE", LISTS[VICTIM], "0", "-1") == [[b"a"]] * 2


def test_a_transaction_reaches_an_owner_that_dies(start_server: Start) -> None:
    server = start_server(workers=WORKERS)
    with connect_to(server, 0) as client:
        pid = armed(server, "cross.before_take_back")
        client.call("MULTI")
        for key in KEYS:
            client.call("INCR", key)
        assert client.value("EXEC") == [1, 1, 1]
        reborn(client, pid)
    assert values(server, "MGET", *KEYS) == [[b"1"] * WORKERS] * 2


def test_an_executor_that_dies_before_it_tells_has_done_nothing(start_server: Start) -> None:
    server = start_server(*COLD, "--appendonly", "yes", workers=WORKERS)
    with connect_to(server, 0) as client:
        client.call("RPUSH", LISTS[VICTIM], *"abc")
        pid = armed(server, "cross.before_ship")
        assert LOST in str(client.value("LMOVE", LISTS[VICTIM], LISTS[0], "LEFT", "LEFT"))
        reborn(client, pid)
    assert values(server, "LRANGE", LISTS[VICTIM], "0", "-1") == [[b"a", b"b", b"c"]] * 2
    assert values(server, "EXISTS", LISTS[0]) == [0, 0]


LATER_POINTS = ["cross.before_run", "cross.run", "cross.before_take_back", "cross.taken_back"]


@pytest.mark.parametrize(("which", "appendonly"), [(1, "yes"), (2, "no")])
@pytest.mark.parametrize("point", LATER_POINTS)
def test_a_transaction_of_several_rounds_ends_whole(
    start_server: Start, point: str, which: int, appendonly: str
) -> None:
    """Its commands about all keys are between those on keys, and a held worker dies in some round."""
    server = start_server(*COLD, "--appendonly", appendonly, workers=WORKERS)
    with connect_to(server, 0) as client:
        client.call("MSET", *pairs("old"), *[word for name in LISTS for word in (name, "old")])
        pid = armed(server, f"{point}:kill:{which}", plain=True)
        client.call("MULTI")
        for words in (["SET", KEYS[1], "a"], ["DBSIZE"], ["FLUSHALL"], ["MSET", *pairs("new")],
                      ["INFO", "keyspace"], ["INCR", LISTS[1]], ["DBSIZE"], ["INCR", LISTS[2]]):  # fmt: skip
            client.call(*words)
        replies = client.value("EXEC")
        assert [replies[i] for i in (0, 1, 2, 3, 5, 6, 7)] == ["OK", 6, "OK", "OK", 1, 4, 1]
        reborn(client, pid)
    assert (
        values(server, "MGET", *KEYS, LISTS[1], LISTS[2]) == [[b"new"] * WORKERS + [b"1"] * 2] * 2
    )


@pytest.mark.parametrize("size", [3, 900_000], ids=["small", "large"])
@pytest.mark.parametrize("appendonly", ["no", "yes"])
@pytest.mark.parametrize("point", ["stage.committed", "stage.before_execute", "stage.executing"])
def test_who_asked_and_an_owner_die_at_once(
    start_server: Start, point: str, appendonly: str, size: int
) -> None:
    """The third worker has executed its part: so do they when they are brought back."""
    new = "n" * size
    server = start_server(*COLD, "--appendonly", appendonly, workers=WORKERS)
    with connect_to(server, 0) as client, connect_to(server, 2) as watcher:
        client.call("MSET", *pairs("old"))
        pids = armed(server, "stage.before_execute"), sure_pid_of(watcher, 0)
        with suppress(OSError):
            client.call("DEBUG", "FAULT", f"{point}:kill")
            client.call("MSET", *pairs(new))
        reborn(watcher, pids[0])
        wait_until(lambda: pid_of(watcher, 0) not in (0, pids[1]))
        assert watcher.value("GET", KEYS[2]) == new.encode()
    assert values(server, "MGET", *KEYS) == [[new.encode()] * WORKERS] * 2


def test_who_asked_and_an_owner_die_while_frozen(start_server: Start) -> None:
    """What they had executed, but not logged, is gone with their copies of pages."""
    server = start_server(*COLD, "--appendonly", "yes", workers=WORKERS)
    with connect_to(server, 0) as client, connect_to(server, 2) as watcher:
        client.call("MSET", *pairs("old"))
        client.call("CONFIG", "SET", "rdb-key-save-delay", 1_000_000)
        assert client.call("BGSAVE") == b"+Background saving started\r\n"
        pids = armed(server, "aof.before_write"), sure_pid_of(watcher, 0)
        with suppress(OSError):
            client.call("DEBUG", "FAULT", "aof.before_write:kill")
            client.call("MSET", *pairs("new"))
        reborn(watcher, pids[0])
        wait_until(lambda: pid_of(watcher, 0) not in (0, pids[1]))
        assert watcher.value("GET", KEYS[2]) == b"new"
    assert server.log().count("and what was logged since") == 2
    assert values(server, "MGET", *KEYS) == [[b"new"] * WORKERS] * 2


def test_an_owner_dies_with_what_it_took_of_a_dead_executor(start_server: Start) -> None:
    """It had it from what the executor has left, and had not logged it: so that is there still."""
    server = start_server(*COLD, "--appendonly", "yes", workers=WORKERS)
    with connect_to(server, 0) as client, connect_to(server, 2) as watcher:
        client.call("RPUSH", LISTS[0], *"ab")
        client.call("MSET", *pairs("for children to linger at"))
        client.call("CONFIG", "SET", "rdb-key-save-delay", 1_000_000)
        assert client.call("BGREWRITEAOF").startswith(b"+Background append only file rewriting")
        wait_until(lambda: server.log().count("rewriting started by pid") == WORKERS)
        executor, victim = sure_pid_of(watcher, 0), armed(server, "aof.before_write")
        with suppress(OSError):
            client.call("DEBUG", "FAULT", "shipment.kept:kill")
            client.call("LMOVE", LISTS[0], LISTS[VICTIM], "LEFT", "LEFT")
        reborn(watcher, victim)
        wait_until(lambda: pid_of(watcher, 0) not in (0, executor))
    assert "and what was logged since" in server.log()
    lists = [values(server, "LRANGE", LISTS[worker], "0", "-1")[0] for worker in (0, VICTIM)]
    assert lists == [[b"b"], [b"a"]]


def test_one_dies_while_who_asked_is_stuck(start_server: Start) -> None:
    server = start_server(*COLD, workers=WORKERS)
    with connect_to(server, 0) as client, connect_to(server, 2) as watcher:
        client.call("MSET", *pairs("old"))
        victim, stuck = armed(server, "stage.before_execute"), sure_pid_of(watcher, 0)
        with stopped(stuck):
            client.call("DEBUG", "FAULT", "stage.committed:stop")
            client.send(encode("MSET", *pairs("new")))
            wait_until(lambda: is_stopped(stuck))
            wait_until(lambda: not is_alive(victim))
            assert watcher.value("GET", KEYS[2]) == b"new"
            watcher.send(encode("GET", KEYS[VICTIM]))
            os.kill(stuck, signal.SIGCONT)
            assert parse(watcher.read()) == b"new"
        assert client.read() == b"+OK\r\n"
    assert values(server, "MGET", *KEYS) == [[b"new"] * WORKERS] * 2


def test_the_executor_dies_while_an_owner_is_stuck(start_server: Start) -> None:
    """What it has shipped is taken back from what it has left."""
    server = start_server(workers=WORKERS)
    with connect_to(server, 0) as client, connect_to(server, 2) as watcher:
        client.call("RPUSH", LISTS[0], *"ab")
        executor, stuck = sure_pid_of(watcher, 0), sure_pid_of(watcher, VICTIM)
        with stopped(stuck):
            with connect_to(server, VICTIM) as other:
                other.call("DEBUG", "FAULT", "cross.before_take_back:stop")
            client.send(encode("LMOVE", LISTS[0], LISTS[VICTIM], "LEFT", "LEFT"))
            wait_until(lambda: is_stopped(stuck))
            known = server.children()
            os.kill(executor, signal.SIGKILL)
            wait_until(lambda: set(server.children()) - set(known))  # its successor
            os.kill(stuck, signal.SIGCONT)
        wait_until(lambda: pid_of(watcher, 0) not in (0, executor))
    assert values(server, "LRANGE", LISTS[0], "0", "-1") == [[b"b"]] * 2
    assert values(server, "LRANGE", LISTS[VICTIM], "0", "-1") == [[b"a"]] * 2


@pytest.mark.parametrize("point", ["cross.before_take_back", "cross.taken_back"])
def test_the_executor_and_an_owner_die_at_once(start_server: Start, point: str) -> None:
    """Whether the owner has begun with what it was shipped or not: an element is in one list, once."""
    server = start_server(workers=WORKERS)
    with connect_to(server, 0) as client, connect_to(server, 2) as watcher:
        client.call("RPUSH", LISTS[0], *"ab")
        executor, victim = sure_pid_of(watcher, 0), armed(server, f"{point}:stop", plain=True)
        with stopped(victim):
            client.send(encode("LMOVE", LISTS[0], LISTS[VICTIM], "LEFT", "LEFT"))
            wait_until(lambda: is_stopped(victim))
            os.kill(executor, signal.SIGKILL)
            os.kill(victim, signal.SIGKILL)
        wait_until(lambda: pid_of(watcher, 0) not in (0, executor))
        reborn(watcher, victim)
    lists = [values(server, "LRANGE", LISTS[worker], "0", "-1")[0] for worker in (0, VICTIM)]
    assert lists == [[b"b"], [b"a"]]
