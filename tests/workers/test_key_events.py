"""Keyspace events of commands over keys of several workers: each comes once, as with one worker."""

import pytest

from tests.harness.effects import Events
from tests.harness.server import Server
from tests.workers.places import connect_to, key_of

A, B, C = (key_of(worker) for worker in range(3))
Lines = list[str]


def events_of(server: Server, lines: Lines) -> Lines:
    """What the last command tells; all are said by a client of worker 0."""
    with connect_to(server, 0) as client, server.client() as subscriber, server.client() as asker:
        client.call("FLUSHALL")
        events = Events(subscriber)
        for line in lines[:-1]:
            client.call(*line.split())
        events.take(asker)
        client.call(*lines[-1].split())
        found = events.take(asker)
        client.call("CONFIG", "SET", "notify-keyspace-events", "")
    return [text.removeprefix("event ") for text in found if "keymiss" not in text]


@pytest.mark.parametrize(
    ("lines", "events"),
    [
        ([f"SET {B} v", f"RENAME {B} {C}"], [f"rename_from {B}", f"rename_to {C}"]),
        (["MULTI", f"SET {B} v", f"SADD {C} m", "EXEC"], None),
        ([f"SADD {B} m", f"SUNIONSTORE {C} {A} {B}"], [f"new {C}", f"sunionstore {C}"]),
        ([f"SADD {B} m", f"SMOVE {B} {C} m"], None),
        ([f"PFADD {B} e", f"PFMERGE {C} {A} {B}"], None),
    ],
)
def test_events_of_several_workers_come_once(
    trio: Server, lines: Lines, events: Lines | None
) -> None:
    found = events_of(trio, lines)
    assert len(found) == len(set(found))
    if events:
        assert set(events) <= set(found)
    else:
        assert f"new {C}" in found
