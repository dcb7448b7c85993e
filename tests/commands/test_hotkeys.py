"""HOTKEYS: keys by the time and the bytes that they take, with one worker and with several.

Bytes are those that Redis 8.10.2 counts for the same commands; times are not compared.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until


@pytest.fixture
def hot(client: Client) -> Iterator[Client]:
    """The server, without a session before and after."""
    yield client
    client.call("HOTKEYS", "STOP")
    client.call("HOTKEYS", "RESET")


def start(client: Client, *options: str) -> None:
    assert client.call("HOTKEYS", "START", "METRICS", "2", "CPU", "NET", *options) == b"+OK\r\n"


def pairs(flat: list[Any]) -> dict[str, Any]:
    return {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}


def read(client: Client) -> dict[str, Any]:
    (found,) = client.value("HOTKEYS", "GET")
    return pairs(found)


def nets(client: Client) -> dict[str, int]:
    """Bytes by key."""
    return pairs(read(client)["by-net-bytes"])


def test_what_is_told(hot: Client) -> None:
    assert hot.call("HOTKEYS", "GET") == b"$-1\r\n"
    assert hot.call("HOTKEYS", "STOP") == b"$-1\r\n"
    assert hot.call("HOTKEYS", "RESET") == b"+OK\r\n"
    start(hot)
    for words in ("SET a 1", "GET a", "GET a", "MSET {b} 1 b{b} 2222", "GET nokey", "LPUSH a 1"):
        hot.call(*words.split())
    hot.call("PING")
    found = read(hot)
    assert list(found) == [
        "tracking-active",
        "sample-ratio",
        "selected-slots",
        "all-commands-all-slots-us",
        "net-bytes-all-commands-all-slots",
        "collection-start-time-unix-ms",
        "collection-duration-ms",
        "total-cpu-time-user-ms",
        "total-cpu-time-sys-ms",
        "total-net-bytes",
        "by-cpu-time-us",
        "by-net-bytes",
    ]
    assert pairs(found["by-net-bytes"]) == {"a": 183, "nokey": 29, "{b}": 27, "b{b}": 27}
    assert found["total-net-bytes"] == 266
    assert found["net-bytes-all-commands-all-slots"] == 267
    assert (found["tracking-active"], found["sample-ratio"]) == (1, 1)
    assert found["selected-slots"] == [[0, 16383]]
    assert hot.call("HOTKEYS", "STOP") == b"+OK\r\n"
    hot.call("SET", "a", "1")
    assert read(hot)["net-bytes-all-commands-all-slots"] == 267
    assert read(hot)["tracking-active"] == 0
    assert hot.call("HOTKEYS", "RESET") == b"+OK\r\n"
    assert hot.call("HOTKEYS", "GET") == b"$-1\r\n"


def test_one_session_at_a_time(hot: Client) -> None:
    start(hot)
    busy = b"-ERR hotkey tracking session already in progress\r\n"
    assert hot.call("HOTKEYS", "START", "METRICS", "1", "CPU") == busy
    assert hot.call("HOTKEYS", "START", "FOO") == busy
    stop_first = b"-ERR hotkey tracking session in progress, stop tracking first\r\n"
    assert hot.call("HOTKEYS", "RESET") == stop_first
    hot.call("SET", "a", "1")
    hot.call("HOTKEYS", "STOP")
    start(hot)  # without a reset, what was found is forgotten
    assert nets(hot) == {}


def test_only_what_is_asked_for_is_told(hot: Client) -> None:
    assert hot.call("HOTKEYS", "START", "METRICS", "1", "NET") == b"+OK\r\n"
    assert not {"by-cpu-time-us", "total-cpu-time-user-ms"} & set(read(hot))
    hot.call("HOTKEYS", "STOP")
    assert hot.call("HOTKEYS", "START", "METRICS", "2", "CPU", "what") == b"+OK\r\n"
    assert not {"by-net-bytes", "total-net-bytes"} & set(read(hot))


def test_the_heaviest_come_first(hot: Client) -> None:
    start(hot, "COUNT", "2")
    for key, times in (("a", 5), ("b", 9), ("c", 3), ("d", 1)):
        for _ in range(times):
            hot.call("SET", key, "v" * 10)
    assert list(nets(hot).items()) == [("b", 378), ("a", 210)]
    hot.call("EVAL", "for i = 1, 300000 do local x = i * i end", "1", "busy")
    times = pairs(read(hot)["by-cpu-time-us"])
    assert next(iter(times)) == "busy"
    assert times["busy"] <= read(hot)["all-commands-all-slots-us"]


@pytest.mark.parametrize(
    ("words", "bytes_by_key"),
    [
        (["MGET {k} {k} {k}b"], {"{k}": 40, "{k}b": 20}),
        (["SET o 1", "OBJECT ENCODING o", "TYPE o"], {"o": 32 + 46 + 30}),
        (["RPUSH bl xyz", "BLPOP bl 0"], {"bl": 87}),
        (["LMPOP 2 {q} {q}w LEFT"], {"{q}": 28, "{q}w": 28}),
        (["RPUSH l 1 2", "SORT l BY x GET y"], {"l": 106}),
        (["WATCH wk", "UNWATCH"], {"wk": 28}),
        (["SPUBLISH ch x", "PUBLISH ch x", "SCAN 0", "KEYS *", "DBSIZE"], {}),
        (["GET", "NOSUCH a"], {}),
    ],
)
def test_bytes_of_commands(hot: Client, words: list[str], bytes_by_key: dict[str, int]) -> None:
    start(hot)
    for line in words:
        hot.call(*line.split())
    assert nets(hot) == bytes_by_key


def test_watches_count_wherever_their_keys_are(hot: Client) -> None:
    keys = [f"watched:{i}" for i in range(16)]
    hot.call("CONFIG", "RESETSTAT")
    start(hot, "COUNT", "16")
    for key in keys:
        hot.call("WATCH", key)
        hot.call("UNWATCH")
    assert nets(hot) == {key: len(encode("WATCH", key)) + len("+OK\r\n") for key in keys}
    assert "cmdstat_watch:calls=16," in hot.value("INFO", "commandstats").decode()


def test_a_transaction_counts_exec_at_each_command(hot: Client) -> None:
    start(hot)
    for line in ("MULTI", "SET {m}1 1", "GET {m}2", "PING"):
        hot.call(*line.split())
    hot.call("EXEC")
    assert nets(hot) == {"{m}1": 23, "{m}2": 28}


def test_a_script_counts_as_one_command(hot: Client) -> None:
    start(hot)
    script = "redis.call('set', KEYS[1], 'v') return redis.call('get', KEYS[1])"
    hot.call("EVAL", script, "1", "e1")
    hot.call("EVAL", "return redis.call('set', 'k1', 'v')", "0")
    assert nets(hot) == {"e1": 4 + 10 + 6 + len(script) + 1 + 7 + 8 + 7}


def test_a_script_in_a_transaction_counts_its_commands_too(hot: Client) -> None:
    start(hot)
    hot.call("MULTI")
    hot.call("EVAL", "redis.call('set', '{m}1', 'v') return 1", "1", "{m}2")
    hot.call("GET", "{m}3")
    hot.call("EXEC")
    assert nets(hot) == {"{m}3": 27, "{m}2": 22, "{m}1": 5}


def test_silent_replies_and_inline_requests(shared_server: Server, hot: Client) -> None:
    start(hot)
    hot.send(encode("CLIENT", "REPLY", "OFF") + encode("SET", "off", "1"))
    assert hot.call("CLIENT", "REPLY", "ON") == b"+OK\r\n"
    hot.send(b"SET inl 1\r\n")
    hot.read()
    found = nets(hot)
    if len(shared_server.children()) == 1:
        assert found == {"off": 29, "inl": 16}
    else:  # another worker that executes it sees its arguments only
        assert found["off"] in (29, 34)
        assert found["inl"] in (16, 34)


def test_who_waited_is_not_counted(shared_server: Server, hot: Client) -> None:
    start(hot)
    with shared_server.client() as other:
        other.send(encode("BLPOP", "bl", "0"))
        wait_until(lambda: b"blocked_clients:1" in hot.call("INFO", "clients"))
        hot.call("RPUSH", "bl", "xyz")
        other.read()
    assert nets(hot) == {"bl": 36}


def test_a_sample_counts_some_shares(hot: Client) -> None:
    start(hot, "SAMPLE", "3")
    for _ in range(300):
        hot.call("SET", "k", "v")
    found = read(hot)
    assert found["net-bytes-all-commands-all-slots"] == 300 * 32
    assert 40 * 32 < found["total-net-bytes"] < 160 * 32
    assert pairs(found["by-net-bytes"]) == {"k": found["total-net-bytes"]}


def test_a_session_ends_by_itself(hot: Client) -> None:
    start(hot, "DURATION", "1")
    wait_until(lambda: not read(hot)["tracking-active"])
    assert read(hot)["collection-duration-ms"] >= 1000
    hot.call("SET", "a", "1")
    assert nets(hot) == {}
    assert hot.call("HOTKEYS", "STOP") == b"$-1\r\n"


def test_info_tells_of_a_session(hot: Client) -> None:
    assert hot.value("INFO", "hotkeys") == b"# Hotkeys\r\n"
    start(hot)
    text = hot.value("INFO", "hotkeys").decode()
    assert re.fullmatch(
        "# Hotkeys\r\nhotkeys-tracking-active:1\r\nhotkeys-cmd-cpu-time:\\d+\r\n", text
    )


def test_many_keys_are_found_in_any_worker(hot: Client) -> None:
    """More keys than there are counters: the heavy ones are not lost, and never count too much."""
    start(hot, "COUNT", "4")
    heavy = {f"heavy{i}": 40 + 10 * i for i in range(4)}
    for i in range(400):
        hot.call("SET", f"light{i}", "v")
        for key, times in heavy.items():
            if i < times:
                hot.call("SET", key, "v")
    found = nets(hot)
    assert set(found) == set(heavy)
    for key, times in heavy.items():
        assert found[key] <= times * 37
