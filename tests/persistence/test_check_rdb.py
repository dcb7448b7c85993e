"""shmredis-check-rdb: its lines and exit status are those of redis-check-rdb of Redis 8.10.2."""

import sys
from pathlib import Path

import pytest

from shmredis.persistence.check_rdb import main
from tests.persistence.rdb_data import FILES
from tests.persistence.test_rdb_files import file_of, record, with_checksum

HELLO = record(0, b"k", b"\x05hello")
DB = b"\xfe\x00"


def check(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[list[str], int]:
    """The lines after the first, and the exit status."""
    monkeypatch.setattr(sys, "argv", ["shmredis-check-rdb", str(path)])
    with pytest.raises(SystemExit) as end:
        main()
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"[offset 0] Checking RDB file {path}"
    return lines, end.value.code if isinstance(end.value.code, int) else 1


def totals(keys: int, expires: int = 0, expired: int = 0, fields: int = 0) -> list[str]:
    names = ("keys read", "expires", "already expired", "subexpires")
    counts = zip((keys, expires, expired, fields), names, strict=True)
    return [f"[info] {n} {name}" for n, name in counts]


def good(offset: int, checksum: str = "Checksum OK") -> list[str]:
    return [f"[offset {offset}] {checksum}", rf"[offset {offset}] \o/ RDB looks OK! \o/"]


def bad(offset: int, text: str, doing: str, *more: str) -> list[str]:
    return [
        "--- RDB ERROR DETECTED ---",
        f"[offset {offset}] {text}",
        f"[additional info] While doing: {doing}",
        *(f"[additional info] {line}" for line in more),
    ]


NO_CHECKSUM = "RDB file was saved with checksum disabled: no check performed."
CASES: dict[str, tuple[bytes, list[str], int]] = {
    "sound": (
        with_checksum(file_of(b"\xfa\x04name\x05value", DB, HELLO)),
        [
            "[offset 21] AUX FIELD name = 'value'",
            "[offset 23] Selecting DB ID 0",
            *good(41),
            *totals(1),
        ],
        0,
    ),
    "without checksum": (
        file_of(DB, b"\xfc\x01" + bytes(7) + HELLO),
        ["[offset 11] Selecting DB ID 0", *good(38, NO_CHECKSUM), *totals(1, 1, 1)],
        0,
    ),
    "old": (
        b"REDIS0004" + DB + b"\xfd\x01" + bytes(3) + HELLO + b"\xff",
        ["[offset 11] Selecting DB ID 0", good(26)[1], *totals(1, 1, 1)],
        0,
    ),
    "wrong checksum": (
        with_checksum(file_of(DB, HELLO))[:-1] + b"\x01",
        ["[offset 11] Selecting DB ID 0", *bad(29, "RDB CRC error", "check-sum"), *totals(1)],
        1,
    ),
    "signature": (
        b"REDIX0011\xff" + bytes(8),
        [*bad(9, "Wrong signature trying to load DB from file", "start"), *totals(0)],
        1,
    ),
    "version": (
        b"REDIS0099\xff" + bytes(8),
        [*bad(9, "Can't handle RDB format version 99", "start"), *totals(0)],
        1,
    ),
    "type": (
        file_of(DB, record(99, b"k", b"\x01v")),
        [
            "[offset 11] Selecting DB ID 0",
            *bad(12, "Invalid object type: 99", "read-type"),
            *totals(0),
        ],
        1,
    ),
    "short": (
        file_of(DB, HELLO)[:15],
        [
            "[offset 11] Selecting DB ID 0",
            *bad(15, "Unexpected EOF reading RDB file", "read-object-value"),
            "[additional info] Reading key 'k'",
            "[additional info] Reading type 0 (string)",
            *totals(1),
        ],
        1,
    ),
    "broken value": (
        file_of(DB, record(20, b"k", b"\x0d" + bytes.fromhex("0d0000000300 816102 816202 ff"))),
        [
            "[offset 11] Selecting DB ID 0",
            *bad(28, "Listpack integrity check failed", "read-object-value"),
            "[additional info] Reading key 'k'",
            "[additional info] Reading type 20 (set-listpack)",
            *totals(1),
        ],
        1,
    ),
    "streams and modules are passed over": (
        file_of(DB, record(7, b"k", b"\x81" + bytes(8) + b"\x05\x01x\x00"), HELLO),
        ["[offset 11] Selecting DB ID 0", *good(45, NO_CHECKSUM), *totals(2)],
        0,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_lines(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, lines, status = CASES[case]
    path = tmp_path / "file.rdb"
    path.write_bytes(data)
    assert check(path, monkeypatch, capsys) == (lines, status)


@pytest.mark.parametrize(
    ("name", "keys", "fields"),
    [
        *[("redis62", 29, 0), ("redis74", 31, 2), ("redis8", 31, 2)],
        *[("redis810", 33, 2), ("valkey", 31, 2)],
    ],
)
def test_files_of_servers_are_sound(
    name: str,
    keys: int,
    fields: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines, status = check(FILES / f"{name}.rdb", monkeypatch, capsys)
    assert lines[-4:] == totals(keys, 1, 0, fields)
    assert status == 0


def test_a_missing_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path / "none", monkeypatch, capsys) == ([], 1)
