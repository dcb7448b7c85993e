"""csrc/persist/aof.c and net/turn.c: what is logged, and that no reply leaves before it."""

import os
from pathlib import Path
from typing import Any

from shmredis._core import ffi, lib
from tests.harness.resp import encode
from tests.unit.engines import Engine, new_engine
from tests.workers.fleet import Client, new_fleet


class Log:
    """An engine's log in a file."""

    def __init__(self, handle: Any, path: Path) -> None:
        self.handle = handle
        self.path = path
        lib.engine_set_option(handle, b"appendfsync", lib.AOF_FSYNC_NO)
        fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        assert lib.engine_aof_open(handle, fd, 1, 0) == 0
        os.close(fd)

    @property
    def text(self) -> bytes:
        return self.path.read_bytes()

    @property
    def info(self) -> Any:
        out = ffi.new("struct aof_info *")
        lib.engine_aof_info(self.handle, out)
        return out


def stream(*commands: str) -> bytes:
    return b"".join(encode(*command.split()) for command in commands)


def test_replies_wait_for_the_log(engine: Engine, tmp_path: Path) -> None:
    log = Log(engine.handle, tmp_path / "aof")
    assert engine.session.feed(encode("SET", "a", "1")) == b""
    assert engine.session.outcome & lib.FEED_TURN
    assert log.text == b""
    assert lib.engine_drain(engine.handle, False) & lib.DRAIN_READY
    assert log.text == stream("SELECT 0", "SET a 1")
    assert engine.session.take_output() == b"+OK\r\n"


def test_reads_after_a_write_wait_with_it_and_reads_alone_do_not(
    engine: Engine, tmp_path: Path
) -> None:
    Log(engine.handle, tmp_path / "aof")
    assert engine.session.feed(encode("GET", "a")) == b"_\r\n"
    assert engine.session.feed(encode("SET", "a", "1") + encode("GET", "a")) == b""
    lib.engine_drain(engine.handle, False)
    assert engine.session.take_output() == b"+OK\r\n$1\r\n1\r\n"


def test_select_is_logged_when_the_database_changes(engine: Engine, tmp_path: Path) -> None:
    log = Log(engine.handle, tmp_path / "aof")
    for command in ("SET a 1", "SET b 1"):
        engine.session.feed(stream(command))
    lib.session_set_db(engine.session.handle, 3)
    engine.session.feed(stream("SET c 1"))
    lib.engine_drain(engine.handle, False)
    assert log.text == stream("SELECT 0", "SET a 1", "SET b 1", "SELECT 3", "SET c 1")


def test_a_new_file_begins_with_select(engine: Engine, tmp_path: Path) -> None:
    first = Log(engine.handle, tmp_path / "1")
    engine.session.feed(stream("SET a 1"))
    fd = os.open(tmp_path / "2", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    assert lib.engine_aof_prepare(engine.handle, fd, 2, 0) == 0
    os.close(fd)
    assert lib.engine_aof_instant(engine.handle) == 0
    engine.session.feed(stream("SET b 1"))
    lib.engine_drain(engine.handle, False)
    assert first.text == stream("SELECT 0", "SET a 1")
    assert (tmp_path / "2").read_bytes() == stream("SELECT 0", "SET b 1")
    assert first.info.seq == 2


def test_timestamps_come_once_a_second(engine: Engine, tmp_path: Path) -> None:
    log = Log(engine.handle, tmp_path / "aof")
    lib.engine_set_option(engine.handle, b"aof_timestamp_enabled", 1)
    for i in range(3):
        engine.session.feed(stream(f"SET a {i}"))
    lib.engine_drain(engine.handle, False)
    assert log.text.startswith(b"#TS:")
    assert 1 <= log.text.count(b"#TS:") <= 2


def test_no_log_no_waiting(engine: Engine, tmp_path: Path) -> None:
    log = Log(engine.handle, tmp_path / "aof")
    assert lib.engine_aof_close(engine.handle) == 0
    assert engine.session.feed(stream("SET a 1")) == b"+OK\r\n"
    assert log.text == b""


def test_a_full_disk_refuses_writes_and_recovers(engine: Engine) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    assert lib.engine_aof_open(engine.handle, full, 1, 0) == 0
    os.close(full)
    engine.session.feed(stream("SET a 1"))
    lib.engine_drain(engine.handle, False)
    assert engine.session.take_output() == b"+OK\r\n"
    misconf = b"-MISCONF Errors writing to the AOF file: No space left on device\r\n"
    assert engine.session.feed(stream("SET a 2")) == misconf
    assert engine.session.feed(stream("PING")) == misconf
    assert engine.session.feed(stream("GET a")) == b"$1\r\n1\r\n"


def test_a_part_of_several_is_one_transaction(tmp_path: Path) -> None:
    with new_fleet(3) as fleet:
        logs = [Log(engine, tmp_path / str(i)) for i, engine in enumerate(fleet.engines)]
        keys = fleet.owned_by_each()
        client = Client(fleet, 0)
        assert client.call("MSET", *[word for key in keys for word in (key, 1)]) == b"+OK\r\n"
        assert client.call("DEL", *keys[:2], keys[2] + "{no}") == b":2\r\n"
        texts = [log.text.split(b"\r\n") for log in logs]
        heads = [lines[0].split(b" ") for lines in texts]
        assert len({head[1] for head in heads}) == 1
        assert [head[2] for head in heads] == [b"1/3", b"2/3", b"3/3"]
        for log, key in zip(logs, keys, strict=True):
            body = log.text.split(b"\r\n", 1)[1]
            assert body.startswith(stream("MULTI", "SELECT 0", f"MSET {key} 1", "EXEC"))


def test_a_part_without_effect_says_so(tmp_path: Path) -> None:
    with new_fleet(2) as fleet:
        logs = [Log(engine, tmp_path / str(i)) for i, engine in enumerate(fleet.engines)]
        here, there = fleet.owned_by_each()
        client = Client(fleet, 0)
        client.call("SET", here, 1)
        assert client.call("DEL", here, there) == b":1\r\n"
        assert logs[1].text.startswith(b"#TXN ")
        assert logs[1].text.endswith(b" 2/2 empty\r\n")
        assert b"MULTI" not in logs[1].text


def test_no_message_leaves_before_the_log(tmp_path: Path) -> None:
    """A worker whose effects are not logged shows nothing of them in its rings."""
    with new_fleet(2) as fleet:
        log = Log(fleet.engines[1], tmp_path / "aof")
        key = fleet.keys(1, 1)[0]
        client = Client(fleet, 0)
        client.send("SET", key, 1)
        while not client.received:
            drained = fleet.drain(0)
            assert not client.received or log.text
            fleet.drain(1)
            assert drained or log.text
        assert client.take() == b"+OK\r\n"
        assert log.text == stream("SELECT 0", f"SET {key} 1")


def test_the_superblock_knows_how_far_file_and_arena_agree(engine: Engine, tmp_path: Path) -> None:
    log = Log(engine.handle, tmp_path / "aof")
    engine.session.feed(stream("SET a 1"))
    assert log.info.buffered == len(stream("SELECT 0", "SET a 1"))
    lib.engine_drain(engine.handle, False)
    assert (log.info.buffered, log.info.size) == (0, len(log.text))


def test_expired_keys_are_logged_by_the_cron(tmp_path: Path) -> None:
    with new_engine() as engine:
        log = Log(engine.handle, tmp_path / "aof")
        engine.session.feed(stream("SET a 1 PX 1"))
        lib.engine_drain(engine.handle, False)
        while b"DEL" not in log.text:
            lib.engine_cron(engine.handle, 1000)
        assert log.text.endswith(stream("DEL a"))


def test_always_syncs_before_replies(engine: Engine, tmp_path: Path) -> None:
    log = Log(engine.handle, tmp_path / "aof")
    lib.engine_set_option(engine.handle, b"appendfsync", lib.AOF_FSYNC_ALWAYS)
    engine.session.feed(stream("SET a 1"))
    lib.engine_drain(engine.handle, False)
    assert log.info.synced == log.info.written == len(log.text)


def test_a_crossed_command_is_logged_as_what_its_keys_became(tmp_path: Path) -> None:
    with new_fleet(2) as fleet:
        logs = [Log(engine, tmp_path / str(i)) for i, engine in enumerate(fleet.engines)]
        here, there = fleet.owned_by_each()
        fleet.settle()
        client = Client(fleet, 0)
        client.call("RPUSH", here, "a", "b")
        client.call("RPUSH", there, "c")
        marks = [len(log.text) for log in logs]
        assert client.call("LMOVE", here, there, "LEFT", "RIGHT") == b"$1\r\na\r\n"
        first, second = (log.text[mark:] for log, mark in zip(logs, marks, strict=True))
        head, body = first.split(b"\r\n", 1)
        assert head.endswith(b" 1/2") and head.startswith(b"#TXN ")
        assert body == stream("MULTI", f"DEL {here}", f"RPUSH {here} b", "EXEC")
        head_of_second, body = second.split(b"\r\n", 1)
        assert head_of_second == head.replace(b"1/2", b"2/2")
        assert body == stream("MULTI", f"DEL {there}", f"RPUSH {there} c a", "EXEC")


def test_a_crossed_command_is_logged_where_there_is_a_log(tmp_path: Path) -> None:
    """Logs of several workers are switched on one after the other."""
    with new_fleet(2) as fleet:
        here, there = fleet.owned_by_each()
        client = Client(fleet, 0)
        client.call("RPUSH", here, "a", "b")
        log = Log(fleet.engines[1], tmp_path / "1")
        assert client.call("LMOVE", here, there, "LEFT", "RIGHT") == b"$1\r\na\r\n"
        made = ("SELECT 0", "MULTI", f"DEL {there}", f"RPUSH {there} a", "EXEC")
        assert log.text == stream(*made)
        other = Client(fleet, 1)
        assert other.call("LMOVE", there, here, "LEFT", "RIGHT") == b"$1\r\na\r\n"
        assert log.text.endswith(stream("MULTI", f"DEL {there}", "EXEC"))
        assert b"#TXN" in log.text.removeprefix(stream(*made))


def test_a_crossed_command_without_effect_is_not_logged(tmp_path: Path) -> None:
    with new_fleet(2) as fleet:
        logs = [Log(engine, tmp_path / str(i)) for i, engine in enumerate(fleet.engines)]
        here, there = fleet.owned_by_each()
        fleet.settle()
        assert Client(fleet, 0).call("LMOVE", here, there, "LEFT", "RIGHT") == b"$-1\r\n"
        assert [log.text for log in logs] == [b"", b""]
