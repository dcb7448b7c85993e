"""RESP3 as Python values."""

import pytest
from hypothesis import given, strategies as st

from shmredis.commands.resp import CommandError, encode
from shmredis.module import ModuleError
from shmredis.module.answers import read_answer
from shmredis.module.declaration import CountedKeys, Flag, Keys, KeyUse, Module

values = st.recursive(
    st.integers(-(1 << 80), 1 << 80) | st.binary() | st.booleans() | st.none() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.binary(), inner),
)  # fmt: skip


@given(values)
def test_what_is_encoded_is_read(value: object) -> None:
    assert read_answer(encode(value, 3)) == value  # type: ignore[arg-type]


def test_the_rest() -> None:
    assert read_answer(b"+OK\r\n") == "OK"
    assert read_answer(b"$-1\r\n") is None
    assert read_answer(b"*-1\r\n") is None
    assert read_answer(b"=7\r\ntxt:abc\r\n") == b"abc"
    assert read_answer(b"~1\r\n:1\r\n") == [1]
    assert read_answer(b"|1\r\n+ttl\r\n:3\r\n:7\r\n") == 7
    error = read_answer(b"-ERR no\r\n")
    assert isinstance(error, CommandError)
    assert error.line == "ERR no"


@pytest.mark.parametrize("keys", [Keys(0), Keys(2, 1), Keys(1, 1, 0), CountedKeys(0)])
def test_keys_that_cannot_be(keys: Keys | CountedKeys) -> None:
    with pytest.raises(ModuleError):
        keys.spec(KeyUse.READ)


@pytest.mark.parametrize(
    ("name", "arity", "flags"),
    [
        ("", 1, Flag.READ),
        ("A B", 1, Flag.READ),
        ("A", 0, Flag.READ),
        ("A", 1, Flag.BLOCKING),
        ("A" * 64, 1, Flag.READ),
    ],
)
def test_commands_that_cannot_be(name: str, arity: int, flags: Flag) -> None:
    with pytest.raises(ModuleError):
        Module("m").command(name, arity=arity, flags=flags)
