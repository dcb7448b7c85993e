"""Finding, starting and stopping servers."""

import os
from pathlib import Path

import pytest

from shmredis.benchmark.servers import StartError, Target, find_targets, parse_peer, running


def test_a_server_runs_inside_the_block_only() -> None:
    with running(find_targets([], ())[0]) as server:
        assert server.version().startswith("shmredis ")
        pid = server.pid
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()
    assert not list(Path("/dev/shm").glob(f"shmredis-benchmark-{os.getpid()}-{server.port}*"))


def test_directives_are_given_to_shmredis() -> None:
    with running(find_targets([], ["maxmemory 64mb"])[0]) as server, server.connect() as connection:
        assert connection.info("memory")["maxmemory"] == str(64 << 20)


def test_a_program_that_is_no_server_is_an_error() -> None:
    with (
        pytest.raises(StartError, match="fails did not start"),
        running(Target("fails", ("false",))),
    ):
        pytest.fail("it runs")


def test_a_peer_has_a_name_and_a_program(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert parse_peer(f"redis={program}") == Target("redis", (str(program),))


@pytest.mark.parametrize("text", ["redis", "=/bin/true", "redis=", "redis=/no/such/program"])
def test_a_bad_peer_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="--peer"):
        parse_peer(text)


def test_two_servers_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="same name"):
        find_targets(["a=true", "a=false"])
