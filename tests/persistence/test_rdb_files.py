"""RDB files: ours round, those of real servers, and broken ones."""

import json
import random
import struct
from pathlib import Path

import pytest

from shmredis._core import ffi, lib
from shmredis.engine import Engine as CoreEngine
from shmredis.persistence.rdb_load import RdbError, RdbLoad
from tests.persistence.rdb_data import (
    FILES,
    THEN,
    digest,
    fill,
    load_bytes,
    load_file,
    open_memory,
    payload,
    plan_of,
    save_bytes,
)
from tests.unit.arenas import heap_stats
from tests.unit.engines import Engine, new_engine

DIGESTS = json.loads((FILES / "digests.json").read_text())


def encodings(engine: Engine) -> dict[bytes, bytes]:
    return {key: engine.call("OBJECT", "ENCODING", key) for key in engine.call("KEYS", "*")}


def file_of(*records: bytes, version: int = 11, magic: bytes = b"REDIS%04d") -> bytes:
    """A file without a checksum."""
    return magic % version + b"".join(records) + b"\xff" + bytes(8)


def record(type_byte: int, key: bytes, value: bytes) -> bytes:
    return bytes([type_byte, len(key)]) + key + value


def with_checksum(data: bytes) -> bytes:
    body = data[:-8]
    return body + struct.pack("<Q", lib.core_crc64(0, body, len(body)))


# --- our own ---


@pytest.mark.parametrize("field_ttls", [False, True])
@pytest.mark.parametrize("compress", [False, True])
def test_all_types_and_encodings_come_back(
    engine: Engine, field_ttls: bool, compress: bool
) -> None:
    fill(engine, field_ttls)
    data = save_bytes(engine, compress=compress)
    assert data.startswith(b"REDIS0012" if field_ttls else b"REDIS0011")
    with new_engine() as other:
        facts = load_bytes(other, data)
        assert facts.offset == len(data)
        assert digest(other) == digest(engine)
        assert encodings(other) == encodings(engine)
        assert other.call("PEXPIRETIME", "volatile") == THEN


def test_template_hashes_are_saved_as_pairs(engine: Engine) -> None:
    engine.call("HIMPORT", "PREPARE", "t", "b", "a")
    engine.call("HIMPORT", "SET", "h", "t", "1", "2")
    with new_engine() as other:
        load_bytes(other, save_bytes(engine))
        assert other.call("HGETALL", "h") == {b"a": b"2", b"b": b"1"}
        assert other.call("OBJECT", "ENCODING", "h") == b"listpack"


def test_streams_of_several_producers_keep_their_keys(engine: Engine) -> None:
    for i in range(6):
        engine.call("XADD", f"stream{i % 2}", "IDMP", f"producer{i % 3}", f"id{i}", "*", "f", "v")
    with new_engine() as back:
        load_bytes(back, save_bytes(engine))
        assert back.call("KEYS", "*") == engine.call("KEYS", "*")
        assert digest(back) == digest(engine)


def test_an_empty_server_has_a_file(engine: Engine) -> None:
    data = save_bytes(engine)
    facts = load_bytes(engine, data)
    assert (facts.keys, facts.offset, facts.version) == (0, len(data), 11)


def test_a_file_without_checksum(engine: Engine) -> None:
    fill(engine)
    data = save_bytes(engine, checksum=False)
    assert data.endswith(bytes(8))
    with new_engine() as other:
        assert load_bytes(other, data).checksum == lib.RDB_CHECKSUM_OFF
        assert digest(other) == digest(engine)


def test_idle_times_under_lru(engine: Engine) -> None:
    lib.engine_set_option(engine.handle, b"maxmemory_policy", 1)  # allkeys-lru
    engine.call("RESTORE", "k", 0, payload(b"\x00\x05hello"), "IDLETIME", 5000)
    data = save_bytes(engine)
    assert b"\xf8" in data
    with new_engine() as other:
        load_bytes(other, data)
        assert 5000 <= other.call("OBJECT", "IDLETIME", "k") <= 5010


def test_frequencies_under_lfu(engine: Engine) -> None:
    lib.engine_set_option(engine.handle, b"maxmemory_policy", 2)  # allkeys-lfu
    engine.call("RESTORE", "k", 0, payload(b"\x00\x05hello"), "FREQ", 77)
    data = save_bytes(engine)
    with new_engine() as other:
        lib.engine_set_option(other.handle, b"maxmemory_policy", 2)
        load_bytes(other, data)
        assert other.call("OBJECT", "FREQ", "k") == 77


def test_parts_of_several_workers_are_joined() -> None:
    with new_engine() as one, new_engine() as two, new_engine() as whole:
        for engine, name in ((one, "one"), (two, "two")):
            for n in range(500):
                engine.call("SET", f"{name}{n}", n)
            engine.call("HSET", f"h{name}", "f", "v")
            engine.call("HPEXPIREAT", f"h{name}", THEN, "FIELDS", 1, "f")
        crc, data = 0, b""
        for engine, pieces in (
            (one, lib.RDB_PIECE_HEAD | lib.RDB_PIECE_BODY),
            (two, lib.RDB_PIECE_BODY),
        ):
            part = save_bytes(engine, pieces=pieces)
            crc = lib.core_crc64_combine(crc, lib.core_crc64(0, part, len(part)), len(part))
            data += part
        crc = lib.core_crc64(crc, b"\xff", 1)
        facts = load_bytes(whole, data + b"\xff" + struct.pack("<Q", crc))
        assert facts.checksum == lib.RDB_CHECKSUM_FINE
        assert facts.keys == 1002


def test_keys_are_counted_while_they_are_saved(engine: Engine) -> None:
    fill(engine)
    done = ffi.new("uint64_t *")
    save_bytes(engine, keys_done=done)
    assert done[0] == sum(engine_keys(engine))


def engine_keys(engine: Engine) -> list[int]:
    core = CoreEngine(engine.handle)
    return [core.database(db).keys for db in range(core.databases)]


def test_a_save_can_be_cancelled(engine: Engine) -> None:
    fill(engine)
    cancelled = ffi.new("bool *", True)
    out = ffi.new("struct rdb_written *")
    with open_memory(b"") as fd:
        assert not lib.engine_rdb_write(engine.handle, fd, plan_of(cancelled=cancelled), out)
    assert out.cancelled
    assert out.error == 0


def test_a_full_disk_is_an_error(engine: Engine) -> None:
    fill(engine)
    out = ffi.new("struct rdb_written *")
    with Path("/dev/full").open("wb", buffering=0) as full:
        assert not lib.engine_rdb_write(engine.handle, full.fileno(), plan_of(), out)
    assert out.error == 28  # ENOSPC


def test_libraries_and_fields_of_the_caller(engine: Engine) -> None:
    extra = b"\xfa\x04mine\x05value" + b"\xf5\x0e#!lua name=lib"
    data = save_bytes(engine, extra=ffi.from_buffer(extra), extra_n=len(extra))
    with open_memory(data) as fd, RdbLoad(CoreEngine(engine.handle), fd) as load:
        load.run()
        assert (b"mine", b"value") in load.aux()
        assert (b"redis-bits", b"64") in load.aux()
        assert list(load.libraries()) == [b"#!lua name=lib"]


# --- of real servers ---


@pytest.mark.parametrize("name", ["redis74", "redis8", "redis810"])
def test_files_of_redis_have_the_digest_it_said(engine: Engine, name: str) -> None:
    load_file(engine, FILES / f"{name}.rdb")
    assert digest(engine) == DIGESTS[name]


@pytest.mark.parametrize("name", ["redis62", "redis74", "redis8", "valkey"])
def test_files_of_all_have_the_data_they_were_made_of(engine: Engine, name: str) -> None:
    """Redis 6.2 and Valkey compute digests in other ways."""
    facts = load_file(engine, FILES / f"{name}.rdb", unique=True)
    assert facts.valkey == (name == "valkey")
    with new_engine() as made:
        fill(made, field_ttls=name != "redis62")
        assert digest(engine) == digest(made)
        same = encodings(made)
        assert {key: how for key, how in encodings(engine).items() if same[key] != how} == {}


def test_template_hashes_of_redis_stay_what_they_are(engine: Engine) -> None:
    load_file(engine, FILES / "redis810.rdb")
    assert engine.call("OBJECT", "ENCODING", "template hash") == b"template-listpack"
    assert engine.call("HGET", "template hash", "zz") == b"Z"
    assert engine.call("HSET", "template hash", "new", 1) == 1


# --- how it is loaded ---


def test_in_small_steps(engine: Engine) -> None:
    data = (FILES / "redis8.rdb").read_bytes()
    steps = 0
    with open_memory(data) as fd, RdbLoad(CoreEngine(engine.handle), fd, len(data)) as load:
        while not load.step(100):
            steps += 1
    assert steps > 5
    assert digest(engine) == DIGESTS["redis8"]


def test_what_follows_is_left_to_others(engine: Engine) -> None:
    data = save_bytes(engine)
    tail = b"*1\r\n$4\r\nPING\r\n"
    assert load_bytes(engine, data + tail).offset == len(data)


@pytest.mark.parametrize("workers", [2, 3])
def test_each_worker_keeps_its_own_slots(workers: int) -> None:
    data = (FILES / "redis8.rdb").read_bytes()
    total = 0
    for worker in range(workers):
        with new_engine() as engine:
            lib.wb_engine_set_worker(engine.handle, worker, workers)
            facts = load_bytes(engine, data)
            assert sum(engine_keys(engine)) == facts.keys > 0
            total += facts.keys
            assert facts.keys + facts.foreign == 31
    assert total == 31


def test_expired_keys_are_dropped_if_asked(engine: Engine) -> None:
    past = b"\xfc" + struct.pack("<q", 1000) + record(0, b"k", b"\x01v")
    data = file_of(b"\xfe\x00", past, record(0, b"l", b"\x01v"))
    assert load_bytes(engine, data, drop_expired=True).expired == 1
    assert engine_keys(engine)[0] == 1
    with new_engine() as other:
        assert load_bytes(other, data).expired == 0
        assert engine_keys(other)[0] == 2


@pytest.mark.parametrize("expiry", [-(2**63), -1, 0, 2**63 - 1])
def test_expiries_beyond_all_times(engine: Engine, expiry: int) -> None:
    data = file_of(b"\xfe\x00\xfc", struct.pack("<q", expiry), record(0, b"k", b"\x01v"))
    load_bytes(engine, data)
    assert engine.call("EXISTS", "k") == (expiry > 0)


def test_a_key_twice_is_an_error_or_replaced(engine: Engine) -> None:
    data = file_of(b"\xfe\x00", record(0, b"k", b"\x01v"), record(0, b"k", b"\x01w"))
    with pytest.raises(RdbError, match="duplicated key 'k' in DB 0"):
        load_bytes(engine, data)
    engine.call("FLUSHALL")
    load_bytes(engine, data, merge=True)
    assert engine.call("GET", "k") == b"w"


@pytest.mark.parametrize("between", [1, 14, 15, 16, 17, 40])
def test_a_key_twice_far_apart(engine: Engine, between: int) -> None:
    others = b"".join(record(0, b"%04d" % n, b"\x01v") for n in range(between))
    twice = record(0, b"k", b"\x01v"), others, record(0, b"k", b"\x01w")
    data = file_of(b"\xfe\x00", *twice, b"\xfe\x01", record(0, b"k", b"\x01x"))
    with pytest.raises(RdbError, match="duplicated key 'k' in DB 0"):
        load_bytes(engine, data)
    assert engine_keys(engine)[:2] == [1 + between, 0]
    engine.call("FLUSHALL")
    load_bytes(engine, data, merge=True)
    assert engine_keys(engine)[:2] == [1 + between, 1]
    assert engine.call("GET", "k") == b"w"


def long_length(n: int) -> bytes:
    return b"\x81" + struct.pack(">Q", n)


@pytest.mark.parametrize("said", [0, 1, 2999, 3000, 3001, 60_000, 2**62])
@pytest.mark.parametrize("workers", [1, 2])
def test_whatever_a_file_says_of_its_size_the_table_fits(said: int, workers: int) -> None:
    keys = b"".join(record(0, b"%04d" % n, b"\x01v") for n in range(3000))
    hint = b"\xfb" + long_length(said) + b"\x00"
    with new_engine() as told, new_engine() as untold:
        for engine, data in ((told, hint + keys), (untold, keys)):
            lib.wb_engine_set_worker(engine.handle, 0, workers)
            load_bytes(engine, file_of(b"\xfe\x00", data))
        assert engine_keys(told) == engine_keys(untold)
        of_table = [heap_stats(engine.arena).by_owner[3] for engine in (told, untold)]
        assert of_table[0] <= 1.5 * of_table[1]  # one block, which is trimmed at half


def test_a_broken_file_leaves_no_table_for_what_did_not_come(engine: Engine) -> None:
    hint = b"\xfb" + long_length(5000) + b"\x00"
    keys = b"".join(record(0, b"%04d" % n, b"\x01v") for n in range(5000))
    for data in (record(0, b"k", b"\x01v"), b""):
        with pytest.raises(RdbError, match="Unknown length"):
            load_bytes(engine, file_of(b"\xfe\x00", hint, data, record(0, b"l", b"\x83"), keys))
        assert heap_stats(engine.arena).by_owner[3] < 1024
        engine.call("FLUSHALL")


def test_every_part_of_a_file_says_its_size(engine: Engine) -> None:
    def part(db: int, first: int) -> bytes:
        keys = (record(0, b"%04d" % n, b"\x01v") for n in range(first, first + 500))
        return bytes([0xFE, db, 0xFB]) + long_length(500) + b"\x00" + b"".join(keys)

    load_bytes(engine, file_of(part(0, 0), part(0, 500), part(1, 0), part(0, 1000)))
    assert engine_keys(engine)[:2] == [1500, 500]


def test_a_full_arena_leaves_the_keys_before_it(engine: Engine) -> None:
    keys = (record(0, b"%04d" % n, b"\x42\x00" + b"x" * 512) for n in range(30))
    data = file_of(b"\xfe\x00", *keys)
    load_bytes(engine, data)
    engine.call("FLUSHALL")
    empty = list(heap_stats(engine.arena).by_owner)
    failed = 0
    for n in range(60):
        lib.heap_fail_after(engine.arena, n)
        try:
            load_bytes(engine, data)
        except RdbError as error:
            assert "arena is full" in str(error)
            failed += 1
        lib.heap_fail_after(engine.arena, -1)
        engine.check()
        engine.call("FLUSHALL")
        assert list(heap_stats(engine.arena).by_owner) == empty
    assert failed > 30


@pytest.mark.parametrize("order", ["up", "down", "shuffled", "down but one", "level"])
def test_sorted_sets_in_any_order(engine: Engine, order: str) -> None:
    pairs = [(n // 3 if order != "level" else 7, b"%04d" % n) for n in range(2000)]
    told = pairs if order == "up" else pairs[::-1]
    if order in ("shuffled", "level"):
        told = random.Random(3).sample(pairs, len(pairs))
    if order == "down but one":
        told = [*told[1:], told[0]]
    value = b"".join(bytes([4]) + member + struct.pack("<d", score) for score, member in told)
    load_bytes(engine, file_of(b"\xfe\x00", record(5, b"z", b"\x47\xd0" + value)))
    assert engine.call("ZRANGE", "z", 0, -1) == [member for _, member in pairs]
    assert engine.call("ZRANK", "z", "1234") == 1234


@pytest.mark.parametrize("n", [600, 4000])
@pytest.mark.parametrize("kind", [2, 4, 5])
def test_large_collections_whose_length_is_right_or_a_lie(
    engine: Engine, kind: int, n: int
) -> None:
    after = {2: b"", 4: b"\x01v", 5: struct.pack("<d", 1)}[kind]
    value = b"".join(b"\x05%05d" % i + after for i in range(n))
    load_bytes(engine, file_of(b"\xfe\x00", record(kind, b"k", long_length(n) + value)))
    assert engine.call({2: "SCARD", 4: "HLEN", 5: "ZCARD"}[kind], "k") == n
    engine.call("FLUSHALL")
    empty = list(heap_stats(engine.arena).by_owner)
    for lie in (n + 1, 1 << 40, (1 << 64) - 1):
        with pytest.raises(RdbError):
            load_bytes(engine, file_of(b"\xfe\x00", record(kind, b"k", long_length(lie) + value)))
        assert list(heap_stats(engine.arena).by_owner) == empty


def test_empty_collections_are_passed_over(engine: Engine) -> None:
    empty = bytes.fromhex("07 07000000 0000 ff")
    data = file_of(
        b"\xfe\x00", record(2, b"s", b"\x00"), record(16, b"h", empty), record(0, b"k", b"\x01v")
    )
    assert load_bytes(engine, data).empty == 2
    assert engine.call("KEYS", "*") == [b"k"]


def test_checks_build_values_and_keep_none(engine: Engine) -> None:
    facts = load_file(engine, FILES / "redis8.rdb", check=True)
    assert facts.by_type[0] > 5
    assert engine_keys(engine) == [0] * 4


def test_seconds_of_old_files(engine: Engine) -> None:
    old = b"REDIS0004\xfe\x00\xfd" + struct.pack("<i", 2**31 - 1) + record(0, b"k", b"\x01v")
    load_bytes(engine, old + b"\xff")
    assert engine.call("EXPIRETIME", "k") == 2**31 - 1


def test_hints_and_marks_are_passed_over(engine: Engine) -> None:
    slot = b"\xf4\x41\xc1\x02\x00"
    aux = b"\xf7\x81" + bytes(8) + b"\x02\x01" + b"\x05\x03abc\x02\x07\x04" + bytes(8) + b"\x00"
    load_bytes(engine, file_of(aux, b"\xfe\x00\xfb\x01\x00", slot, record(0, b"k", b"\x01v")))
    assert engine.call("GET", "k") == b"v"


# --- broken files ---

MODULE = b"\x81" + bytes.fromhex("45e25238df912c03") + b"\x05\x01x\x00"
REFUSED = {
    "signature": (b"REDIX0011\xff", "Wrong signature"),
    "newer": (b"REDIS0016\xff", "Can't handle RDB format version 16"),
    "not a number": (b"REDIS00x1\xff", "Can't handle RDB format"),
    "newer Valkey": (b"VALKEY081\xff", "Can't handle RDB format version 81"),
    "database": (file_of(b"\xfe\x04", record(0, b"k", b"\x01v")), "more than 4 databases"),
    "type": (file_of(b"\xfe\x00", record(99, b"k", b"\x01v")), "Invalid object type: 99"),
    "old functions": (file_of(b"\xf6\x01x"), "Pre-release function format"),
    "module": (
        file_of(b"\xfe\x00", record(7, b"k", MODULE)),
        "no matching module type 'ReJSON-RL'",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_refused(engine: Engine, why: str) -> None:
    data, text = REFUSED[why]
    with pytest.raises(RdbError, match=text):
        load_bytes(engine, data)


def test_a_wrong_checksum_is_refused_unless_it_is_ignored(engine: Engine) -> None:
    data = with_checksum(file_of(b"\xfe\x00", record(0, b"k", b"\x01v")))
    load_bytes(engine, data)
    engine.call("FLUSHALL")
    wrong = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(RdbError, match="Wrong RDB checksum"):
        load_bytes(engine, wrong)
    engine.call("FLUSHALL")
    load_bytes(engine, wrong, checksum=False)


@pytest.mark.parametrize("name", ["redis62", "redis8", "redis810", "valkey"])
def test_cut_anywhere(name: str) -> None:
    data = (FILES / f"{name}.rdb").read_bytes()
    with new_engine() as engine:
        for n in (*range(0, 300, 7), *range(300, len(data), 971), len(data) - 1):
            with pytest.raises(RdbError, match="Unexpected EOF"):
                load_bytes(engine, data[:n])
            engine.call("FLUSHALL")
            engine.check()


def test_a_full_arena_is_an_error_of_its_own() -> None:
    with new_engine() as big, new_engine(1 << 22) as small:
        for n in range(100):
            big.call("SET", f"k{n}", bytes([n]) * 100_000)
        with pytest.raises(RdbError, match="arena is full"):
            load_bytes(small, save_bytes(big, compress=False))
