"""Odd and damaged append-only folders: whether a server starts, what it has then, what it says in the log.

Source: Redis 8.10 on the same folders.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.harness.resp import encode
from tests.persistence.logged import LoggedServer, logged_server, stream

NAME = "appendonly.aof"
BASE, FIRST, SECOND = f"{NAME}.1.base.aof", f"{NAME}.1.incr.aof", f"{NAME}.2.incr.aof"
KEYS = stream("SELECT 0", "SET foo bar", "RPUSH l a b c")
MORE = stream("SELECT 0", "SET foo2 bar")
GOOD = f"file {BASE} seq 1 type b\nfile {FIRST} seq 1 type i\n"
TWO = f"{GOOD}file {SECOND} seq 2 type i\n"


@dataclass
class Folder:
    """`keys`: how many there are then; -1: the server does not start. `says`: lines of its log."""

    manifest: str | None
    files: dict[str, bytes]
    keys: int
    says: list[str]
    options: list[str] = field(default_factory=list)


def torn(tail: bytes, keys: int, says: list[str], *options: str) -> Folder:
    return Folder(GOOD, {BASE: KEYS, FIRST: MORE + tail}, keys, says, list(options))


BAD_AT_55 = f"Bad file format reading the append only file appendonlydir/{FIRST} at offset 55."
SHORT = f"!!! Warning: short read while loading the AOF file {FIRST}!!!"
ANYWAY = f"AOF appendonlydir/{FIRST} loaded anyway because aof-load-truncated is enabled"
FOLDERS = {
    "a good one": Folder(GOOD, {BASE: KEYS, FIRST: MORE}, 3, [f"Opening AOF incr file {FIRST}"]),
    "comments": Folder("#x\n" + GOOD, {BASE: KEYS, FIRST: MORE}, 3, []),
    "nothing but a comment": Folder("#x\n", {BASE: KEYS}, 0, ["Creating AOF base file"]),
    "an empty folder": Folder(None, {}, 0, ["Creating AOF base file", "Creating AOF incr file"]),
    "only a base": Folder(
        f"file {BASE} seq 1 type b\n", {BASE: KEYS}, 2, ["Creating AOF incr file"]
    ),
    "a base is missing": Folder(
        GOOD,
        {FIRST: MORE},
        -1,
        [f"Unable to obtain the AOF file {BASE} length. stat: No such file"],
    ),
    "a file is missing": Folder(
        GOOD,
        {BASE: KEYS},
        -1,
        [f"Unable to obtain the AOF file {FIRST} length. stat: No such file"],
    ),
    "history": Folder(
        GOOD + "file old seq 1 type h\n",
        {BASE: KEYS, FIRST: MORE, "old": b"x"},
        3,
        ["Removing the history file old in the background"],
    ),
    "a wrong order": Folder(
        TWO + f"file {FIRST} seq 1 type i\n",
        {BASE: KEYS, FIRST: MORE, SECOND: MORE},
        -1,
        ["# Reading the manifest file, at line 4", "# Found a non-monotonic sequence number"],
    ),
    "an unknown type": Folder(
        GOOD + "file x seq 1 type x\n", {BASE: KEYS, FIRST: MORE}, -1, ["# Unknown AOF file type"]
    ),
    "torn in the midst": Folder(
        TWO,
        {BASE: KEYS, FIRST: MORE[:-4], SECOND: MORE},
        -1,
        [SHORT, "# Fatal error: the truncated file is not the last file"],
    ),
    "torn": torn(
        stream("SET x yyy")[:-4],
        3,
        [SHORT, f"!!! Truncating the AOF {FIRST} at offset 55 !!!", ANYWAY],
    ),
    "torn, which is not allowed": torn(
        stream("SET x yyy")[:-4],
        -1,
        [f"Unexpected end of file reading the append only file {FIRST}. You can: 1) Make a backup"],
        "--aof-load-truncated",
        "no",
    ),
    "torn in MULTI": torn(
        stream("MULTI", "SET x yyy"),
        3,
        [f"Revert incomplete MULTI/EXEC transaction in AOF file {FIRST}", SHORT, ANYWAY],
    ),
    "garbage": torn(b"garbage\r\n", -1, [BAD_AT_55, "configuration option to 9 and restart"]),
    "garbage that is allowed": torn(
        b"\0" * 20,
        3,
        [
            "!!! Warning: corrupt AOF file tail!!!",
            f"!!! Truncating the AOF appendonlydir/{FIRST} at offset 55 (remaining 20) !!!",
            "loaded anyway because aof-load-corrupt-tail-max-size is enabled",
        ],
        "--aof-load-corrupt-tail-max-size",
        "100",
    ),
    "an unknown command": torn(stream("NOSUCH a"), -1, ["Unknown command 'NOSUCH'"]),
    "a wrong type": torn(
        stream("LPUSH foo a", "SET q 1"),
        4,
        ["== CRITICAL == This server is sending an error to its AOF-loading-client: '-WRONGTYPE"],
    ),
}


@pytest.fixture
def server() -> Iterator[LoggedServer]:
    with logged_server() as one:
        yield one


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder(server: LoggedServer, name: str) -> None:
    folder, place = FOLDERS[name], server.files()
    place.mkdir()
    for file, data in folder.files.items():
        (place / file).write_bytes(data)
    if folder.manifest is not None:
        (place / f"{NAME}.manifest").write_text(folder.manifest)
    if folder.keys < 0:
        log = server.fails_to_start(*folder.options)
    else:
        server.start(*folder.options)
        assert server.call("DBSIZE") == b":%d\r\n" % folder.keys
        log = server.log
    for line in folder.says:
        assert line in log


@pytest.mark.parametrize("workers", [1, 3])
def test_a_single_file_of_an_old_server_moves_in(server: LoggedServer, workers: int) -> None:
    (server.dir / NAME).write_bytes(KEYS)
    server.start(workers=workers)
    assert server.call("DBSIZE") == b":2\r\n"
    assert (server.files() / NAME).exists() == (workers == 1)
    text = f"Successfully migrated an old-style AOF file ({NAME}) into the AOF directory (appendonlydir)."
    assert text in server.log


@pytest.mark.parametrize("workers", [1, 3])
def test_scripts_in_the_log_of_an_old_server_are_run(server: LoggedServer, workers: int) -> None:
    """Redis logged scripts, not what they did, before version 5."""
    script = (
        "redis.call('SET', KEYS[1], ARGV[1]) redis.call('INCR', KEYS[2]) redis.call('SADD', 'x', 1)"
    )
    log = encode("EVAL", script, 2, "one", "two", "old")
    known = "redis.call('INCR', KEYS[1]) redis.call('EXPIRE', KEYS[1], 100)"
    sha = hashlib.sha1(known.encode(), usedforsecurity=False).hexdigest()
    log += encode("SCRIPT", "LOAD", known) + encode("EVALSHA", sha, 1, "three") * 2
    (server.dir / NAME).write_bytes(KEYS + log)
    server.start(workers=workers)
    assert "CRITICAL" not in server.log
    assert server.call("MGET", "one", "two") == b"*2\r\n$3\r\nold\r\n$1\r\n1\r\n"
    assert server.call("SMEMBERS", "x") == b"*1\r\n$1\r\n1\r\n"
    assert server.call("GET", "three") == b"$1\r\n2\r\n"
    assert 90 < int(server.call("TTL", "three")[1:]) <= 100
    assert server.call("DBSIZE") == b":6\r\n"
    server.kill()
    server.start(workers=4 - workers)  # what it logs itself are effects
    assert server.call("DBSIZE") == b":6\r\n"


@pytest.mark.parametrize("workers", [1, 3])
def test_functions_in_a_log_are_run(server: LoggedServer, workers: int) -> None:
    code = "#!lua name=l\nredis.register_function('f', function(k, a) redis.call('SET', k[1], a[1]) end)"
    log = encode("FUNCTION", "LOAD", code) + encode("FCALL", "f", 1, "one", "v")
    (server.dir / NAME).write_bytes(KEYS + log)
    server.start(workers=workers)
    assert server.call("GET", "one") == b"$1\r\nv\r\n"
    assert server.call("FCALL", "f", 1, "two", "w") == b"$-1\r\n"
    assert server.call("GET", "two") == b"$1\r\nw\r\n"


def test_names_with_spaces(server: LoggedServer) -> None:
    options = ("--appendfilename", "a b", "--appenddirname", "c d")
    for keys in (0, 1):
        server.start(*options)
        assert server.call("DBSIZE") == b":%d\r\n" % keys
        server.call("SET", "k", "v")
        assert server.stop() == 0
    assert '"a b.1.base.rdb"' in (server.dir / "c d" / "a b.manifest").read_text()


@pytest.mark.parametrize("option", ["appendfilename", "appenddirname", "dbfilename"])
def test_names_are_no_paths(server: LoggedServer, option: str) -> None:
    kind = "dirname" if option == "appenddirname" else "filename"
    assert f"{option} can't be a path, just a {kind}" in server.fails_to_start(f"--{option}", "a/b")


def test_a_log_that_was_edited_is_loaded(server: LoggedServer) -> None:
    """Though the data in shared memory are newer: somebody wants the file."""
    warm = ("--warm-restart", "yes", "--discard-shm", "no")
    server.start(*warm)
    server.call("SET", "k", "right")
    assert server.stop() == 0
    log = server.files() / FIRST
    log.write_bytes(log.read_bytes().replace(b"right", b"wrong"))
    server.start(*warm)
    assert server.call("GET", "k") == b"$5\r\nwrong\r\n"
    server.kill()
    log.write_bytes(log.read_bytes() + stream("SET k other"))
    server.start(*warm)
    assert server.call("GET", "k") == b"$5\r\nother\r\n"


def test_a_rewrite_in_a_transaction_is_scheduled(server: LoggedServer) -> None:
    server.start()
    with server.client() as client:
        client.call("MULTI")
        client.call("BGREWRITEAOF")
        scheduled = b"+Background append only file rewriting scheduled\r\n"
        assert client.call("EXEC") == b"*1\r\n" + scheduled
        assert client.call("PING") == b"+PONG\r\n"
