"""shmredis-benchmark durability, with tiny counts."""

import json
from pathlib import Path

import pytest

from shmredis.benchmark.main import main
from shmredis.benchmark.overwriter import at_rate, overwrites

TINY = "--keys 3000 --rounds 1 --requests 60 --clients 2 --pipeline 1,4"
ROWS = {
    "saving": {"pauses", "background", "duration"},
    "restarts": {"duration"},
    "logs": {"throughput", "cpu"},
    "deaths": {"death"},
}


@pytest.mark.parametrize("part", ROWS)
def test_each_part_has_its_rows(part: str, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    main(["durability", *TINY.split(), "--parts", part, "--json", str(file)])
    result = json.loads(file.read_text())
    assert {row["section"] for row in result["measurements"]} == ROWS[part]
    assert all("shmredis" in row["samples"] for row in result["measurements"])


def test_unknown_part_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["durability", "--parts", "saving,lunch"])
    assert end.value.code == 1
    assert "no part lunch" in capsys.readouterr().err


def test_overwriter_sets_known_keys_only() -> None:
    data, replies = next(overwrites(10, 5))
    assert replies == data.count(b"SET") == 16
    assert data.count(b"$16\r\nkey:00000000000") == 16
    assert data.count(b"$5\r\nyyyyy\r\n") == 16


def test_overwriter_keeps_to_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that moves when it sleeps: no sooner than due, and no rush after a halt."""
    clock = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    batches = at_rate(iter([(b"", 16)] * 100), 1600)
    times = []
    for number, _ in enumerate(batches):
        times.append(clock[0])
        if number == 49:
            clock[0] += 5
    assert times[49] == pytest.approx(100.5)
    assert times[50] - times[49] == pytest.approx(5)
    assert times[99] - times[50] == pytest.approx(0.49)
