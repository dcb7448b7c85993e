"""Scripts on a server of several workers: who knows them, whose keys they reach, who is held."""

import hashlib
import os
import signal
import threading

import pytest

from tests.harness.resp import Client
from tests.harness.server import Server, wait_until
from tests.persistence.place import worker_pids
from tests.workers.places import connect_to, key_of

WORKERS = 3


@pytest.fixture(scope="module", autouse=True)
def _short_threshold(server: Server) -> None:
    """A script that runs for 50 ms runs for long."""
    with server.client() as client:
        client.call("CONFIG", "SET", "busy-reply-threshold", "50")


def test_a_script_of_one_worker_is_known_to_all(clients: list[Client]) -> None:
    sha = clients[0].value("SCRIPT", "LOAD", "return {KEYS[1], 'loaded'}")
    for worker, client in enumerate(clients):
        for owner in range(WORKERS):
            key = key_of(owner, WORKERS)
            assert client.value("EVALSHA", sha, 1, key) == [key.encode(), b"loaded"], worker
        assert client.value("SCRIPT", "EXISTS", sha) == [1]


def test_eval_makes_a_script_known_as_well(clients: list[Client]) -> None:
    text = "return 'by eval'"
    sha = hashlib.sha1(text.encode()).hexdigest().encode()
    clients[1].call("EVAL", text, 1, key_of(2, WORKERS))
    for client in clients:
        for owner in range(WORKERS):
            assert client.value("EVALSHA", sha, 1, key_of(owner, WORKERS)) == b"by eval"


def test_a_flush_reaches_all(clients: list[Client]) -> None:
    sha = clients[0].value("SCRIPT", "LOAD", "return 'flushed'")
    assert clients[1].call("SCRIPT", "FLUSH") == b"+OK\r\n"
    for client in clients:
        assert client.value("SCRIPT", "EXISTS", sha) == [0]
        for owner in range(WORKERS):
            reply = client.call("EVALSHA", sha, 1, key_of(owner, WORKERS))
            assert reply.startswith(b"-NOSCRIPT")


def test_libraries_reach_all(clients: list[Client]) -> None:
    code = "#!lua name=lib\nredis.register_function('f', function(k) return {k[1], 'one'} end)"
    assert clients[2].value("FUNCTION", "LOAD", code) == b"lib"
    for client in clients:
        for owner in range(WORKERS):
            key = key_of(owner, WORKERS)
            assert client.value("FCALL", "f", 1, key) == [key.encode(), b"one"]
    clients[0].call("FUNCTION", "LOAD", "REPLACE", code.replace("one", "two"))
    for client in clients:
        assert client.value("FCALL", "f", 1, key_of(0, WORKERS))[1] == b"two"
    clients[1].call("FUNCTION", "DELETE", "lib")
    for client in clients:
        assert client.call("FCALL", "f", 0).startswith(b"-ERR Function not found")


def test_declared_keys_of_all_workers_are_one_script(clients: list[Client]) -> None:
    keys = [key_of(owner, WORKERS) for owner in range(WORKERS)]
    script = "for i, k in ipairs(KEYS) do redis.call('SET', k, ARGV[1] .. i) end return #KEYS"
    for round_ in range(3):  # not known, then known to need only these
        for client in clients:
            assert client.value("EVAL", script, WORKERS, *keys, f"r{round_}-") == WORKERS
            expected = [f"r{round_}-{i}".encode() for i in range(1, WORKERS + 1)]
            assert client.value("MGET", *keys) == expected


def test_keys_that_were_not_declared_are_reached(clients: list[Client]) -> None:
    script = """
    local n = redis.call('INCR', KEYS[1])
    for i = 1, 12 do redis.call('SET', 'made:' .. ARGV[1] .. ':' .. i, n) end
    return redis.call('MGET', 'made:' .. ARGV[1] .. ':1', 'made:' .. ARGV[1] .. ':12')
    """
    for n, client in enumerate(clients * 3, 1):
        value = str(n).encode()
        assert client.value("EVAL", script, 1, "counter", "x") == [value, value]
    assert clients[0].value("MGET", *(f"made:x:{i}" for i in range(1, 13))) == [b"9"] * 12


def test_a_script_that_reaches_further_than_before_begins_anew(clients: list[Client]) -> None:
    script = "local k = ARGV[1] == '' and KEYS[1] or ARGV[1] redis.call('INCR', k) return k"
    own = key_of(0, WORKERS)
    for _ in range(3):
        clients[0].call("EVAL", script, 1, own, "")
    assert clients[0].value("GET", own) == b"3"
    foreign = key_of(1, WORKERS)
    assert clients[0].value("EVAL", script, 1, own, foreign) == foreign.encode()
    assert clients[0].value("GET", foreign) == b"1"


def test_one_that_has_written_before_fails_once_as_in_a_cluster(clients: list[Client]) -> None:
    script = """
    redis.call('INCR', KEYS[1])
    if ARGV[1] ~= '' then redis.call('INCR', ARGV[1]) end
    return 'done'
    """
    own, foreign = key_of(0, WORKERS), key_of(1, WORKERS)
    assert clients[0].value("EVAL", script, 1, own, "") == b"done"
    reply = clients[0].call("EVAL", script, 1, own, foreign)
    assert reply.startswith(b"-ERR Script attempted to access a non local key in a cluster node")
    assert clients[0].value("EVAL", script, 1, own, foreign) == b"done"
    assert clients[0].value("MGET", own, foreign) == [b"3", b"1"]


def test_a_script_in_a_transaction(clients: list[Client]) -> None:
    keys = [key_of(owner, WORKERS) for owner in range(WORKERS)]
    client = clients[0]
    client.call("MULTI")
    client.call("SET", keys[0], "1")
    client.call("EVAL", "return redis.call('INCRBY', KEYS[1], ARGV[1])", 1, keys[0], 4)
    client.call("EVAL", "return redis.call('MGET', unpack(ARGV))", 0, *keys)
    client.call("SET", keys[1], "2")
    assert client.value("EXEC") == ["OK", 5, [b"5", None, None], "OK"]


def test_an_error_keeps_what_was_written_before(clients: list[Client]) -> None:
    keys = [key_of(owner, WORKERS) for owner in range(WORKERS)]
    script = "for _, k in ipairs(KEYS) do redis.call('SET', k, 'x') end error('boom')"
    assert b"boom" in clients[0].call("EVAL", script, WORKERS, *keys)
    assert clients[1].value("MGET", *keys) == [b"x"] * WORKERS


def test_sums_stay_the_same_for_all_observers(server: Server, clients: list[Client]) -> None:
    """Scripts move amounts between keys of all workers; nobody ever sees another total."""
    keys = [key_of(owner, WORKERS) for owner in range(WORKERS)]
    clients[0].call("MSET", *(word for key in keys for word in (key, 100)))
    move = """
    redis.call('DECRBY', KEYS[1], ARGV[1])
    redis.call('INCRBY', KEYS[2], ARGV[1])
    """

    def mover(worker: int) -> None:
        with connect_to(server, worker) as client:
            for i in range(60):
                client.call("EVAL", move, 2, keys[i % 3], keys[(i + 1 + worker) % 3], i % 7)

    threads = [threading.Thread(target=mover, args=(worker,)) for worker in range(2)]
    for thread in threads:
        thread.start()
    seen = []
    while any(thread.is_alive() for thread in threads):
        seen.append(sum(map(int, clients[2].value("MGET", *keys))))
    for thread in threads:
        thread.join()
    assert set(seen) <= {100 * WORKERS}
    assert sum(map(int, clients[2].value("MGET", *keys))) == 100 * WORKERS


def test_a_long_script_is_told_of_and_ended_from_another_worker(
    server: Server, clients: list[Client]
) -> None:
    key = key_of(0, WORKERS)
    script = "while true do redis.call('GET', KEYS[1]) end"
    replies: list[bytes] = []

    def victim() -> None:
        with connect_to(server, 0) as client:
            client.call("EVAL", "return redis.call('GET', KEYS[1])", 1, key)
            replies.append(client.call("EVAL", script, 1, key))

    thread = threading.Thread(target=victim)
    thread.start()
    # whoever asks before it counts as long waits for it, unless the script's own worker reads the request
    wait_until(lambda: clients[0].call("GET", key).startswith(b"-BUSY"))
    assert clients[1].call("GET", key).startswith(b"-BUSY")
    assert clients[1].call("FUNCTION", "KILL").startswith(b"-BUSY")
    wait_until(lambda: clients[2].call("SCRIPT", "KILL") == b"+OK\r\n" or not thread.is_alive())
    thread.join(20)
    assert replies[0].startswith(b"-ERR Script killed by user with SCRIPT KILL")
    assert clients[1].call("GET", key) == b"$-1\r\n"


def test_a_worker_that_is_brought_back_has_scripts_and_libraries(
    server: Server, clients: list[Client]
) -> None:
    code = "#!lua name=back\nredis.register_function('b', function() return 'back' end)"
    clients[0].call("FUNCTION", "LOAD", code)
    sha = clients[0].value("SCRIPT", "LOAD", "return 'still there'")
    pid = worker_pids(server)[1]
    os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        try:
            return worker_pids(server)[1] not in (0, pid)
        except (OSError, IndexError):  # this very connection was at it
            return False

    wait_until(is_back)
    wait_until(lambda: clients[0].call("GET", key_of(1, WORKERS)).startswith(b"$"))
    with connect_to(server, 1) as client:
        assert client.value("FCALL", "b", 1, key_of(1, WORKERS)) == b"back"
        assert client.value("EVALSHA", sha, 1, key_of(1, WORKERS)) == b"still there"


def test_what_a_script_publishes_reaches_all(server: Server, clients: list[Client]) -> None:
    listeners = [connect_to(server, worker) for worker in range(WORKERS)]
    for listener in listeners:
        listener.call("SUBSCRIBE", "news")
    script = "return redis.call('PUBLISH', 'news', ARGV[1])"
    for n in range(3):
        assert clients[n].value("EVAL", script, 1, key_of(n, WORKERS), n) == WORKERS
    for listener in listeners:
        assert sorted(listener.read()[-4:] for _ in range(3)) == [
            b"\n0\r\n",
            b"\n1\r\n",
            b"\n2\r\n",
        ]
        listener.close()
