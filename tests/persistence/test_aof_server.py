"""The append-only file of a whole server: killed, started again, rewritten, switched, on a full disk."""

import contextlib
import select
import signal
import socket
import threading
from pathlib import Path

import pytest

from tests.harness.resp import encode
from tests.harness.server import wait_until
from tests.persistence.logged import LoggedServer, stream

WARM = ("--warm-restart", "yes", "--discard-shm", "no")
REWRITTEN = "Background AOF rewrite finished successfully"
WORKERS = pytest.mark.parametrize("workers", [1, 3])


def fill(server: LoggedServer) -> None:
    """Keys of all types, some expiring, some over several workers."""
    with server.client() as c:
        for i in range(30):
            c.call("SET", f"s{i}", f"value {i}")
            c.call("RPUSH", f"l{i}", *range(i + 1))
            c.call("SADD", f"t{i}", *range(i + 1))
            c.call("ZADD", f"z{i}", 1.5, "a", 2, f"b{i}")
            c.call("HSET", f"h{i}", "f", i, "g", "x" * i)
        c.call("MSET", *(word for i in range(20) for word in (f"m{i}", i)))
        c.call("EXPIRE", "s1", 1000)
        c.call("INCRBYFLOAT", "m1", "0.5")
        c.call("SELECT", 5)
        c.call("SET", "in five", 1)
        c.call("SELECT", 0)
        for i in range(5):
            c.call("RENAME", f"s{i + 10}", f"renamed{i}")
            c.call("LMOVE", f"l{i + 10}", f"l{i + 11}", "LEFT", "RIGHT")
            c.call("SUNIONSTORE", f"union{i}", f"t{i}", f"t{i + 5}")
        c.call("DEL", "s20", "s21", "s22", "missing")


@WORKERS
def test_what_was_acknowledged_survives_a_kill(server: LoggedServer, workers: int) -> None:
    server.start("--appendfsync", "always", workers=workers)
    fill(server)
    digest, size = server.digest(), server.call("DBSIZE")
    server.kill()
    server.start("--appendfsync", "always", workers=workers)
    assert (server.digest(), server.call("DBSIZE")) == (digest, size)
    assert "DB loaded from append only file" in server.log
    server.call("SET", "more", 1)
    digest = server.digest()
    assert server.stop() == 0
    server.start(workers=workers)
    assert server.digest() == digest


def test_the_log_of_one_worker_has_what_redis_logs(server: LoggedServer) -> None:
    server.start("--appendfsync", "no")
    with server.client() as c:
        c.call("SET", "a", 1)
        c.call("MULTI")
        c.call("SET", "b", 1)
        c.call("INCR", "b")
        c.call("EXEC")
        c.call("SELECT", 3)
        c.call("SADD", "s", "m")
        c.call("SADD", "s", "m")
        c.call("SPOP", "s")
    text = (server.files() / "appendonly.aof.1.incr.aof").read_bytes()
    assert text == stream(
        *("SELECT 0", "SET a 1", "MULTI", "SET b 1", "INCR b", "EXEC", "SELECT 3", "SADD s m"),
        "SREM s m",
    )


@WORKERS
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_rewrite_keeps_all(server: LoggedServer, workers: int, preamble: str) -> None:
    options = ("--aof-use-rdb-preamble", preamble, "--appendfsync", "no")
    server.start(*options, workers=workers)
    fill(server)
    server.rewrite()
    server.call("SET", "after", 1)
    digest = server.digest()
    folder = server.files(None if workers == 1 else 0)
    names = sorted(path.name for path in folder.iterdir())
    base = f"appendonly.aof.2.base.{'rdb' if preamble == 'yes' else 'aof'}"
    assert names == [base, "appendonly.aof.2.incr.aof", "appendonly.aof.manifest"]
    assert server.stop() == 0
    server.start(*options, workers=workers)
    assert server.digest() == digest
    server.rewrite()
    assert server.digest() == digest


def test_a_rewrite_under_load_keeps_all(server: LoggedServer) -> None:
    server.start("--appendfsync", "no", workers=2)
    stop = threading.Event()

    def write(name: int) -> None:
        with server.client() as c:
            n = 0
            while not stop.is_set():
                n += 1
                c.call("SET", f"k{name}:{n % 500}", n)
                c.call("MSET", f"a{name}", n, f"b{name}", n)
                c.call("RPUSH", f"l{name}", n)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            server.rewrite()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    digest = server.digest()
    server.kill()
    server.start(workers=2)
    assert server.digest() == digest


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 2), (3, 1)])
def test_another_number_of_workers_loads_all(server: LoggedServer, before: int, after: int) -> None:
    server.start("--appendfsync", "no", workers=before)
    fill(server)
    server.rewrite()
    server.call("SET", "more", 1)
    digest, size = server.digest(), server.call("DBSIZE")
    server.kill()
    server.start(workers=after)
    assert (server.digest(), server.call("DBSIZE")) == (digest, size)
    assert not (server.dir / "appendonlydir.reshape").exists()
    server.kill()
    server.start(workers=after)
    assert (server.digest(), server.call("DBSIZE")) == (digest, size)


# --- switching on and off ---


@WORKERS
def test_switched_on_while_running(server: LoggedServer, workers: int) -> None:
    server.start("--appendonly", "no", "--appendfsync", "no", workers=workers)
    fill(server)
    assert server.info("aof_enabled") == "0"
    assert server.call("CONFIG", "SET", "appendonly", "yes") == b"+OK\r\n"
    server.call("SET", "while it is written", 1)
    wait_until(lambda: server.log.count(REWRITTEN) == workers)
    assert server.info("aof_rewrites") == "1"
    server.call("SET", "after", 1)
    digest = server.digest()
    server.kill()
    server.start(workers=workers)
    assert server.digest() == digest


def test_switched_off_it_logs_no_more_and_on_again_all(server: LoggedServer) -> None:
    server.start("--appendfsync", "no")
    server.call("SET", "a", 1)
    assert server.call("CONFIG", "SET", "appendonly", "no") == b"+OK\r\n"
    assert server.info("aof_enabled") == "0"
    size = (server.files() / "appendonly.aof.1.incr.aof").stat().st_size
    server.call("SET", "b", 1)
    assert (server.files() / "appendonly.aof.1.incr.aof").stat().st_size == size
    server.call("CONFIG", "SET", "appendonly", "yes")
    wait_until(lambda: REWRITTEN in server.log)
    server.call("SET", "c", 1)
    digest = server.digest()
    server.kill()
    server.start()
    assert server.digest() == digest


@WORKERS
def test_switched_off_before_it_could_begin(server: LoggedServer, workers: int) -> None:
    server.start("--appendonly", "no", workers=workers)
    server.call("DEBUG", "POPULATE", 100)
    server.call("CONFIG", "SET", "rdb-key-save-delay", 20000)
    assert server.call("BGSAVE") == b"+Background saving started\r\n"
    assert server.call("CONFIG", "SET", "appendonly", "yes") == b"+OK\r\n"
    assert server.info("aof_rewrite_scheduled") == "1"
    assert server.call("CONFIG", "SET", "appendonly", "no") == b"+OK\r\n"
    assert (server.info("aof_rewrite_scheduled"), server.info("aof_enabled")) == ("0", "0")
    server.call("CONFIG", "SET", "rdb-key-save-delay", 0)
    wait_until(lambda: server.info("rdb_bgsave_in_progress") == "0")
    assert server.stop() == 0  # no log is waited for


@WORKERS
def test_debug_loadaof_brings_the_same_data(server: LoggedServer, workers: int) -> None:
    server.start(workers=workers)
    fill(server)
    digest = server.digest()
    assert server.call("DEBUG", "LOADAOF") == b"+OK\r\n"
    assert server.digest() == digest
    server.call("SET", "more", 1)
    digest = server.digest()
    assert server.call("DEBUG", "LOADAOF") == b"+OK\r\n"
    assert server.digest() == digest


# --- rewriting by itself ---


def test_it_is_rewritten_when_it_has_grown(server: LoggedServer) -> None:
    server.start("--auto-aof-rewrite-min-size", "2kb", "--appendfsync", "no")
    with server.client() as c:
        for i in range(200):
            c.call("SET", "a", i)
    wait_until(lambda: int(server.info("aof_rewrites")) >= 1)
    assert "Starting automatic rewriting of AOF on" in server.log
    assert server.call("GET", "a") == b"$3\r\n199\r\n"


def test_two_rewrites_at_a_time_are_refused(server: LoggedServer) -> None:
    server.start()
    server.call("DEBUG", "POPULATE", 100)
    server.call("CONFIG", "SET", "rdb-key-save-delay", 10000)
    assert server.call("BGREWRITEAOF") == b"+Background append only file rewriting started\r\n"
    assert server.call("BGREWRITEAOF") == (
        b"-ERR Background append only file rewriting already in progress\r\n"
    )
    assert server.call("BGSAVE").startswith(b"-ERR Another child process is active (AOF?)")
    assert server.info("aof_rewrite_in_progress") == "1"
    server.call("CONFIG", "SET", "rdb-key-save-delay", 0)


def test_a_rewrite_waits_for_a_snapshot(server: LoggedServer) -> None:
    server.start()
    server.call("DEBUG", "POPULATE", 100)
    server.call("CONFIG", "SET", "rdb-key-save-delay", 5000)
    assert server.call("BGSAVE") == b"+Background saving started\r\n"
    assert server.call("BGREWRITEAOF") == b"+Background append only file rewriting scheduled\r\n"
    server.call("CONFIG", "SET", "rdb-key-save-delay", 0)
    wait_until(lambda: REWRITTEN in server.log, 20)


@pytest.mark.parametrize("point", ["fork.fork:fail", "fork.sync:fail", "aof.base.rename:fail"])
def test_a_rewrite_that_fails_loses_nothing(server: LoggedServer, point: str) -> None:
    server.start("--appendfsync", "no")
    server.call("DEBUG", "FAULT", point)
    server.call("SET", "a", 1)
    server.call("BGREWRITEAOF")
    wait_until(lambda: server.info("aof_last_bgrewrite_status") == "err")
    server.call("SET", "b", 1)
    server.call("BGREWRITEAOF")
    wait_until(lambda: server.info("aof_rewrites_consecutive_failures") == "2")
    manifest = (server.files() / "appendonly.aof.manifest").read_text()
    assert "appendonly.aof.1.base.rdb" in manifest
    assert "appendonly.aof.3.incr.aof" in manifest
    digest = server.digest()
    server.kill()
    server.start()
    assert server.digest() == digest


@pytest.mark.parametrize(
    "point",
    ["fork.frozen", "aof.manifest.before_rename", "aof.manifest.renamed", "aof.base.renamed"],
)
@pytest.mark.parametrize("which", [1, 2])
def test_killed_during_a_rewrite_it_loses_nothing(
    server: LoggedServer, point: str, which: int
) -> None:
    server.start("--appendfsync", "always")
    server.call("SET", "a", 1)
    digest = server.digest()
    server.call("DEBUG", "FAULT", f"{point}:kill:{which}")
    with contextlib.suppress(OSError, AssertionError, ValueError, IndexError):
        server.call("BGREWRITEAOF")
        server.rewrite()
    server.kill()
    server.start("--appendfsync", "always")
    assert server.digest() == digest


# --- fatal files ---


def test_a_bad_manifest_stops_the_start(server: LoggedServer) -> None:
    server.start()
    server.stop()
    manifest = server.files() / "appendonly.aof.manifest"
    manifest.write_text(manifest.read_text() + "foo\n")
    log = server.fails_to_start()
    assert "*** FATAL AOF MANIFEST FILE ERROR ***\n" in log
    lines = (
        "Reading the manifest file, at line 3",
        ">>> 'foo'",
        "Invalid AOF manifest file format",
    )
    assert all(f" # {line}\n" in log for line in lines)


@WORKERS
def test_a_corrupt_log_stops_the_start(server: LoggedServer, workers: int) -> None:
    server.start(workers=workers)
    server.stop()
    path = server.files(None if workers == 1 else 1) / "appendonly.aof.1.incr.aof"
    path.write_bytes(stream("SET a 1") + b"garbage")
    log = server.fails_to_start(workers=workers)
    folder = "appendonlydir" if workers == 1 else "worker-1"
    assert f"Bad file format reading the append only file {folder}/appendonly.aof.1.incr.aof" in log


# --- a disk that fails ---


def test_a_full_disk_refuses_writes_until_there_is_room(server: LoggedServer) -> None:
    server.start("--appendfsync", "no")
    server.call("SET", "a", 1)
    server.call("DEBUG", "FAULT", "aof.write:fail")
    server.call("SET", "a", 2)
    misconf = b"-MISCONF Errors writing to the AOF file: No space left on device\r\n"
    wait_until(lambda: server.call("SET", "a", 3) == misconf)
    assert server.call("GET", "a") == b"$1\r\n2\r\n"
    assert server.info("aof_last_write_status") == "err"
    server.call("DEBUG", "FAULT", "")
    wait_until(lambda: server.call("SET", "a", 4) == b"+OK\r\n")
    assert server.info("aof_last_write_status") == "ok"
    assert "Error writing to the AOF file: No space left on device" in server.log
    assert "AOF write error looks solved. The server can write again." in server.log
    server.kill()
    server.start()
    assert server.call("GET", "a") == b"$1\r\n4\r\n"


@WORKERS
def test_with_always_a_failed_write_ends_the_server(server: LoggedServer, workers: int) -> None:
    """As in Redis: a worker that cannot keep its promise is not brought back to break it."""
    server.start("--appendfsync", "always", *WARM, workers=workers)
    with server.client() as client:
        client.call("SET", "a", 1)
        client.call("DEBUG", "FAULT", "aof.write:fail")
        with pytest.raises((OSError, ValueError, IndexError, AssertionError)):
            client.call("SET", "a", 2)
    assert server.process
    assert server.process.wait(20) == 1
    why = "Can't recover from AOF write error when the AOF fsync policy is 'always': No space left"
    assert why in server.log
    assert "is back" not in server.log
    server.start("--appendfsync", "always", *WARM, workers=workers)
    assert server.call("GET", "a") in (b"$1\r\n1\r\n", b"$1\r\n2\r\n")  # not acknowledged


@WORKERS
def test_what_a_killed_worker_had_not_logged_is_no_gap_in_the_log(
    server: LoggedServer, workers: int
) -> None:
    """It dies between a change and its log; its arena has the change, and what comes builds on it."""
    server.start("--appendfsync", "always", *WARM, workers=workers)
    with server.client() as client:
        for _ in range(3):
            client.call("INCR", "n")
        client.call("DEBUG", "FAULT", "aof.before_write")
        with contextlib.suppress(OSError):
            client.call("INCR", "n")
    acknowledged = b""

    def increments() -> bool:
        nonlocal acknowledged
        with contextlib.suppress(OSError):
            acknowledged = server.call("INCR", "n")
        return acknowledged.startswith(b":")

    wait_until(increments)
    server.kill()
    server.start("--appendfsync", "always", workers=workers)
    assert server.call("INCRBY", "n", 0) == acknowledged


# --- several workers ---


def replies_or_death(sock: socket.socket, token: Path, i: int) -> bytes:
    """What three commands of several workers are answered before one that dies takes the token."""
    commands = [["MSET", *(w for k in "abcdef" for w in (k, i))], ["SADD", "pool1", i]]
    commands.append(["SMOVE", "pool1", "pool2", i])
    reply = b""
    with contextlib.suppress(OSError):  # it may have been the worker of this connection
        sock.sendall(b"".join(encode(*words) for words in commands))
        while reply.count(b"\r\n") < len(commands) and token.exists():
            if select.select([sock], [], [], 0.001)[0]:
                reply += sock.recv(1 << 16)
    return reply


@pytest.mark.parametrize(
    "point",
    ["stage.before_execute", "stage.executed", "aof.written", "cross.executed", "cross.taken_back"],
)
@pytest.mark.parametrize("again", [(), WARM], ids=["cold", "warm"])
def test_parts_of_a_command_come_back_all_or_not_at_all(
    server: LoggedServer, point: str, again: tuple[str, ...]
) -> None:
    """One of three workers dies between parts, then all; each command is there as a whole or not."""
    token = server.dir / "token"
    token.touch()
    faults = f"{point}:kill:9:{token}"
    server.start("--appendfsync", "always", *again, workers=3, faults=faults)
    done = 0
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        replies_or_death(sock, token, 0)
        assert server.process
        server.process.send_signal(signal.SIGSTOP)  # it shall not bring back the one that dies
        for i in range(1, 1000):
            reply = replies_or_death(sock, token, i)
            if reply.startswith(b"+OK"):
                done = i
            if not token.exists():
                break
            assert reply == b"+OK\r\n:1\r\n:1\r\n"
    assert not token.exists()
    server.kill()
    server.start("--appendfsync", "always", *again, workers=3)
    values = {server.call("GET", key) for key in "abcdef"}
    assert len(values) == 1
    assert int(values.pop().split(b"\r\n")[1]) >= done
    one, two = server.call("SMEMBERS", "pool1"), server.call("SMEMBERS", "pool2")
    assert not set(one.split(b"\r\n")[2::2]) & set(two.split(b"\r\n")[2::2])


def test_the_reply_is_there_after_the_sync(server: LoggedServer) -> None:
    """Pipelined commands of several connections: whatever is answered is in the file."""
    server.start("--appendfsync", "always")
    socks = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(8)]
    for i, sock in enumerate(socks):
        sock.sendall(b"".join(encode("SET", f"k{i}:{n}", n) for n in range(50)))
    counts = []
    for sock in socks:
        counts.append(sock.recv(1 << 16).count(b"+OK\r\n"))
        text = (server.files() / "appendonly.aof.1.incr.aof").read_bytes()
        assert text.count(b"SET") >= sum(counts)
        sock.close()


@pytest.mark.parametrize("preamble", ["yes", "no"])
@pytest.mark.parametrize("rewritten", [True, False])
def test_times_of_consumer_groups_come_back(
    server: LoggedServer, preamble: str, rewritten: bool
) -> None:
    """A delivery keeps its time; a consumer was seen at the latest when the log was loaded."""
    options = ("--appendfsync", "always", "--aof-use-rdb-preamble", preamble)
    server.start(*options)
    with server.client() as client:
        client.call("XADD", "x", "1-1", "f", "v")
        client.call("XGROUP", "CREATE", "x", "g", "0")
        client.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">")
        client.call("XCLAIM", "x", "g", "c", "0", "1-1", "IDLE", "3600000")
        if rewritten:
            server.rewrite()
    server.kill()
    server.start(*options)
    with server.client() as client:
        [_, _, idle, _] = client.value("XPENDING", "x", "g", "-", "+", "1")[0]
        assert 3_600_000 <= idle < 3_700_000
        consumer = client.value("XINFO", "CONSUMERS", "x", "g")[0]
        assert consumer[consumer.index(b"idle") + 1] < 3_600_000


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_goes_by_itself_while_a_log_is_loaded(server: LoggedServer, workers: int) -> None:
    """A key whose time has come may be about to get another one, and its end would not be logged."""
    folder = server.files(None if workers == 1 else 0)
    folder.mkdir(parents=True)
    begin = stream("SELECT 0", "SET a 1 PXAT 1000", "HSET h f 1", "HPEXPIREAT h 1000 FIELDS 1 f")
    end = stream("PERSIST a", "APPEND a 2", "HPERSIST h FIELDS 1 f", "SET b 1 PXAT 1000")
    log = folder / "appendonly.aof.1.incr.aof"
    slow = (
        stream("SETRANGE big 30000000 x") + stream("BITCOUNT big") * 300
    )  # some rounds of the cron
    log.write_bytes(begin + slow + end)
    (folder / "appendonly.aof.manifest").write_text(f"file {log.name} seq 1 type i\n")
    server.start(workers=workers)
    assert server.call("GET", "a") == b"$2\r\n12\r\n"
    assert server.call("HGET", "h", "f") == b"$1\r\n1\r\n"
    wait_until(lambda: any(b"DEL\r\n$1\r\nb" in file.read_bytes() for file in folder.glob("*.aof")))
