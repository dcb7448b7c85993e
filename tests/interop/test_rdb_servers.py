"""Real servers load our RDB files and payloads, and say the same digest.

They are named as peers.py says.
"""

from pathlib import Path

import pytest

from tests.interop.peers import PEERS, is_old, running
from tests.persistence.rdb_data import digest, fill, load_file, save_file
from tests.unit.engines import Engine, new_engine

NEW = [binary for binary in PEERS if not is_old(binary)]
pytestmark = pytest.mark.skipif(not PEERS, reason="SHMREDIS_PEERS names no server")


@pytest.mark.parametrize("binary", NEW)
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


@pytest.mark.parametrize("binary", NEW)
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
