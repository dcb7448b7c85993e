"""The output of redis-benchmark."""

import pytest

from shmredis.benchmark.redis_benchmark import LoadError, parse_csv


def test_the_column_is_found_by_the_header() -> None:
    text = '"test","avg_latency_ms","rps"\n"GET key:__rand_int__","0.1","90909.09"\n'
    assert parse_csv(text) == 90909.09


def test_the_command_may_contain_commas() -> None:
    text = '"test","rps","avg_latency_ms"\n"SET a,b c","125.50","0.2"\n'
    assert parse_csv(text) == 125.5


def test_output_without_a_header_is_understood() -> None:
    assert parse_csv('"GET","1000.00"\n') == 1000.0


@pytest.mark.parametrize("text", ["", "Could not connect\n", '"test","rps"\n', '"GET","fast"\n'])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(LoadError):
        parse_csv(text)
