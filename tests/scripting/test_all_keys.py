"""Scripts of several workers whose commands are about all keys, or about all subscribers."""

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until
from tests.persistence.logged import logged_server
from tests.workers.places import connect_to, key_of, pid_of, sure_pid_of

WORKERS = 3
OWN = [key_of(owner, WORKERS) for owner in range(WORKERS)]


def test_what_was_written_before_is_seen(clients: list[Client]) -> None:
    script = """
    for i = 1, 30 do redis.call('SET', ARGV[1] .. i, i) end
    local keys = redis.call('KEYS', ARGV[1] .. '*')
    redis.call('DEL', ARGV[1] .. '1', ARGV[1] .. '2')
    return {#keys, redis.call('DBSIZE'), redis.call('GET', ARGV[1] .. '7')}
    """
    for n, client in enumerate(clients, 1):
        assert client.value("EVAL", script, 0, f"k{n}:") == [30, 28 * n, b"7"]
    assert clients[0].value("DBSIZE") == 84


def test_a_scan_goes_through_all_workers(clients: list[Client]) -> None:
    clients[0].call("MSET", *(word for i in range(200) for word in (f"s{i}", i)))
    script = """
    local cursor, found = '0', {}
    repeat
        local page = redis.call('SCAN', cursor, 'COUNT', 20)
        cursor = page[1]
        for _, key in ipairs(page[2]) do found[key] = true redis.call('INCR', 'seen') end
    until cursor == '0'
    local n = 0
    for key in pairs(found) do if key ~= 'seen' then n = n + 1 end end
    return n
    """
    for client in clients:
        assert client.value("EVAL", script, 0) == 200
    assert int(clients[0].value("GET", "seen")) >= 600


def test_a_random_key_may_be_of_any_worker(clients: list[Client]) -> None:
    clients[0].call("MSET", *(word for key in OWN for word in (key, 1)))
    script = "return redis.call('RANDOMKEY')"
    found: set[bytes] = set()

    def all_found() -> bool:
        found.add(clients[1].value("EVAL", script, 0))
        return len(found) == WORKERS

    wait_until(all_found)
    assert found == {key.encode() for key in OWN}


@pytest.mark.parametrize("flush", ["FLUSHALL", "FLUSHDB"])
def test_a_flush_empties_all_and_what_comes_after_it_stays(
    clients: list[Client], flush: str
) -> None:
    clients[0].call("MSET", *(word for i in range(50) for word in (f"f{i}", i)))
    script = """
    redis.call('SET', KEYS[1], 'before')
    redis.call('SET', 'undeclared', 'before')
    local status = redis.call(ARGV[1])
    local n, gone = redis.call('DBSIZE'), redis.call('GET', 'undeclared')
    for _, key in ipairs(KEYS) do redis.call('APPEND', key, 'after') end
    return {status, n, gone, redis.call('DBSIZE')}
    """
    for client in clients:
        assert client.value("EVAL", script, WORKERS, *OWN, flush) == ["OK", 0, None, WORKERS]
        assert clients[0].value("MGET", *OWN, "f1") == [b"after"] * WORKERS + [None]
        assert clients[2].value("DBSIZE") == WORKERS


def test_databases_are_swapped_for_the_rest_of_the_script(clients: list[Client]) -> None:
    clients[0].call("MSET", *(word for key in OWN for word in (key, "zero")))
    script = """
    redis.call('SET', KEYS[1], 'changed')
    redis.call('SELECT', 1)
    redis.call('SET', KEYS[2], 'one')
    redis.call('SELECT', 0)
    redis.call('SWAPDB', 0, 1)
    local here = redis.call('MGET', unpack(KEYS))
    redis.call('SELECT', 1)
    return {here, redis.call('MGET', unpack(KEYS))}
    """
    zero, one = clients[1].value("EVAL", script, WORKERS, *OWN)
    assert zero == [None, b"one", None]
    assert one == [b"changed", b"zero", b"zero"]
    assert clients[2].value("MGET", *OWN) == zero
    clients[2].call("SELECT", 1)
    assert clients[2].value("MGET", *OWN) == one


def test_errors_are_those_of_the_commands(clients: list[Client]) -> None:
    for words, text in (
        (("SWAPDB", "0", "x"), b"invalid second DB index"),
        (("SCAN", "x"), b"invalid cursor"),
        (("FLUSHALL", "x"), b"syntax error"),
        (("KEYS",), b"Wrong number of args"),
    ):
        reply = clients[0].call("EVAL", "return redis.call(unpack(ARGV))", 0, *words)
        assert reply.startswith(b"-ERR ") and text in reply, words
        caught = clients[0].call("EVAL", "return redis.pcall(unpack(ARGV))", 0, *words)
        assert caught.startswith(b"-ERR ") and text in caught, words


def test_a_script_that_comes_to_it_later_begins_anew(clients: list[Client]) -> None:
    script = (
        "if ARGV[1] == 'all' then return redis.call('DBSIZE') end return redis.call('GET', KEYS[1])"
    )
    clients[0].call("MSET", *(word for key in OWN for word in (key, 1)))
    for _ in range(3):
        assert clients[0].value("EVAL", script, 1, OWN[0], "") == b"1"
    assert clients[0].value("EVAL", script, 1, OWN[0], "all") == WORKERS


def test_in_a_transaction(clients: list[Client]) -> None:
    client = clients[0]
    client.call("MULTI")
    client.call("SET", OWN[0], "1")
    client.call("EVAL", "redis.call('SET', KEYS[1], 2) return redis.call('DBSIZE')", 1, OWN[1])
    client.call("EVAL", "return redis.call('FLUSHALL')", 0)
    client.call("SET", OWN[2], "3")
    client.call("EVAL", "return redis.call('KEYS', '*')", 0)
    assert client.value("EXEC") == ["OK", 2, "OK", "OK", [OWN[2].encode()]]
    assert clients[1].value("MGET", *OWN) == [None, None, b"3"]


def test_functions_of_libraries_can_do_it(clients: list[Client]) -> None:
    code = "#!lua name=all\nredis.register_function('size', function() return redis.call('DBSIZE') end)"
    clients[0].call("FUNCTION", "LOAD", "REPLACE", code)
    clients[0].call("MSET", *(word for key in OWN for word in (key, 1)))
    for client in clients:
        assert client.value("FCALL", "size", 0) == WORKERS


@pytest.mark.parametrize(
    ("listen", "publish"), [("SUBSCRIBE", "PUBLISH"), ("SSUBSCRIBE", "SPUBLISH")]
)
def test_a_message_is_counted_at_all_workers(
    server: Server, clients: list[Client], listen: str, publish: str
) -> None:
    listeners = [connect_to(server, worker) for worker in (0, 1, 2, 2)]
    for listener in listeners:
        listener.call(listen, "news")
    script = f"redis.call('SET', KEYS[1], 1) return redis.call('{publish}', 'news', ARGV[1])"
    for n, client in enumerate(clients):
        assert client.value("EVAL", script, 1, OWN[n], f"m{n}") == len(listeners)
    for listener in listeners:
        assert [listener.read()[-4:-2] for _ in clients] == [b"m0", b"m1", b"m2"]
        listener.close()


def test_a_message_that_comes_after_a_change_in_a_script_known_as_local(
    server: Server, clients: list[Client]
) -> None:
    """It is not worth an error: it goes out, and from then on it is counted."""
    script = """
    redis.call('INCR', KEYS[1])
    return ARGV[1] == '' or redis.call('PUBLISH', 'late', ARGV[1])
    """
    clients[0].call("EVAL", script, 1, OWN[0], "")
    with connect_to(server, 2) as listener:
        listener.call("SUBSCRIBE", "late")
        clients[0].call("EVAL", script, 1, OWN[0], "m1")
        assert clients[0].value("EVAL", script, 1, OWN[0], "m2") == 1
        assert [listener.read()[-4:-2] for _ in range(2)] == [b"m1", b"m2"]
    assert clients[0].value("GET", OWN[0]) == b"3"


def test_an_observer_sees_all_or_nothing(server: Server, clients: list[Client]) -> None:
    """Who reads meanwhile finds the keys of before, or those of after."""
    script = """
    redis.call('FLUSHALL')
    for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1]) end
    """
    clients[0].call("MSET", *(word for key in OWN for word in (key, 0)))
    for n in range(1, 40):
        clients[0].send(encode("EVAL", script, WORKERS, *OWN, n))
        values = clients[1].value("MGET", *OWN)
        assert len(set(values)) == 1 and values[0] is not None
        clients[0].read()


@pytest.mark.parametrize("point", ["cross.before_run", "cross.before_take_back"])
def test_a_worker_that_dies_meanwhile_ends_the_script(
    server: Server, clients: list[Client], point: str
) -> None:
    script = """
    for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1]) end
    redis.call('FLUSHALL')
    redis.call('SET', KEYS[1], 'never')
    """
    pid = sure_pid_of(clients[0], 2)
    with connect_to(server, 2) as victim:
        victim.call("DEBUG", "FAULT", f"{point}:kill")
    reply = clients[0].call("EVAL", script, WORKERS, *OWN, "x")
    assert reply.startswith(b"-ERR a worker was restarted while it was held")
    wait_until(lambda: pid_of(clients[0], 2) not in (0, pid))
    wait_until(lambda: clients[0].call("DBSIZE").startswith(b":"))
    wait_until(
        lambda: clients[0].call("MSET", *(w for key in OWN for w in (key, "y"))) == b"+OK\r\n"
    )
    assert (
        clients[1].value("EVAL", "return redis.call('MGET', unpack(KEYS))", WORKERS, *OWN)
        == [b"y"] * WORKERS
    )


@pytest.mark.parametrize("flush", ["FLUSHALL", "FLUSHDB"])
def test_the_logs_of_all_workers_bring_it_back(flush: str) -> None:
    script = """
    redis.call('MSET', KEYS[1], 'old', KEYS[2], 'old')
    redis.call(ARGV[1])
    redis.call('SET', KEYS[2], 'new')
    redis.call('SET', 'undeclared', redis.call('DBSIZE'))
    """
    with logged_server() as server:
        server.start("--appendfsync", "always", workers=WORKERS)
        with server.client() as client:
            client.call("MSET", *(word for i in range(30) for word in (f"gone{i}", i)))
            assert client.call("EVAL", script, 2, OWN[0], OWN[1], flush) == b"$-1\r\n"
        digest = server.digest()
        server.kill()
        server.start(workers=WORKERS)
        assert server.digest() == digest
        with server.client() as client:
            assert client.value("MGET", OWN[0], OWN[1], "undeclared") == [None, b"new", b"1"]
            assert client.value("DBSIZE") == 2
