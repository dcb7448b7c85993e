"""redis-check-rdb and redis-check-aof of real servers on our files, our tools on theirs.

The servers' programs are the checkers, too, under another name.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.harness.server import ROOT, wait_until
from tests.interop.peers import PEERS, is_old, running
from tests.interop.test_random_data import fill
from tests.persistence.logged import LoggedServer, logged_server, stream

NEW = pytest.mark.parametrize("binary", [binary for binary in PEERS if not is_old(binary)])
pytestmark = pytest.mark.skipif(not PEERS, reason="SHMREDIS_PEERS names no server")


@pytest.fixture
def server() -> Iterator[LoggedServer]:
    with logged_server() as one:
        yield one


def checker(folder: Path, binary: str, tool: str) -> str:
    """A link with the checker's name: a server looks at the name that it is called by."""
    kind = "valkey" if "valkey" in binary else "redis"
    link = folder / f"{kind}-check-{tool}"
    if link.exists():
        return str(link)
    link.symlink_to(binary)
    text = subprocess.run([link, "--version"], capture_output=True, text=True, check=False).stdout
    if "server v=" in text:
        pytest.skip("it does not see its name")
    return str(link)


def theirs(
    folder: Path, binary: str, tool: str, *words: object, stdin: str = ""
) -> tuple[int, str]:
    done = subprocess.run(
        [checker(folder, binary, tool), *map(str, words)],
        capture_output=True,
        text=True,
        input=stdin,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout


def ours(tool: str, *words: object, stdin: str = "") -> tuple[int, str]:
    argv = [sys.executable, "-m", f"shmredis.persistence.check_{tool}", *map(str, words)]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        input=stdin,
        timeout=30,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    return done.returncode, done.stdout


def manifest_of(folder: Path) -> Path:
    return folder / "appendonly.aof.manifest"


@NEW
def test_they_check_our_files(server: LoggedServer, binary: str) -> None:
    server.start(workers=3)
    fill(server.port, 11, field_ttls="valkey" not in binary, producers=False)
    server.call("SAVE")
    server.rewrite()
    server.call("MSET", *(word for i in range(20) for word in (f"later{i}", i)))
    assert server.stop() == 0
    status, text = theirs(server.dir, binary, "rdb", server.dir / "dump.rdb")
    assert (status, "RDB looks OK!" in text) == (0, True), text
    for worker in range(3):
        status, text = theirs(server.dir, binary, "aof", manifest_of(server.files(worker)))
        assert (status, "All AOF files and manifest are valid" in text) == (0, True), text


@NEW
def test_we_check_their_files(server: LoggedServer, binary: str) -> None:
    with running(binary, server.dir, appendonly="yes") as peer:
        fill(peer.port, 12, field_ttls=True, producers=False)
        peer.call("SAVE")
        peer.call("BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrites:1" in peer.call("INFO", "persistence"), 20)
        peer.call("SET", "later", 1)
    status, text = ours("rdb", server.dir / "dump.rdb")
    assert (status, "RDB looks OK!" in text) == (0, True), text
    status, text = ours("aof", manifest_of(server.files()))
    assert (status, "All AOF files and manifest are valid" in text) == (0, True), text


TAILS = {
    "a torn command": stream("SET a 1", "SET b 2")[:-3],
    "an open MULTI": stream("SET a 1", "MULTI", "SET b 2"),
    "garbage": stream("SET a 1") + b"garbage\r\n" + stream("SET b 2"),
    "NULs": stream("SET a 1") + b"\0" * 30,
    "EXEC alone": stream("SET a 1", "EXEC"),
    "MULTI twice": stream("SET a 1", "MULTI", "MULTI", "EXEC"),
    "a wrong length": stream("SET a 1") + b"*1\r\n$3\r\nSETX\r\n",
    "a length of text": stream("SET a 1") + b"*x\r\n",
    "no dollar": stream("SET a 1") + b"*1\r\n#3\r\nSET\r\n",
    "nothing wrong": stream("SET a 1", "MULTI", "SET b 2", "EXEC"),
    "no bytes": b"",
    "times": b"#TS:1000\r\n" + stream("SET a 1") + b"#TS:2000\r\n" + stream("SET a 2"),
}


def said(text: str, folder: Path) -> list[str]:
    text = text.replace(str(folder), "").replace("shmredis-check", "redis-check")
    return [
        line for line in text.replace("valkey-check", "redis-check").splitlines() if line.strip()
    ]


@NEW
@pytest.mark.parametrize("tail", TAILS)
def test_damage_is_found_and_mended_as_they_do(tmp_path: Path, binary: str, tail: str) -> None:
    """The same lines, the same status, the same file afterwards."""
    results: list[object] = []
    for check in (ours, partial(theirs, tmp_path, binary)):
        folder = tmp_path / str(len(results))
        folder.mkdir()
        path = folder / "file.aof"
        path.write_bytes(TAILS[tail])
        steps = [check("aof", path), check("aof", "--fix", path, stdin="n\n")]
        steps += [check("aof", "--fix", path, stdin="y\n"), check("aof", path)]
        steps += [check("aof", "--truncate-to-timestamp", 1500, path)]
        lines = [(status, said(text, folder)) for status, text in steps]
        results.append((lines, path.read_bytes()))
    assert results[0] == results[1]
