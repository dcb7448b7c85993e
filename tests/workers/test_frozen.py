"""Workers whose arenas are frozen, and the one instant of all, whatever the order in which workers run."""

import errno
import os
import random
import select
import tempfile
from pathlib import Path
from typing import Any

import pytest

from shmredis._core import ffi, lib
from shmredis.persistence.rdb_file import Frame, Records, write_end, write_head
from tests.harness.resp import parse
from tests.persistence.rdb_data import load_bytes
from tests.unit.engines import new_engine
from tests.workers.fleet import Client, Fleet, new_fleet
from tests.workers.test_atomicity import Actor, run_step

FOREVER = 1 << 62
PHASE_LIVE = 0


def phase(fleet: Fleet, worker: int) -> int:
    return int(lib.wb_arena_phase(lib.wb_engine_arena(fleet.engines[worker])))


def freeze(fleet: Fleet, worker: int) -> None:
    if phase(fleet, worker) == PHASE_LIVE:
        lib.freeze_begin(lib.wb_engine_arena(fleet.engines[worker]))


def thaw(fleet: Fleet, worker: int, budget_us: int) -> None:
    lib.freeze_thaw(lib.wb_engine_arena(fleet.engines[worker]), budget_us)


def crossing(chance: random.Random, keys: list[str]) -> list[object]:
    """A command of several workers, or one that makes something for it."""
    a, b, c = (chance.choice(keys) for _ in range(3))
    word = chance.choice("xyz")
    commands: list[list[object]] = [
        ["DEL", a],
        ["SET", a, word, "PXAT", (1 << 45) + chance.randrange(9)],
        ["RPUSH", a, *"pqr"[: chance.randint(1, 3)]],
        ["SADD", a, word, chance.randrange(9)],
        ["ZADD", a, chance.randrange(9), word],
        ["HSET", a, word, chance.randrange(9)],
        ["RENAME", a, b],
        ["RENAMENX", a, b],
        ["COPY", a, b, "REPLACE"],
        ["LMOVE", a, b, "LEFT", "RIGHT"],
        ["SMOVE", a, b, word],
        ["SINTERSTORE", a, b, c],
        ["SUNIONSTORE", a, b, c],
        ["SDIFF", a, b],
        ["ZUNIONSTORE", a, 2, b, c],
        ["TYPE", a],
        ["PEXPIRETIME", a],
    ]
    return chance.choice(commands)


def shown(reply: object) -> object:
    """The reply so that it can be compared."""
    if isinstance(reply, set | list):
        return sorted(map(str, reply))
    return str(reply) if isinstance(reply, Exception) else reply


@pytest.mark.parametrize("seed", range(6))
def test_commands_of_several_workers_see_the_present_state_of_frozen_ones(seed: int) -> None:
    """Replies and data are those of one engine, whoever is frozen or thawing."""
    chance = random.Random(seed)
    with new_fleet(3) as fleet, new_engine() as alone:
        keys = fleet.owned_by_each("a") + fleet.owned_by_each("b")
        clients = [Client(fleet, worker, resp=3) for worker in range(3)]
        fleet.settle()
        for _ in range(400):
            if chance.random() < 0.1:
                freeze(fleet, chance.randrange(3))
            elif chance.random() < 0.1:
                thaw(fleet, chance.randrange(3), chance.choice([0, FOREVER]))
            words = crossing(chance, keys)
            got = parse(chance.choice(clients).call(*words))
            assert shown(got) == shown(alone.call(*words)), words
        for worker in range(3):
            thaw(fleet, worker, FOREVER)
        fleet.check()
        for key in keys:
            kind = alone.call("TYPE", key)
            assert parse(clients[0].call("TYPE", key)) == kind


def prepare(fleet: Fleet, number: int, files: list[int]) -> None:
    options = ffi.new("struct fork_options *", [True, True, 0, 0, False])
    for engine, fd in zip(fleet.engines, files, strict=True):
        lib.engine_fork_prepare(engine, number, lib.FORK_RDB, fd, options)


def mail(engine: Any) -> list[tuple[int, int]]:
    """Kinds and numbers of all mail."""
    found = []
    worker, number = ffi.new("int *"), ffi.new("uint64_t *")
    kind, n = ffi.new("int *"), ffi.new("size_t *")
    while lib.engine_next_mail(engine, worker, number, kind, n) != ffi.NULL:
        found.append((int(kind[0]), int(number[0])))
    return found


def reap(engine: Any) -> Any:
    """Waits for the worker's child; its report."""
    state = ffi.new("struct fork_state *")
    lib.engine_fork_state(engine, state)
    assert state.error == 0 and state.pid
    assert os.waitpid(state.pid, 0)[1] == 0
    report = ffi.new("struct fork_report *")
    lib.engine_fork_report(engine, report)
    assert report.done and not report.error
    return report


def join(files: list[int], reports: list[Any]) -> bytes:
    """The parts as one RDB file."""
    frame = Frame((("redis-ver", "8.10.2"),))
    with tempfile.TemporaryDirectory() as folder:
        target = os.open(f"{folder}/whole", os.O_RDWR | os.O_CREAT)
        write_head(target, frame)
        parts = []
        for i, (fd, report) in enumerate(zip(files, reports, strict=True)):
            path = Path(folder) / str(i)
            path.write_bytes(os.pread(fd, report.bytes, 0))
            parts.append(Records(path, report.bytes, report.crc, report.field_ttls, 0))
        write_end(target, frame, parts, checksum=True)
        os.close(target)
        return (Path(folder) / "whole").read_bytes()


@pytest.mark.parametrize("seed", range(8))
def test_snapshot_has_all_parts_of_a_command_or_none(seed: int) -> None:
    """Clients keep a key of each worker equal by MSET and swap two others by RENAME; so does the file."""
    chance = random.Random(seed)
    files = [os.memfd_create("part") for _ in range(3)]
    with new_fleet(3) as fleet, new_engine() as loaded:
        keys, (here, there, _) = fleet.owned_by_each("eq"), fleet.owned_by_each("mv")
        Client(fleet, 0).call("MSET", *[word for key in keys for word in (key, 0)])
        Client(fleet, 0).call("SET", here, "gold")
        writers = [Actor(fleet, worker) for worker in range(3)]
        mover = Actor(fleet, 2)
        prepare(fleet, 7, files)
        passed: set[int] = set()
        number, asked, at = 0, False, here
        while len(passed) < 3:
            for writer in writers:
                if writer.asked is None or writer.answered() is not None:
                    number += 1
                    writer.ask("MSET", *[word for key in keys for word in (key, number)])
            if mover.asked is None or mover.answered() is not None:
                mover.ask("RENAME", at, there if at == here else here)
                at = there if at == here else here
            if not asked and number > 20:
                asked = True
                lib.engine_instant(fleet.engines[0], 7)
            run_step(fleet, chance)
            for worker in range(3):
                for kind, what in mail(fleet.engines[worker]):
                    assert what == 7
                    assert kind == lib.MAIL_INSTANT
                    passed.add(worker)
        fleet.settle()
        reports = [reap(engine) for engine in fleet.engines]
        load_bytes(loaded, join(files, reports))
        values = loaded.call("MGET", *keys)
        assert len(set(values)) == 1 and values[0] != b"0", values
        assert loaded.call("EXISTS", here, there) == 1
        for engine in fleet.engines:
            assert lib.engine_fork_ended(engine, FOREVER)
    for fd in files:
        os.close(fd)


def test_instant_of_another_number_makes_no_child() -> None:
    with new_fleet(2) as fleet:
        files = [os.memfd_create("part") for _ in range(2)]
        prepare(fleet, 1, files)
        lib.engine_instant(fleet.engines[0], 2)
        fleet.settle()
        state = ffi.new("struct fork_state *")
        for engine in fleet.engines:
            assert mail(engine) == [(lib.MAIL_INSTANT, 2)]
            lib.engine_fork_state(engine, state)
            assert state.pid == 0 and state.error and state.phase == PHASE_LIVE
        for fd in files:
            os.close(fd)


def test_child_keeps_no_connection_open() -> None:
    """Clients and other workers see ends of connections while a child of a dead worker still writes."""
    with new_engine() as engine:
        engine.call("SET", "key", "value")
        read, write = os.pipe()
        fd = os.memfd_create("part")
        options = ffi.new("struct fork_options *", [False, False, 0, 300_000, False])
        lib.engine_fork_prepare(engine.handle, 1, lib.FORK_RDB, fd, options)
        assert lib.engine_fork(engine.handle, 1) == 0
        os.close(write)
        assert select.select([read], [], [], 5)[0] and os.read(read, 1) == b""
        report = reap(engine.handle)
        assert report.keys_done == 1 and report.bytes > 0
        assert lib.engine_fork_ended(engine.handle, FOREVER)
        os.close(read)
        os.close(fd)


def test_no_child_while_keys_of_others_are_here() -> None:
    """It would write them as this worker's own."""
    with new_fleet(2) as fleet:
        here, there = fleet.keys(0, 1)[0], fleet.keys(1, 1)[0]
        client = Client(fleet, 0)
        client.call("SET", here, "value")
        client.send("RENAME", here, there)
        state = ffi.new("struct fork_state *")
        seen = set()
        files = [os.memfd_create("part") for _ in range(2)]
        while not client.received:
            for worker, engine in enumerate(fleet.engines):
                lib.engine_fork_state(engine, state)
                if state.guests:
                    seen.add(worker)
                    prepare(fleet, 1, files)
                    assert lib.engine_fork(engine, 1) == errno.EBUSY
            for worker in range(2):
                fleet.drain(worker)
        assert seen == {0}  # which executes the command
        assert client.take() == b"+OK\r\n"
        for fd in files:
            os.close(fd)
