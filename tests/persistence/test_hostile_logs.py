"""Damaged append-only folders, at random but always the same: refused or loaded, never harmful.

Manifests, files of commands with annotations, bases of both kinds; by the server's loader, by the search for
parts of commands, and by shmredis-check-aof.
"""

import contextlib
import io
import random
from pathlib import Path

import pytest

from shmredis.engine import Engine as CoreEngine
from shmredis.persistence.aof_folder import Folder
from shmredis.persistence.aof_load import AofError, AofLoad, LoadRules
from shmredis.persistence.aof_manifest import Manifest, ManifestError, Role, parse_manifest
from shmredis.persistence.aof_transactions import Parts, incomplete, parts_in
from shmredis.persistence.check_aof import Refused, Wish, check
from tests.harness.resp import encode
from tests.persistence.logged import stream
from tests.persistence.mutation import mutate
from tests.persistence.rdb_data import FILES
from tests.unit.engines import Engine, new_engine

LINES = (
    *(b"#TS:1700000000", b"#TXN 5eed-1-3 0/2", b"#TXN 5eed-2-1 0/1 empty", b"#TXN-SEEN 5eed 3"),
    *(b"#TXN-DROP 5eed-1-3", b"#", b"#TXN", b"#TXN-SEEN 5eed \xc2\xb2", b"#TXN --- x", b"#\0\xff"),
    *(b"#TXN-SEEN 5eed " + b"9" * 900, b"#TXN 5eed-1-" + b"f" * 900 + b" 0/1", b"#" + b"x" * 2000),
)
COMMANDS = (
    *(b"SET a 1", b"INCR a", b"RPUSH l x y", b"SELECT 1", b"HSET h f v", b"DEL a l", b"FLUSHALL"),
    *(
        b"BLPOP l 0",
        b"WATCH a",
        b"PEXPIREAT a 1",
        b"XADD s 1-1 f v",
        b"XGROUP CREATE s g 0",
        b"GET",
    ),
    *(b"SWAPDB 0 1", b"RESTORE a 0 xyz"),
)
UNLIKELY = (b"SELECT 77", b"NOSUCH x", b"SUBSCRIBE c", b"EVAL x 0", b"MULTI", b"EXEC", b"DISCARD")
NAMES = ("a.1.incr.aof", "x" * 300, "a\0b", "a.1.base.rdb", "..", ".", "nowhere", "\udcff")
FILES_MOST = 3


def commands(rng: random.Random) -> bytes:
    """A file of commands, some in transactions, with lines between them."""
    parts = []
    for _ in range(rng.randrange(12)):
        words = rng.choice(COMMANDS).split(b" ")
        match rng.randrange(8):
            case 0 | 1:
                parts.append(rng.choice(LINES) + b"\r\n")
            case 2:
                parts.append(stream("MULTI") + encode(*words) + stream("EXEC"))
            case 3 if rng.random() < 0.1:
                parts.append(encode(*rng.choice(UNLIKELY).split(b" ")))
            case _:
                parts.append(encode(*words))
    return b"".join(parts)


def file_of(rng: random.Random) -> bytes:
    """Commands, perhaps behind an RDB file; perhaps damaged, or spliced with another one's end."""
    data = commands(rng)
    if rng.random() < 0.2:
        data = rng.choice(sorted(FILES.glob("*.rdb"))).read_bytes() + data
    if rng.random() < 0.2:
        other = commands(rng)
        data = data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
    return mutate(data, rng) if rng.random() < 0.4 else data


def write_folder(folder: Folder, rng: random.Random) -> None:
    folder.path.mkdir(exist_ok=True)
    for path in folder.path.iterdir():
        path.unlink()
    manifest = Manifest(base=folder.base(1, rdb=rng.random() < 0.5))
    for seq in range(1, rng.randrange(1, FILES_MOST) + 1):
        manifest = manifest.with_incremental(folder.incremental(seq))
    for file in manifest.files:
        folder.place(file).write_bytes(file_of(rng))
    text = manifest.text.encode()
    if rng.random() < 0.3:
        text = mutate(text, rng)
    if rng.random() < 0.1:
        text += b'file "%b" seq 9 type %b\n' % (
            rng.choice(NAMES).encode("utf-8", "surrogateescape"),
            rng.choice(list(Role)).value.encode(),
        )
    folder.manifest_path.write_bytes(text)


def load(engine: Engine, folder: Folder, rng: random.Random) -> bool:
    """Whether the server would start with it; else it says why not."""
    rules = LoadRules(rng.random() < 0.7, rng.choice((0, 0, 30, 1 << 30)))
    core = CoreEngine(engine.handle)
    try:
        loading = AofLoad(core, folder, rules, find_parts(folder), lambda _db, _argv: None)
        while not loading.step():
            pass
    except (AofError, OSError) as why:
        assert str(why)
        return False
    return True


def find_parts(folder: Folder) -> set[str]:
    """Parts that do not count."""
    parts = Parts()
    with contextlib.suppress(ManifestError, OSError):
        manifest = parse_manifest(folder.manifest_path.read_bytes())
        parts = parts_in(folder.place(file) for file in manifest.files)
    return incomplete({0: parts}, 0)


def look_at(folder: Folder) -> str:
    """What shmredis-check-aof says of the whole folder and of each file."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for path in sorted(folder.path.iterdir()):
            for wish in (Wish(path), Wish(path, until_s=0)):
                with contextlib.suppress(Refused, OSError):
                    check(wish)
    return said.getvalue()


def try_folder(engine: Engine, path: Path, rng: random.Random) -> bool:
    """One folder by all ways; whether it was loaded."""
    folder = Folder(path / "log", "a")
    write_folder(folder, rng)
    loaded = load(engine, folder, rng)
    engine.check()
    assert look_at(folder)
    engine.check()
    for db in (1, 0):
        engine.call("SELECT", db)
        engine.call("FLUSHALL")
    return loaded


@pytest.mark.parametrize("seed", range(4))
def test_damaged_folders(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with new_engine(1 << 27) as engine:
        loaded = sum(try_folder(engine, tmp_path, rng) for _ in range(40))
    assert loaded
