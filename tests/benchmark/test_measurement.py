"""Medians, the best peer and ratios."""

from shmredis.benchmark.measurement import Measurement, Section


def measured(section: Section, **samples: list[float]) -> Measurement:
    return Measurement(section, "subject", "unit", samples)


def test_the_median_of_the_rounds_counts() -> None:
    assert measured(Section.CPU, shmredis=[9, 1, 2]).median("shmredis") == 2


def test_a_server_without_samples_has_no_median() -> None:
    assert measured(Section.CPU, shmredis=[1]).median("redis") is None


def test_the_best_peer_of_throughput_is_the_fastest() -> None:
    row = measured(Section.THROUGHPUT, shmredis=[300], redis=[100], valkey=[200])
    assert row.best_peer() == "valkey"
    assert row.ratio() == 1.5
    assert not row.behind()


def test_the_best_peer_of_memory_is_the_smallest() -> None:
    row = measured(Section.USED, shmredis=[30], redis=[20], valkey=[40])
    assert row.best_peer() == "redis"
    assert row.ratio() == 1.5
    assert row.behind()


def test_a_slower_server_is_behind() -> None:
    assert measured(Section.THROUGHPUT, shmredis=[1], redis=[2]).behind()


def test_without_peers_there_is_no_ratio() -> None:
    row = measured(Section.PAUSES, shmredis=[1])
    assert row.best_peer() is None
    assert row.ratio() is None
    assert not row.behind()


def test_a_peer_that_needs_nothing_gives_no_ratio() -> None:
    assert measured(Section.USED, shmredis=[1], redis=[0]).ratio() is None


def test_samples_are_added_in_order() -> None:
    row = measured(Section.CPU)
    row.add("shmredis", 1)
    row.add("shmredis", 2)
    assert row.samples == {"shmredis": [1, 2]}
