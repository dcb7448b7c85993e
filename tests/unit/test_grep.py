"""ARGREP, where recorded replies do not reach; csrc/cmd/array_grep.c."""

import pytest

from tests.unit.engines import new_engine


@pytest.mark.parametrize("how", ["EXACT", "MATCH", "GLOB", "RE"])
def test_empty_elements_are_compared_without_case(how: str) -> None:
    with new_engine() as engine:
        engine.call("ARINSERT", "a", "", "")
        assert engine.call("ARGREP", "a", "-", "+", how, "x", "NOCASE") == []
