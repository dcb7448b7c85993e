"""What each write logs for replicas and the append-only file, and which events it tells, against what
Redis 8.10.2 did with the same commands."""

from collections.abc import Iterator

import pytest

import shmredis.worker.main  # noqa: F401 - gives the core its XXH3
from shmredis._core import lib
from tests.harness.effects import EFFECTS, Step, comparable, read_effects, shown
from tests.harness.resp import parse_all
from tests.harness.steps import cases
from tests.unit.engines import Engine, new_engine

CASES = [
    pytest.param(steps, id=f"{path.stem}: {steps[0].line}")
    for path in sorted(EFFECTS.glob("*.txt"))
    for case in cases(read_effects(path))
    if (steps := [item for item in case if isinstance(item, Step)])
]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with new_engine() as engine:
        lib.engine_set_digest(engine.handle, lib.python_xxh3)
        engine.record()
        lib.engine_set_option(engine.handle, b"active_expire", 0)
        yield engine


def set_option(engine: Engine, name: bytes, value: bytes) -> None:
    number = {b"yes": 1, b"no": 0}.get(value)
    field = name.replace(b"-", b"_")
    assert lib.engine_set_option(engine.handle, field, int(value) if number is None else number)


def effects(engine: Engine, step: Step) -> list[str]:
    """Logged commands, then events."""
    engine.take_recorded()
    if step.words[0] == b"CONFIG":
        set_option(engine, *step.words[2:])
    else:
        engine.call(*step.words)
    found = [shown(int(db), command) for db, *command in parse_all(engine.take_recorded())]
    events = [text for text in found if text.startswith(("event ", "[1] event "))]
    return [text for text in found if text not in events] + events


def without_transaction(effects: list[str]) -> list[str]:
    """Redis logs a key that expired in a command and the command as one transaction; here the end of
    the key is logged by itself, before."""
    expired = effects[0:1] == ["MULTI"] and any(
        text.startswith("event expired") for text in effects
    )
    return [text for text in effects if not expired or text not in ("MULTI", "EXEC")]


@pytest.mark.parametrize("case", CASES)
def test_logs_and_events_are_those_of_redis(engine: Engine, case: list[Step]) -> None:
    for step in case:
        ours = [comparable(effect, step.random) for effect in effects(engine, step)]
        theirs = [comparable(effect, step.random) for effect in without_transaction(step.recorded)]
        if step.words[0] == b"SMOVE":  # the member is in the target before it leaves the source
            ours, theirs = sorted(ours), sorted(theirs)
        assert ours == theirs, step.line


def test_himport_logs_what_every_server_reads(engine: Engine) -> None:
    """Redis logs the payload of its compact hash, which earlier versions refuse."""
    engine.call("HIMPORT", "PREPARE", "fields", "a", "b")
    engine.take_recorded()
    engine.call("HIMPORT", "SET", "h", "fields", "1", "2")
    logged = [command[1:] for command in parse_all(engine.take_recorded())]
    assert [command for command in logged if command[0] != b"event"] == [
        [b"MULTI"],
        [b"DEL", b"h"],
        [b"HSET", b"h", b"a", b"1", b"b", b"2"],
        [b"EXEC"],
    ]
