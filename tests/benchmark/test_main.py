"""The whole program, with tiny counts, against shmredis and the servers that are on PATH."""

import json
import shutil
from pathlib import Path

import pytest

from shmredis.benchmark.arguments import parse
from shmredis.benchmark.main import main

TINY = "--scale 0.0002 --requests 60 --rounds 1 --clients 2 --pipeline 1,4 --pause-keys 100000"


def test_everything_is_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "result.json"
    main(["compare", *TINY.split(), "--commands", "get,SET", "--json", str(file)])
    result = json.loads(file.read_text())
    sections = {row["section"] for row in result["measurements"]}
    assert sections == {"throughput", "cpu", "handover", "used", "resident", "pauses"}
    assert next(iter(result["servers"])) == "shmredis"
    for row in result["measurements"]:
        assert set(row["samples"]) == set(result["servers"])
        assert (row["best_peer"] is None) == (len(result["servers"]) == 1)
    assert "GET, pipeline 4" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on PATH")
def test_a_peer_is_compared(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    arguments = f"compare {TINY} --parts memory --peer redis=redis-server --json {file}"
    main(arguments.split())
    result = json.loads(file.read_text())
    assert list(result["servers"]) == ["shmredis", "redis"]
    assert all(row["best_peer"] == "redis" for row in result["measurements"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--peer", "nothing"],
        ["--parts", "loads,lunch"],
        ["--parts", "loads", "--commands", "NOSUCH"],
        ["--parts", "loads", "--requests", "10", "--command", "NOSUCH"],
        ["--option", "no-such-directive 1"],
    ],
)
def test_what_cannot_be_measured_is_an_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["compare", *arguments])
    assert end.value.code == 1
    assert "shmredis-benchmark: " in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--clients", "--scale", "--seconds", "--pipeline"])
def test_sizes_are_positive(option: str) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["compare", option, "0"])
    assert end.value.code == 2
