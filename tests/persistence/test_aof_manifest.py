"""shmredis/persistence/aof_manifest.py and aof_folder.py."""

from pathlib import Path

import pytest

from shmredis.persistence.aof_folder import Folder
from shmredis.persistence.aof_manifest import (
    LogFile,
    Manifest,
    ManifestError,
    Role,
    parse_manifest,
)

GOOD = b"file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n"


def test_what_is_written_is_read() -> None:
    manifest = parse_manifest(GOOD)
    assert manifest.text.encode() == GOOD
    assert [file.name for file in manifest.files] == ["a.1.base.rdb", "a.1.incr.aof"]


def test_odd_names_are_quoted() -> None:
    manifest = Manifest(base=LogFile('a b"\n\x01.rdb', 3, Role.BASE))
    assert parse_manifest(manifest.text.encode()) == manifest


def test_unknown_keys_comments_and_case_are_accepted() -> None:
    text = b"# a comment\nFILE x.base SEQ 2 TYPE base newkey xx\nfile y.incr seq 9 type i startoffset 30\n"
    manifest = parse_manifest(text)
    assert manifest.base == LogFile("x.base", 2, Role.BASE)
    assert manifest.incrementals[0].extra == (("startoffset", "30"),)
    assert "startoffset 30" in manifest.text


@pytest.mark.parametrize(
    ("text", "why", "line"),
    [
        (b"", "Found an empty AOF manifest", 0),
        (b"foo\n", "Invalid AOF manifest file format", 1),
        (GOOD + b"\n", "Invalid AOF manifest file format", 3),
        (b"file a seq 1 type\n", "Invalid AOF manifest file format", 1),
        (b"file a seq 0 type b\n", "Invalid AOF manifest file format", 1),
        (b"file a seq x type b\n", "Invalid AOF manifest file format", 1),
        (b"seq 1 type b more x\n", "Invalid AOF manifest file format", 1),
        (b'file "a seq 1 type b\n', "Invalid AOF manifest file format", 1),
        (b"file x/a seq 1 type b\n", "File can't be a path, just a filename", 1),
        (b"file a seq 1 type z\n", "Unknown AOF file type", 1),
        (GOOD + b"file b seq 2 type b\n", "Found duplicate base file information", 3),
        (GOOD + b"file b seq 1 type i\n", "Found a non-monotonic sequence number", 3),
        (GOOD[:-1], "The AOF manifest file contains too long line", 2),
        (b"file " + b"a" * 1100 + b" seq 1 type b\n", "The AOF manifest file contains too long line", 1),
    ],
)  # fmt: skip
def test_bad_manifests_say_what_and_where(text: bytes, why: str, line: int) -> None:
    with pytest.raises(ManifestError) as error:
        parse_manifest(text)
    assert (str(error.value), error.value.number) == (why, line)


def test_a_rewrite_makes_history() -> None:
    folder = Folder(Path("x"), "a")
    manifest = parse_manifest(GOOD).with_incremental(folder.incremental(2))
    rewritten = manifest.rewritten(folder.base(2, rdb=True), 2)
    assert rewritten.text == (
        "file a.2.base.rdb seq 2 type b\n"
        "file a.1.base.rdb seq 1 type h\n"
        "file a.1.incr.aof seq 1 type h\n"
        "file a.2.incr.aof seq 2 type i\n"
    )
    assert rewritten.without_history().files == (rewritten.base, folder.incremental(2))


def test_a_folder_replaces_its_manifest_as_a_whole(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "sub", "a")
    assert folder.read() is None
    folder.write(parse_manifest(GOOD))
    folder.write(parse_manifest(GOOD).without_history())
    assert folder.read() == parse_manifest(GOOD)
    assert [path.name for path in folder.path.iterdir()] == ["a.manifest"]


def test_a_single_old_file_is_taken_in(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "dir", "a.aof")
    (tmp_path / "a.aof").write_bytes(b"old")
    folder.upgrade(tmp_path)
    manifest = folder.read()
    assert manifest and manifest.text == "file a.aof seq 1 type b\n"
    assert (folder.path / "a.aof").read_bytes() == b"old"
    assert not (tmp_path / "a.aof").exists()


def test_an_upgrade_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "dir", "a.aof")
    (tmp_path / "a.aof").write_bytes(b"old")
    folder.write(Manifest(base=LogFile("a.aof", 1, Role.BASE)))
    folder.upgrade(tmp_path)
    assert (folder.path / "a.aof").read_bytes() == b"old"
