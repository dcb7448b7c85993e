"""Libraries in files and over restarts; what scripts leave in the append-only file."""

import signal
from pathlib import Path

import pytest

from tests.persistence.place import SAVES, Place, place

CODE = (
    "#!lua name=kept\nredis.register_function('f', function(k) return redis.call('INCR', k[1]) end)"
)
LOGGED = ("--appendonly", "yes", "--appendfsync", "always")


def libraries(here: Place) -> list[bytes]:
    with here.client() as client:
        return [library[1] for library in client.value("FUNCTION", "LIST")]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("options", [(), LOGGED], ids=["rdb", "aof"])
def test_libraries_are_in_the_files(workers: int, options: tuple[str, ...]) -> None:
    with place(*options, workers=workers) as here:
        with here.client() as client:
            client.call("FUNCTION", "LOAD", CODE)
            assert client.value("FCALL", "f", 1, "n") == 1
            assert client.call("SAVE") == b"+OK\r\n"
        here.end(signal.SIGKILL)
        here.again(*SAVES, *options, "--discard-shm", "yes", workers=workers)
        assert libraries(here) == [b"kept"]
        with here.client() as client:
            assert client.value("FCALL", "f", 1, "n") == 2


@pytest.mark.parametrize("workers", [1, 3])
def test_libraries_stay_with_the_arenas(workers: int) -> None:
    with place("--save", "", workers=workers) as here:
        with here.client() as client:
            client.call("SET", "x", "1")
            client.call("FUNCTION", "LOAD", CODE)
        here.end(signal.SIGKILL)
        here.again("--save", "", workers=workers)
        assert here.chosen().startswith("Re-attached")
        assert libraries(here) == [b"kept"]


def test_a_deleted_library_does_not_come_back_from_the_log() -> None:
    with place(*LOGGED) as here:
        with here.client() as client:
            client.call("FUNCTION", "LOAD", CODE)
            client.call("FUNCTION", "LOAD", CODE.replace("kept", "gone").replace("'f'", "'g'"))
            client.call("FUNCTION", "DELETE", "gone")
        here.end(signal.SIGKILL)
        here.again(*SAVES, *LOGGED, "--discard-shm", "yes")
        assert libraries(here) == [b"kept"]


def test_another_number_of_workers_has_the_libraries() -> None:
    with place(*LOGGED, workers=3) as here:
        with here.client() as client:
            client.call("FUNCTION", "LOAD", CODE)
            client.call("FCALL", "f", 1, "n")
        here.end()
        here.again(*SAVES, *LOGGED, workers=2)
        assert libraries(here) == [b"kept"]
        with here.client() as client:
            assert client.value("FCALL", "f", 1, "n") == 2


def incremental(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*.incr.aof")))


def test_the_log_has_what_a_script_did_as_one() -> None:
    with place(*LOGGED) as here:
        with here.client() as client:
            client.call("EVAL", "redis.call('SET', 'a', 1) redis.call('INCR', 'b')", 0)
            client.call("EVAL", "return redis.call('GET', 'a')", 0)
            client.call(
                "EVAL",
                "redis.set_repl(redis.REPL_NONE) redis.call('SET', 'unlogged', 1) "
                "redis.set_repl(redis.REPL_ALL) redis.call('SET', 'logged', 1)",
                0,
            )
        log = incremental(here.dir / "appendonlydir")
        words = [word for word in log.split(b"\r\n") if word[:1] not in (b"*", b"$", b"#")]
        assert b"EVAL" not in log
        first = words.index(b"MULTI")
        assert words[first : first + 7] == [b"MULTI", b"SET", b"a", b"1", b"INCR", b"b", b"EXEC"]
        assert b"unlogged" not in log
        assert b"logged" in words


def test_a_script_over_workers_is_whole_after_a_crash() -> None:
    script = "for i = 1, 30 do redis.call('SET', ARGV[1] .. i, i) end"
    with place(*LOGGED, workers=3) as here:
        with here.client() as client:
            assert client.call("EVAL", script, 0, "k") == b"$-1\r\n"
        here.end(signal.SIGKILL)
        here.again(*SAVES, *LOGGED, "--discard-shm", "yes", workers=3)
        with here.client() as client:
            assert client.value("DBSIZE") == 30
            assert client.value("MGET", *(f"k{i}" for i in range(1, 31))) == [
                str(i).encode() for i in range(1, 31)
            ]
