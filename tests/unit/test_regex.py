"""Regular expressions of ARGREP against those of Python."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.engines import Engine, new_engine

ATOMS = st.sampled_from(
    ["a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", "[[:digit:]]", r"\d", r"\w", r"\.", "^", "$", "-"]
)
COUNTS = st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?"])


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, COUNTS).map(lambda pair: f"({pair[0]}){pair[1]}"),
    )


PATTERNS = st.recursive(ATOMS, joined, max_leaves=12).filter(bool)
TEXTS = st.lists(st.text("abc1.-_", max_size=8), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with new_engine() as engine:
        yield engine


def in_python(pattern: str) -> re.Pattern[bytes]:
    """The same for Python, where $ also stands before a line's end."""
    text = pattern.replace("[[:digit:]]", "[0-9]").replace("$", r"\Z")
    return re.compile(text.encode(), re.DOTALL)


@given(pattern=PATTERNS, texts=TEXTS)
@settings(max_examples=1000, deadline=None)
def test_matches_are_those_of_python(engine: Engine, pattern: str, texts: list[str]) -> None:
    engine.call("DEL", "k")
    engine.call("ARSET", "k", 0, *texts)
    expected = [i for i, text in enumerate(texts) if in_python(pattern).search(text.encode())]
    assert engine.call("ARGREP", "k", "-", "+", "RE", pattern) == expected


@pytest.mark.parametrize(
    "pattern",
    ["(a*)*b", "(a|a)*b", "(a+a+)+b", "(a?){30}a{30}b", "(((a*)*)*)*b", "(.*)(.*)(.*)(.*)b"],
)
def test_no_pattern_takes_exponential_time(engine: Engine, pattern: str) -> None:
    engine.call("DEL", "k")
    engine.call("ARSET", "k", 0, "a" * 20_000)
    assert engine.call("ARGREP", "k", "-", "+", "RE", pattern) == []


@pytest.mark.parametrize(
    "pattern",
    [
        "((((a{255}){255}){255}){255}){255}",
        "((((){255}){255}){255}){255}",
        "(" * 1010 + "a" + ")" * 1010,
    ],
)
def test_what_would_be_too_large_is_refused(engine: Engine, pattern: str) -> None:
    engine.call("ARSET", "k", 0, "a")
    reply = engine.call("ARGREP", "k", "-", "+", "RE", pattern)
    assert str(reply) == "ERR invalid regular expression: Out of memory"


@given(pattern=st.binary(min_size=1, max_size=40))
@settings(max_examples=1000, deadline=None)
def test_any_bytes_are_a_pattern_or_an_error(engine: Engine, pattern: bytes) -> None:
    engine.call("DEL", "k")
    engine.call("ARSET", "k", 0, "abc", "", "x" * 100)
    reply = engine.call("ARGREP", "k", "-", "+", "RE", pattern, "NOCASE")
    assert isinstance(reply, list) or "regular expression" in str(reply)


@given(pattern=st.text(r"ab\[]^-:.=*+?{}(),|$12dwxQEi", min_size=1, max_size=14))
@settings(max_examples=2000, deadline=None)
def test_any_syntax_is_a_pattern_or_an_error(engine: Engine, pattern: str) -> None:
    engine.call("DEL", "k")
    engine.call("ARSET", "k", 0, "abc", "", "a" * 100, "[x]")
    reply = engine.call("ARGREP", "k", "-", "+", "RE", pattern)
    assert isinstance(reply, list) or "regular expression" in str(reply)
