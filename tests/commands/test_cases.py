"""Every command case against the replies of a real Redis 8.10.2, byte by byte, in RESP2 and RESP3."""

import pytest

from tests.harness.cases import CASES, Case, equal, load_cases, load_replies, run_case
from tests.harness.server import Server

GROUPS = sorted(path.stem for path in CASES.glob("*.txt"))
ALL = [(group, case) for group in GROUPS for case in load_cases(group)]


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize(("group", "case"), ALL, ids=[f"{g}:{c.name}" for g, c in ALL])
def test_replies_are_those_of_redis(
    shared_server: Server, group: str, case: Case, resp: int
) -> None:
    theirs = load_replies(group, resp)[case.name]
    with shared_server.client(resp) as client:
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")  # restored fields that are over are counted
        ours = run_case(client, case)
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
    for step, our, their in zip(case.steps, ours, theirs, strict=True):
        assert equal(step, our, their), f"{step.line}\n ours:  {our!r}\n theirs: {their!r}"
