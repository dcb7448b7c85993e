"""Real servers load our RDB files and payloads, and say the same digest.

SHMREDIS_PEERS names their binaries, separated by colons; without it these tests are skipped.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.resp import Client, parse
from tests.harness.server import free_port, wait_until
from tests.persistence.rdb_data import digest, fill, load_file, save_file
from tests.unit.engines import Engine, new_engine

PEERS = [path for path in os.environ.get("SHMREDIS_PEERS", "").split(":") if path]
pytestmark = pytest.mark.skipif(not PEERS, reason="SHMREDIS_PEERS names no server")


class Peer:
    """A real server on a folder of its own."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.port = free_port()
        options = {"port": self.port, "bind": "127.0.0.1", "dir": folder, "save": ""}
        options |= {"enable-debug-command": "yes", "dbfilename": "dump.rdb"}
        argv = [binary, *(word for name, value in options.items() for word in (f"--{name}", value))]
        self.process = subprocess.Popen([str(word) for word in argv], stdout=subprocess.DEVNULL)
        wait_until(self._answers, 20)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "it did not start"
        with contextlib.suppress(OSError):
            return bool(self.call("PING") == "PONG")
        return False

    def call(self, *words: bytes | str | int) -> Any:
        with Client(self.port, 3) as client:
            return parse(client.call(*words))

    @property
    def is_valkey(self) -> bool:
        return b"valkey_version" in self.call("INFO", "server")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@contextlib.contextmanager
def running(binary: str, folder: Path) -> Iterator[Peer]:
    peer = Peer(binary, folder)
    try:
        yield peer
    finally:
        peer.stop()


@pytest.mark.parametrize("binary", PEERS)
@pytest.mark.parametrize("field_ttls", [False, True])
def test_they_load_our_files(engine: Engine, binary: str, field_ttls: bool, tmp_path: Path) -> None:
    fill(engine, field_ttls)
    save_file(engine, tmp_path / "dump.rdb")
    if field_ttls and "valkey" in binary:
        pytest.skip("Valkey refuses files of version 12")
    with running(binary, tmp_path) as peer:
        assert peer.call("DEBUG", "DIGEST") == digest(engine)
        assert peer.call("DEBUG", "RELOAD") == "OK"
        with new_engine() as back:
            load_file(back, tmp_path / "dump.rdb")
            assert digest(back) == digest(engine)


@pytest.mark.parametrize("binary", PEERS)
def test_payloads_travel_both_ways(engine: Engine, binary: str, tmp_path: Path) -> None:
    fill(engine)
    with running(binary, tmp_path) as peer:
        for key in engine.call("KEYS", "*"):
            timed = engine.call("OBJECT", "ENCODING", key) == b"listpackex" or b"large field" in key
            if timed and peer.is_valkey:
                continue
            dumped = engine.call("DUMP", key)
            assert peer.call("RESTORE", key, 0, dumped) == "OK", key
            theirs = peer.call("DUMP", key)
            assert engine.call("RESTORE", key, 0, theirs, "REPLACE") == "OK", key
            assert len(engine.call("DUMP", key)) == len(dumped)
