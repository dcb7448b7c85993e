"""Numbers of workers beside each other: what is measured, and what the report makes of it."""

import json
from pathlib import Path

import pytest

from shmredis.benchmark.connecting import SUBJECT
from shmredis.benchmark.main import main
from shmredis.benchmark.measurement import Measurement, Section
from shmredis.benchmark.report import scaling_table
from shmredis.benchmark.scaling import COMMANDS, hop_medians, key_of, targets_of
from shmredis.benchmark.servers import all_running
from shmredis.slots import key_slot, slot_owner

TINY = "--parts scaling --requests 3000 --rounds 2 --clients 6 --pipeline 4 --keyspace 100"


def test_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "result.json"
    main(["compare", *TINY.split(), "--workers", "1,2", "--json", str(file)])
    rows = json.loads(file.read_text())["measurements"]
    others = ("hop", SUBJECT)
    loads = [row for row in rows if row["section"] not in others and row["subject"] not in others]
    subjects = {
        f"{name}, pipeline 4, {clients} connections" for name in COMMANDS for clients in (4, 6)
    }
    assert {row["subject"] for row in loads} == subjects
    assert {row["section"] for row in loads} == {"scaled_rate", "scaled_cpu", "per_core"}
    for row in loads:
        if row["section"] == "scaled_rate":  # so short a run may cost no measurable CPU time
            assert list(row["samples"]) == ["1 worker", "2 workers"]
            assert row["ratios"]["1 worker"] == 1
    hops = {row["subject"]: row for row in rows if row["section"] == "hop"}
    assert len(hops) == 6
    for row in hops.values():
        assert [len(samples) for samples in row["samples"].values()] == [2]
    assert [row["section"] for row in rows if row["subject"] == SUBJECT] == [
        "scaled_rate",
        "scaled_cpu",
    ]
    printed = capsys.readouterr().out
    assert "SET, pipeline 4" in printed
    assert "2 workers" in printed


def test_workers_bring_the_scaling_report_beside_what_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    tiny = "--parts loads --commands GET --requests 20 --rounds 1 --pipeline 1 --keyspace 10"
    main(["compare", *tiny.split(), "--workers", "1,2", "--json", str(file)])
    sections = {row["section"] for row in json.loads(file.read_text())["measurements"]}
    assert sections >= {"throughput", "cpu", "scaled_rate", "hop"}


def test_servers_have_as_many_workers_as_their_names_say() -> None:
    with all_running(targets_of([1, 3])) as servers:
        for server, n in zip(servers, (1, 3), strict=True):
            with server.connect() as connection:
                lines = connection.info("workers")
            assert len(lines) == (n if n > 1 else 0)
            assert server.version().startswith("shmredis ")


def test_a_hop_is_one_and_the_connection_stays() -> None:
    with all_running(targets_of([2])) as (server,):
        own, other = hop_medians(server, [b"SET", b"v"])
        assert own > 0
        assert other > 0
        with server.connect() as connection:
            fields = connection.info("workers")["worker0"].split(",")
    hops = int(next(f.split("=")[1] for f in fields if f.startswith("hops_out=")))
    assert hops >= 1000


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_keys_belong_to_their_worker(workers: int) -> None:
    for worker in range(workers):
        assert slot_owner(key_slot(key_of(worker, workers)), workers) == worker


def test_ratios_are_taken_round_by_round() -> None:
    """One slow round slows both, and changes nothing."""
    row = Measurement(Section.SCALED_CPU, "GET", "us/op")
    for one, two in ((10, 12), (30, 36), (5, 6)):
        row.add("1 worker", one)
        row.add("2 workers", two)
    assert row.ratio_between("2 workers", "1 worker") == pytest.approx(1.2)
    assert row.ratio_between("4 workers", "1 worker") is None
    assert row.spread() == pytest.approx(2.5)


def test_a_row_without_the_base_is_shown_without_ratio() -> None:
    row = Measurement(Section.HOP, "GET, added", "us")
    row.add("2 workers", 12.0)
    row.add("4 workers", 15.0)
    table = scaling_table(Section.HOP, [row])
    assert [list(column.cells) for column in table.columns] == [
        ["GET, added"],
        ["12.00"],
        ["15.00 (1.25)"],
        ["0%"],
    ]


def test_numbers_of_workers_are_positive(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["compare", "--workers", "2,0"])
    assert end.value.code == 2
    assert "0 is not positive" in capsys.readouterr().err
