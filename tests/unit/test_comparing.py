"""What the comparison with a real Redis takes for the same, and how it shortens what differs."""

import random

import pytest

from tests.harness.resp import encode, split_reply
from tests.harness.sameness import same_reply
from tests.harness.shrink import shrink
from tests.harness.steady import SteadyGrammar, tamed

PAGE = b"*2\r\n$1\r\n0\r\n"  # the last


def reply(*words: str) -> bytes:
    return encode(*words)


def test_an_aggregate_is_split_into_its_elements() -> None:
    parts = [b"$1\r\na\r\n", b"*2\r\n:1\r\n*-1\r\n", b"%1\r\n+k\r\n,1.5\r\n", b"_\r\n"]
    assert split_reply(b"*4\r\n" + b"".join(parts)) == parts
    assert split_reply(b":1\r\n") == [b":1\r\n"]


@pytest.mark.parametrize(
    ("words", "theirs", "ours", "same"),
    [
        ("GET k", b"$1\r\na\r\n", b"$1\r\nb\r\n", False),
        ("SMEMBERS k", reply("a", "b"), reply("b", "a"), True),
        ("LRANGE k 0 -1", reply("a", "b"), reply("b", "a"), False),
        ("HGETALL k", reply("a", "1", "b", "2"), reply("b", "2", "a", "1"), True),
        ("HGETALL k", reply("a", "1", "b", "2"), reply("a", "2", "b", "1"), False),
        ("SRANDMEMBER k 2", reply("a", "b"), reply("cc", "a"), True),
        ("SRANDMEMBER k 2", reply("a", "b"), reply("a"), False),
        ("TTL k", b":100000\r\n", b":99999\r\n", True),
        ("TTL k", b":-1\r\n", b":-2\r\n", False),
        ("XADD k * f v", b"$15\r\n1795000000000-0\r\n", b"$15\r\n1795000000003-0\r\n", True),
        ("XPENDING k g - + 1", b"*4\r\n:5\r\n:1\r\n", b"*4\r\n:7\r\n:1\r\n", True),
        ("XPENDING k g - + 1", b"*4\r\n:5\r\n:1\r\n", b"*4\r\n:5\r\n:2\r\n", False),
        ("SCAN 0", PAGE + reply("a", "b"), PAGE + reply("b", "a"), True),
        ("SCAN 0", PAGE + reply("a", "b"), PAGE + reply("b"), False),
    ],
)
def test_replies_are_the_same_but_for_order_chance_and_time(
    words: str, theirs: bytes, ours: bytes, same: bool
) -> None:
    assert same_reply(words.encode().split(), theirs, ours) is same


@pytest.mark.parametrize(
    ("line", "steady"),
    [
        ("EXPIRE k 5", "EXPIRE k 500000000"),
        ("EXPIRE k -5", "EXPIRE k -5"),
        ("SET k v px 7", "SET k v px 700000000"),
        ("BLPOP k 30", "BLPOP k 0.01"),
        ("BLPOP k -1", "BLPOP k -1"),
        ("XREAD BLOCK 0 STREAMS k $", "XREAD BLOCK 5 STREAMS k $"),
        ("SRANDMEMBER k -1000000000", "SRANDMEMBER k -50"),
    ],
)
def test_commands_do_not_depend_on_time(line: str, steady: str) -> None:
    assert tamed(line.encode().split()) == steady.encode().split()


def test_a_seed_makes_the_same_commands() -> None:
    def made() -> list[list[bytes]]:
        grammar = SteadyGrammar(random.Random(1), ["SET", "XADD", "ZRANGE", "HSETEX"])
        return [grammar.command() for _ in range(200)]

    commands = made()
    assert commands == made()
    assert {words[0] for words in commands} >= {b"SET", b"XADD", b"ZRANGE", b"HSETEX"}


def test_shrinking_keeps_what_is_needed_and_its_order() -> None:
    def fails(items: list[int]) -> bool:
        return 17 in items and 60 in items and items.index(17) < items.index(60)

    assert shrink(range(100), fails) == [17, 60]
    assert shrink([60, 17, 60], fails) == [17, 60]
