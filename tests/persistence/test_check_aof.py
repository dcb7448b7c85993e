"""shmredis-check-aof: what it says, its exit status, what it cuts. Lines are those of redis-check-aof 7.4."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.server import ROOT
from tests.persistence.logged import stream

SET = stream("SET a 1")
MULTI, EXEC = stream("MULTI"), stream("EXEC")
STAMPED = b"#TS:100\r\n" + SET + b"#TS:200\r\n" + SET


def check(folder: Path, *argv: str, answer: str = "y\n") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "shmredis.persistence.check_aof", *argv],
        cwd=folder,
        capture_output=True,
        input=answer,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def analyzed(size: int, good: int, line: int, name: str = "x") -> str:
    return (
        f"AOF analyzed: filename={name}, size={size}, ok_up_to={good}, ok_up_to_line={line}, "
        f"diff={size - good}\n"
    )


@pytest.mark.parametrize(
    ("data", "line"),
    [(SET * 2, 15), (STAMPED, 15), (SET + b"*0\r\n" + SET, 16), (SET + b"#TS:1", 8)],
)
def test_good_files(tmp_path: Path, data: bytes, line: int) -> None:
    (tmp_path / "x").write_bytes(data)
    said = "Start checking Old-Style AOF\n" + analyzed(len(data), len(data), line)
    assert check(tmp_path, "x") == (0, said + "AOF x is valid\n")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert check(tmp_path, "x") == (0, "Start checking Old-Style AOF\nAOF x is empty\n")


@pytest.mark.parametrize(
    ("data", "good", "line", "error"),
    [
        (SET + SET[:-3], 27, 14, "0x              33: Expected to read 3 bytes, got 0 bytes"),
        (SET + SET[:2], 27, 8, "0x              1b: Expected \\r\\n, got: 000a"),
        (SET + SET[:9], 27, 10, "0x              23: Expected to read 5 bytes, got 1 bytes"),
        (SET[:-2] + b"xx" + SET, 0, 7, "0x              18: Expected \\r\\n, got: 7878"),
        (SET + b"hello\r\n" + SET, 27, 8, "AOF x format error"),
        (SET + b"\0" * 10, 27, 8, "AOF x format error"),
        (SET + MULTI + SET, 27, 18, "0x              42: Reached EOF before reading EXEC for MULTI"),
        (SET + EXEC + SET, 27, 11, "0x              23: Unexpected EXEC in AOF x"),
        (SET + MULTI * 2, 27, 14, "0x              32: Unexpected MULTI in AOF x"),
        (SET + b"*2\r\n$x\r\n", 27, 9, "0x              1f: Expected \\r\\n, got: 780d"),
        (SET.replace(b"\r\n", b"\n"), 0, 1, "0x               0: Expected \\r\\n, got: 0a00"),
        (SET + b"*1\r\n:3\r\n", 27, 9, "0x              1f: Expected prefix '$', got: ':'"),
        (SET + b"#" + b"x" * 2000 + b"\r\n", 1050, 8, "AOF x format error"),
    ],
)  # fmt: skip
def test_bad_files_are_told_and_cut(
    tmp_path: Path, data: bytes, good: int, line: int, error: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    size = len(data)
    said = f"Start checking Old-Style AOF\n{error}\n{analyzed(size, good, line)}"
    invalid = "AOF x is not valid. Use the --fix option to try fixing it.\n"
    assert check(tmp_path, "x") == (1, said + invalid)
    shrink = (
        f"This will shrink the AOF x from {size} bytes, with {size - good} bytes, to {good} bytes\n"
    )
    question = shrink + "Continue? [y/N]: "
    assert check(tmp_path, "--fix", "x", answer="n\n") == (1, said + question + "Aborting...\n")
    assert path.read_bytes() == data
    mended = question + "Successfully truncated AOF x\n"
    assert check(tmp_path, "--fix", "x") == (0, said + mended)
    assert path.read_bytes() == data[:good]


@pytest.mark.parametrize(
    ("until", "status", "size", "said"),
    [
        (50, 1, 72, "AOF x has nothing before timestamp 50, aborting...\n"),
        (100, 0, 36, "Successfully truncated AOF x to timestamp 100\n"),
        (200, 0, 72, "Truncate nothing in AOF x to timestamp 200\nAOF x is valid\n"),
    ],
)
def test_cut_at_a_time(tmp_path: Path, until: int, status: int, size: int, said: str) -> None:
    (tmp_path / "x").write_bytes(STAMPED)
    outcome = check(tmp_path, "--truncate-to-timestamp", str(until), "x")
    assert outcome == (status, "Start checking Old-Style AOF\n" + said)
    assert (tmp_path / "x").stat().st_size == size


def test_all_files_of_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("file b seq 1 type b\nfile i seq 1 type i\n")
    (tmp_path / "b").write_bytes(SET * 2)
    (tmp_path / "i").write_bytes(SET + SET[:13])
    head = (
        "Start checking Multi Part AOF\nStart to check BASE AOF (RESP format).\n"
        + analyzed(54, 54, 15, "b")
        + "BASE AOF b is valid\nStart to check INCR files.\n"
    )
    said = head + analyzed(40, 27, 25, "i")
    invalid = "AOF i is not valid. Use the --fix option to try fixing it.\n"
    assert check(tmp_path, "m") == (1, said + invalid)
    status, text = check(tmp_path, "--fix", "m")
    assert status == 0
    assert text.endswith("Successfully truncated AOF i\nAll AOF files and manifest are valid\n")
    (tmp_path / "b").write_bytes(SET[:-1])
    status, text = check(tmp_path, "--fix", "m")
    assert status == 1
    assert text.endswith("Failed to truncate AOF b because it is not the last file\n")


def test_a_bad_manifest_and_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("file b seq 1 type b\nfoo\n")
    status, text = check(tmp_path, "m")
    assert status == 1
    assert (
        "Reading the manifest file, at line 2\n>>> 'foo'\nInvalid AOF manifest file format" in text
    )
    assert check(tmp_path, "none") == (1, "Cannot open file none: No such file or directory\n")
    assert check(tmp_path)[0] == 1


def test_an_rdb_before_the_commands(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"REDIS0011\xff" + bytes(8) + SET)
    status, text = check(tmp_path, "x")
    assert status == 0
    assert "RDB preamble is OK, proceeding with AOF tail...\n" + analyzed(45, 45, 8) in text
