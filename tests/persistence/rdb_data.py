"""A data set with every type in every encoding, for servers of all versions, and RDB files of engines."""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shmredis._core import ffi, lib
from shmredis.engine import Engine as CoreEngine
from shmredis.persistence.rdb_load import RdbFacts, RdbLoad
from tests.unit.engines import Engine

__all__ = [
    "FILES",
    "THEN",
    "data_set",
    "digest",
    "fill",
    "load_bytes",
    "load_file",
    "open_memory",
    "payload",
    "plan_of",
    "save_bytes",
    "save_file",
]

FILES = Path(__file__).parent / "files"
THEN = 4102444800000  # a time that has not come, ms

Words = tuple[bytes | str | int, ...]


def data_set(field_ttls: bool) -> Iterator[Words]:
    """Commands of Redis 6.2 on; `field_ttls` needs 7.4 or Valkey 9. They use databases 0 and 3."""
    yield "SET", "string", "hello"
    yield "SET", "empty", ""
    for name, number in (("zero", 0), ("byte", -129), ("int", 70000), ("int64", 2**63 - 1)):
        yield "SET", name, number
    yield "SET", "inline", "y" * 400
    yield "SET", "repeated", "x" * 3000
    yield "SET", "binary", bytes(range(256)) * 3
    yield "SET", "volatile", "v"
    yield "PEXPIREAT", "volatile", THEN
    yield "SET", b"key with \x00 and \xff", "v"
    yield "RPUSH", "list", *range(10), -5, 70000, 2**40, "text", ""
    yield "RPUSH", "long list", *(f"element {n}" * 10 for n in range(300))
    yield "RPUSH", "list of large", "x" * 9000, "b", "z" * 20000
    yield "SADD", "intset", 1, 2, 3
    yield "SADD", "wide intset", 1, 2, 2**40, -(2**40)
    yield "SADD", "set", "a", "bb", 3, "x" * 60
    yield "SADD", "large set", *(f"member{n}" for n in range(200))
    yield "SADD", "large intset", *range(600)
    yield "ZADD", "zset", 1.5, "a", 2, "b", "-inf", "c", "inf", "d", "1e300", "e", 7, "7"
    yield "ZADD", "large zset", *(word for n in range(200) for word in (n / 8, f"m{n}"))
    yield "ZADD", "zset of long", 1.25, "q" * 100
    yield "HSET", "hash", "f", "v", "n", 1, "long", "w" * 60
    yield "HSET", "large hash", *(word for n in range(600) for word in (f"f{n}", f"v{n}"))
    yield "HSET", "hash of long", "f", "v" * 100
    yield from streams()
    if field_ttls:
        yield "HSET", "field ttls", "f", "v", "g", "w", "h", 3
        yield "HPEXPIREAT", "field ttls", THEN, "FIELDS", 1, "f"
        yield "HSET", "large field ttls", *(w for n in range(600) for w in (f"f{n}", f"v{n}"))
        yield "HPEXPIREAT", "large field ttls", THEN + 5, "FIELDS", 2, "f3", "f7"
        yield "HPEXPIREAT", "large field ttls", THEN, "FIELDS", 1, "f9"
    yield "SELECT", 3
    yield "SET", "elsewhere", "v"
    yield "SELECT", 0


def streams() -> Iterator[Words]:
    """One with a group and what it has not acknowledged, one of several nodes, an emptied one."""
    for n in range(5):
        yield "XADD", "stream", f"1000-{n}", "a", n, "b", "x" * n
    yield "XADD", "stream", "1001-0", "c", 3
    yield "XDEL", "stream", "1000-1", "1000-4"
    yield "XGROUP", "CREATE", "stream", "group", "0"
    yield "XGROUP", "CREATE", "stream", "idle group", "1000-2"
    yield "XGROUP", "CREATECONSUMER", "stream", "group", "idle"
    yield "XREADGROUP", "GROUP", "group", "busy", "COUNT", 2, "STREAMS", "stream", ">"
    yield "XREADGROUP", "GROUP", "group", "other", "COUNT", 1, "STREAMS", "stream", ">"
    yield "XACK", "stream", "group", "1000-0"
    for n in range(1, 251):
        yield "XADD", "long stream", f"{n}-1", "field", f"value {n}"
    yield "XTRIM", "long stream", "MAXLEN", 240
    yield "XADD", "emptied stream", "5-5", "a", "b"
    yield "XDEL", "emptied stream", "5-5"


def fill(engine: Engine, field_ttls: bool = True) -> None:
    for command, *words in data_set(field_ttls):
        if command == "SELECT":
            lib.session_set_db(engine.session.handle, words[0])
        else:
            assert not isinstance(engine.call(command, *words), ValueError)


def digest(engine: Engine) -> str:
    """What DEBUG DIGEST says."""
    reply = CoreEngine(engine.handle).debug(0, [b"DEBUG", b"DIGEST"], 2)
    assert reply
    return reply[1:-2].decode()


def plan_of(**fields: Any) -> Any:
    """A struct rdb_plan for a whole file."""
    defaults = {"pieces": lib.RDB_PIECE_ALL, "compress": True, "checksum": True}
    return ffi.new("struct rdb_plan *", defaults | fields)


def save_file(engine: Engine, path: Path, **fields: Any) -> Any:
    """Writes the engine's data; the struct rdb_written."""
    out = ffi.new("struct rdb_written *")
    with path.open("wb", buffering=0) as file:
        assert lib.engine_rdb_write(engine.handle, file.fileno(), plan_of(**fields), out)
    return out


@contextmanager
def open_memory(data: bytes) -> Iterator[int]:
    """A descriptor that stands at the start of these bytes."""
    fd = os.memfd_create("test-rdb")
    try:
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)


def save_bytes(engine: Engine, **fields: Any) -> bytes:
    """A whole RDB file of the engine's data."""
    with open_memory(b"") as fd:
        out = ffi.new("struct rdb_written *")
        assert lib.engine_rdb_write(engine.handle, fd, plan_of(**fields), out)
        return os.pread(fd, out.bytes, 0)


def load_bytes(engine: Engine, data: bytes, **options: Any) -> RdbFacts:
    """Raises: RdbError."""
    core = CoreEngine(engine.handle)
    with open_memory(data) as fd, RdbLoad(core, fd, len(data), **options) as load:
        return load.run()


def load_file(engine: Engine, path: Path, **options: Any) -> RdbFacts:
    """Raises: RdbError."""
    return load_bytes(engine, path.read_bytes(), **options)


def payload(body: bytes, version: int = 11, crc: Callable[[bytes], int] | None = None) -> bytes:
    """A DUMP payload of a type byte and a value."""
    data = body + struct.pack("<H", version)
    return data + struct.pack("<Q", crc(data) if crc else lib.core_crc64(0, data, len(data)))
