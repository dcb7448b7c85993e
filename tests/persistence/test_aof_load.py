"""Loading: csrc/net/replay.c, csrc/persist/aof_read.c, aof_load.py and aof_transactions.py."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from shmredis._core import lib
from shmredis.engine import Engine as CoreEngine
from shmredis.persistence.aof_folder import Folder
from shmredis.persistence.aof_load import AofError, AofLoad, LoadRules
from shmredis.persistence.aof_manifest import Manifest
from shmredis.persistence.aof_transactions import incomplete, parts_in
from tests.persistence.logged import stream
from tests.unit.engines import Engine, new_engine

LENIENT, STRICT = LoadRules(True, 0), LoadRules(False, 0)
BLOCK = stream("MULTI", "SET m 1", "SET n 2", "EXEC")
LIFE = "5eed"


@pytest.fixture
def fresh() -> Iterator[Engine]:
    with new_engine() as engine:
        yield engine


def load(
    engine: Engine,
    path: Path,
    *incrementals: bytes,
    rules: LoadRules = LENIENT,
    dropped: frozenset[str] = frozenset(),
    base: bytes = b"",
) -> AofLoad:
    folder = Folder(path, "a")
    manifest = Manifest(base=folder.base(1, rdb=False)) if base else Manifest()
    path.mkdir(exist_ok=True)
    if manifest.base:
        folder.place(manifest.base).write_bytes(base)
    for i, data in enumerate(incrementals, 1):
        manifest = manifest.with_incremental(folder.incremental(i))
        folder.place(folder.incremental(i)).write_bytes(data)
    folder.write(manifest)
    loading = AofLoad(
        CoreEngine(engine.handle), folder, rules, set(dropped), lambda _db, _argv: None
    )
    while not loading.step():
        pass
    return loading


def incremental(path: Path, number: int = 1) -> bytes:
    return (path / f"a.{number}.incr.aof").read_bytes()


def test_commands_are_executed_in_their_databases(fresh: Engine, tmp_path: Path) -> None:
    load(fresh, tmp_path, stream("SELECT 1", "SET a 1", "INCR a", "SELECT 0", "RPUSH l x y"))
    assert fresh.call("LRANGE", "l", 0, -1) == [b"x", b"y"]
    lib.session_set_db(fresh.session.handle, 1)
    assert fresh.call("GET", "a") == b"2"


def test_a_base_and_several_files_are_loaded_in_order(fresh: Engine, tmp_path: Path) -> None:
    load(fresh, tmp_path, stream("SET a 2"), b"", stream("APPEND a 3"), base=stream("SET a 1"))
    assert fresh.call("GET", "a") == b"23"


def test_lines_are_skipped(fresh: Engine, tmp_path: Path) -> None:
    load(fresh, tmp_path, b"#TS:1\r\n" + stream("SET a 1") + b"#anything\n" + stream("INCR a"))
    assert fresh.call("GET", "a") == b"2"


def test_nothing_expires_while_it_is_loaded(fresh: Engine, tmp_path: Path) -> None:
    """What was alive when the command was logged is alive for it again."""
    load(
        fresh, tmp_path, stream("SET a 1 PXAT 1000", "APPEND a 2", "PERSIST a", "SET b 1 PXAT 1000")
    )
    assert fresh.call("GET", "a") == b"12"
    assert fresh.call("GET", "b") is None


def test_times_relative_to_now_count_from_now(fresh: Engine, tmp_path: Path) -> None:
    load(fresh, tmp_path, stream("SET a 1", "EXPIRE a 100", "SET b 1 EX 100"))
    assert 90 < fresh.call("TTL", "a") <= 100
    assert 90 < fresh.call("TTL", "b") <= 100


def test_errors_of_commands_are_passed_over(fresh: Engine, tmp_path: Path) -> None:
    data = stream("SET a 1", "LPUSH a x", "SELECT 99", "GET", "EXEC", "SET b 2")
    assert load(fresh, tmp_path, data).errors == 4
    assert fresh.call("GET", "b") == b"2"


def test_an_unknown_command_is_fatal(fresh: Engine, tmp_path: Path) -> None:
    with pytest.raises(
        AofError, match=r"^Unknown command 'NOSUCH' reading the append only file a.1.incr.aof$"
    ):
        load(fresh, tmp_path, stream("SET a 1", "NOSUCH x"))


def test_a_missing_file_is_fatal(fresh: Engine, tmp_path: Path) -> None:
    folder = Folder(tmp_path, "a")
    folder.write(Manifest().with_incremental(folder.incremental(1)))
    with pytest.raises(AofError, match=r"Unable to obtain the AOF file .* length"):
        AofLoad(CoreEngine(fresh.handle), folder, LENIENT, set(), lambda _db, _argv: None).step()


# --- torn ends ---


def whole_items(data: bytes, n: int) -> int:
    """Where the last item of the first n bytes ends that is whole, blocks being items."""
    good, at = 0, 0
    pieces = [stream("SET a 1"), b"#TS:5\r\n", stream("INCR a"), BLOCK, stream("SET last 1")]
    assert b"".join(pieces) == data
    for piece in pieces:
        at += len(piece)
        if at <= n:
            good = at
    return good


def test_cut_at_every_byte_all_that_is_whole_is_loaded(tmp_path: Path) -> None:
    data = stream("SET a 1") + b"#TS:5\r\n" + stream("INCR a") + BLOCK + stream("SET last 1")
    for n in range(len(data) + 1):
        path, good = tmp_path / str(n), whole_items(data, n)
        with new_engine(1 << 22) as engine:
            load(engine, path, data[:n])
            assert incremental(path) == data[:good]
            block = good >= len(data) - len(stream("SET last 1"))
            assert engine.call("GET", "m") == (b"1" if block else None)
            assert engine.call("GET", "n") == (b"2" if block else None)


def test_a_torn_end_may_be_forbidden(fresh: Engine, tmp_path: Path) -> None:
    data = stream("SET a 1", "SET b 2")[:-1]
    with pytest.raises(AofError, match=r"^Unexpected end of file reading the append only file"):
        load(fresh, tmp_path, data, rules=STRICT)
    assert incremental(tmp_path) == data


def test_only_the_last_file_may_be_torn(fresh: Engine, tmp_path: Path) -> None:
    with pytest.raises(AofError, match=r"truncated file is not the last file"):
        load(fresh, tmp_path, stream("SET a 1")[:-1], b"")


@pytest.mark.parametrize(
    "bad", [b"\0\0\0", b"hello\r\n", b"*1\r\n:3\r\n", b"*2\n", b"*0\r\n", b"*-1\r\n"]
)
def test_what_is_no_command_is_fatal_and_stays(fresh: Engine, tmp_path: Path, bad: bytes) -> None:
    data = stream("SET a 1") + bad
    with pytest.raises(
        AofError,
        match=r"^Bad file format reading the append only file .*/a.1.incr.aof at offset \d+",
    ):
        load(fresh, tmp_path, data)
    assert incremental(tmp_path) == data


def test_a_small_corrupt_tail_may_be_cut(fresh: Engine, tmp_path: Path) -> None:
    data = stream("SET a 1")
    load(fresh, tmp_path, data + b"\0" * 10, rules=LoadRules(True, 10))
    assert incremental(tmp_path) == data
    with pytest.raises(AofError, match=r"^Bad file format"):
        load(fresh, tmp_path, data + b"\0" * 11, rules=LoadRules(True, 10))


def test_hostile_files_do_no_harm(tmp_path: Path) -> None:
    """Bytes of a good file are changed at random: it is loaded, cut or refused."""
    chance = random.Random(7)
    good = (
        stream("SELECT 0", "SET a 1", "HSET h f v", "ZADD z 1 a 2 b")
        + BLOCK
        + stream("XADD s 1-1 f v")
    )
    for round_ in range(300):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        with new_engine(1 << 22) as engine:
            try:
                load(engine, tmp_path / str(round_), bytes(data))
            except AofError:
                continue


@pytest.mark.parametrize(
    "header", [b"*999999999\r\n", b"*1\r\n$99999999999999999999\r\n", b"*1\r\n$-1\r\n"]
)
def test_lengths_are_not_believed(fresh: Engine, tmp_path: Path, header: bytes) -> None:
    try:
        load(fresh, tmp_path, header)
    except AofError:
        return
    assert incremental(tmp_path) == b""


# --- commands of several workers ---


def part(position: int, owners: int, of: str, *commands: str, life: str = LIFE) -> bytes:
    head = b"#TXN %b-%d-%x %b" % (life.encode(), position, owners, of.encode())
    if not commands:
        return head + b" empty\r\n"
    return head + b"\r\n" + stream("MULTI", *commands, "EXEC")


def judged(tmp_path: Path, *logs: bytes) -> list[set[str]]:
    paths = [tmp_path / str(i) for i in range(len(logs))]
    for path, data in zip(paths, logs, strict=True):
        path.write_bytes(data)
    known = {i: parts_in([path]) for i, path in enumerate(paths)}
    return [incomplete(known, i) for i in range(len(logs))]


def test_a_part_alone_does_not_count(fresh: Engine, tmp_path: Path) -> None:
    log = part(3, 3, "1/2", "SELECT 1", "SET a 1") + stream("SET b 1")
    other = part(2, 3, "2/2", "SET x 1")
    dropped = judged(tmp_path, log, other)
    assert dropped == [{f"{LIFE}-3-3"}, {f"{LIFE}-2-3"}]
    loading = load(fresh, tmp_path / "load", log, dropped=frozenset(dropped[0]))
    assert loading.left_out == 1
    assert fresh.call("DBSIZE") == 0  # the SELECT of the part counts, for what follows
    lib.session_set_db(fresh.session.handle, 1)
    assert fresh.call("KEYS", "*") == [b"b"]


def test_all_parts_count(tmp_path: Path) -> None:
    logs = part(3, 5, "1/2", "SET a 1"), b"", part(3, 5, "2/2")
    assert judged(tmp_path, *logs) == [set(), set(), set()]


def test_a_torn_part_is_none(tmp_path: Path) -> None:
    whole = part(3, 3, "1/2", "SET a 1")
    for n in range(len(whole)):
        assert judged(tmp_path, whole[:n], part(3, 3, "2/2", "SET b 1"))[1] == {f"{LIFE}-3-3"}


def test_what_a_base_has_is_seen(tmp_path: Path) -> None:
    later = b"#TXN-SEEN %b 4\r\n" % LIFE.encode()
    assert judged(tmp_path, part(3, 3, "1/2", "SET a 1"), later) == [set(), set()]
    assert judged(tmp_path, part(4, 3, "1/2", "SET a 1"), later)[0] == {f"{LIFE}-4-3"}
    other_life = part(3, 3, "1/2", "SET a 1", life="dead")
    assert judged(tmp_path, other_life, later)[0] == set()  # a log that has begun anew since
    assert judged(tmp_path, other_life, b"#TXN-SEEN dead 3\r\n" + later)[0] == {"dead-3-3"}


def test_a_log_that_was_switched_off_does_not_tell_what_is_missing(tmp_path: Path) -> None:
    later = b"#TXN-SEEN %b 2\r\n#TXN-OFF %b\r\n" % (LIFE.encode(), LIFE.encode())
    assert judged(tmp_path, part(3, 3, "1/2", "SET a 1"), later) == [set(), set()]


def test_what_was_judged_once_stays_so(tmp_path: Path) -> None:
    """The next life of the server says so; the present one has nothing to say of itself."""
    one, drop = part(3, 3, "1/2", "SET a 1"), b"#TXN-DROP %b-3-3\r\n" % LIFE.encode()
    assert judged(tmp_path, one + b"#TXN-SEEN beef 0\r\n", b"") == [set(), set()]
    assert judged(tmp_path, one + b"#TXN-SEEN %b 3\r\n" % LIFE.encode(), b"")[0] == {f"{LIFE}-3-3"}
    assert judged(tmp_path, one + drop + b"#TXN-SEEN beef 0\r\n", b"")[0] == {f"{LIFE}-3-3"}
