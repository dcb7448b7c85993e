"""Every conversation of several clients as a real Redis 8.10.2 had it, byte by byte, in RESP2 and RESP3."""

import pytest

from tests.harness.conversation import (
    PLACE,
    Conversation,
    equal,
    hold,
    load_answers,
    load_conversations,
)
from tests.harness.server import Server

GROUPS = sorted(path.stem for path in PLACE.glob("*.txt"))
ALL = [(group, c) for group in GROUPS for c in load_conversations(group)]


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize(("group", "conversation"), ALL, ids=[f"{g}:{c.name}" for g, c in ALL])
def test_the_answers_are_those_of_redis(
    shared_server: Server, group: str, conversation: Conversation, resp: int
) -> None:
    theirs = load_answers(group, resp)[conversation.name]
    ours = hold(shared_server.port, conversation, resp)
    heard = [said for said in conversation.lines if said.how != "!"]
    for said, our, their in zip(heard, ours, theirs, strict=True):
        assert equal(said, our, their), f"{said.line}\n ours:  {our!r}\n theirs: {their!r}"
