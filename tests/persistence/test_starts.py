"""Servers that die while they start: what was acknowledged is there, no part of a command is kept alone.

Workers settle in their logs what earlier lives have left (persistence/aof_transactions.py). Until all have,
each start that ends too early leaves some logs settled and others not; some with a new base, some without.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.processes import is_stopped
from tests.harness.server import wait_until
from tests.persistence.logged import LoggedServer, logged_server, stream
from tests.workers.places import connect_to, key_of, pid_of, sure_pid_of

WORKERS = 3
VICTIM = 1
ALWAYS = ("--appendfsync", "always", "--auto-aof-rewrite-min-size", "32kb")
WARM = ("--warm-restart", "yes", "--discard-shm", "no")
KEYS = [key_of(i) for i in range(WORKERS)]
HALF = f"{{{KEYS[VICTIM]}}}half"
SETTLING = [
    "front.spawned:kill:2",
    "verdict.reached",
    "verdict.written",
    "aof.settling",
    "aof.dropped",
    "aof.settled",
    "front.opening",
]
RESHAPING = [
    "layout.prepared",
    "aof.base.renamed",
    "aof.manifest.before_rename",
    "aof.manifest.renamed",
    "front.opening",
    "layout.finished",
]
RENEWING = [
    "aof.base.renamed",
    "aof.renewing",
    "aof.settling",
    "aof.settled",
    "aof.manifest.before_rename",
    "aof.manifest.renamed",
]


@pytest.fixture
def server() -> Iterator[LoggedServer]:
    with logged_server() as one:
        yield one


def plan(server: LoggedServer, point: str) -> tuple[str, Path]:
    """What kills one process at this point, as soon as the file is there."""
    token = server.dir / "token"
    which = point if ":" in point else f"{point}:kill:1"
    return f"{which}:{token}", token


def dies(server: LoggedServer, point: str, *options: str, workers: int = WORKERS) -> None:
    """Starts it so that a process is killed at the point; ends what is left."""
    faults, token = plan(server, point)
    token.touch()
    server.launch(*options, workers=workers, faults=faults)
    wait_until(lambda: not token.exists(), 20)
    server.kill()


def write(server: LoggedServer, value: int) -> None:
    words = [word for key in KEYS for word in (key, value)]
    assert server.call("MSET", *words) == b"+OK\r\n"


def add_half(server: LoggedServer, number: int) -> None:
    """A command of two workers, of which one has logged its part when all have died."""
    part = stream("MULTI", "SELECT 0", f"SET {HALF} {number}", "EXEC")
    append(server, VICTIM, b"#TXN dead-%d-6 1/2\r\n" % number + part)
    append(server, 2, b"#TXN-SEEN dead 0\r\n")


def append(server: LoggedServer, worker: int, data: bytes) -> None:
    logs = server.files(worker).glob("*.incr.aof")
    with max(logs, key=lambda path: int(path.suffixes[-3][1:])).open("ab") as file:
        file.write(data)


def check(server: LoggedServer, value: int) -> None:
    found = [server.call("GET", key) for key in KEYS]
    assert found == [b"$2\r\n%d\r\n" % value] * WORKERS, server.log
    assert server.call("GET", HALF) == b"$-1\r\n", server.log


def rewrite_log_of(server: LoggedServer, worker: int) -> None:
    """Its log grows until it has a new base; those of the others stay."""
    manifest = server.files(worker) / "appendonly.aof.manifest"
    before = manifest.read_text()
    with server.client() as client:
        for i in range(80):
            client.call("SET", f"{{{KEYS[worker]}}}large", "x" * 1000 + str(i))
    wait_until(lambda: manifest.read_text() != before)
    wait_until(lambda: server.info("aof_rewrite_in_progress") == "0")


@pytest.mark.parametrize("warm", [(), WARM], ids=["cold", "warm"])
def test_a_start_that_ends_before_all_logs_are_settled(
    server: LoggedServer, warm: tuple[str, ...]
) -> None:
    server.start(*ALWAYS, *warm, workers=WORKERS)
    write(server, 10)
    server.kill()
    for number, point in enumerate(SETTLING):
        add_half(server, number)
        dies(server, point, *ALWAYS, *warm)
    server.start(*ALWAYS, *warm, workers=WORKERS)
    check(server, 10)
    rewrite_log_of(server, 0)
    server.kill()
    server.start(*ALWAYS, workers=WORKERS)
    check(server, 10)


@pytest.mark.parametrize("point", ["aof.settling", "aof.dropped", "aof.settled"])
def test_a_worker_that_dies_before_all_have_begun(server: LoggedServer, point: str) -> None:
    """It is brought back alone, but the others do not serve yet: it leaves out what they have left out."""
    server.start(*ALWAYS, workers=WORKERS)
    write(server, 10)
    server.kill()
    add_half(server, 1)
    faults, token = plan(server, point)
    token.touch()
    server.start(*ALWAYS, workers=WORKERS, faults=faults)
    assert not token.exists()
    check(server, 10)
    server.kill()
    server.start(*ALWAYS, workers=WORKERS)
    check(server, 10)


def test_a_start_with_another_number_of_workers_that_ends_early(server: LoggedServer) -> None:
    server.start(*ALWAYS, workers=WORKERS)
    write(server, 10)
    server.kill()
    add_half(server, 1)
    for point in RESHAPING:
        dies(server, point, *ALWAYS, workers=2)
    server.start(*ALWAYS, workers=2)
    check(server, 10)


def test_an_unfinished_change_of_workers_is_left_to_a_later_start(server: LoggedServer) -> None:
    """Without the log nothing is loaded from the old files, and nothing becomes of them."""
    server.start(*ALWAYS, workers=WORKERS)
    write(server, 10)
    server.kill()
    dies(server, "front.opening", *ALWAYS, workers=2)
    server.start("--appendonly", "no", workers=2)
    assert server.call("DBSIZE") == b":0\r\n"
    server.kill()
    server.start(*ALWAYS, workers=WORKERS)
    check(server, 10)


@pytest.mark.parametrize("point", RENEWING)
def test_a_log_that_gets_a_new_base_for_its_arena(server: LoggedServer, point: str) -> None:
    """The worker dies with changes that its log lacks, and again while its log begins anew."""
    faults, token = plan(server, point)
    server.start(*ALWAYS, *WARM, workers=WORKERS, faults=faults)
    write(server, 10)
    with connect_to(server, VICTIM) as client:  # type: ignore[arg-type]
        client.call("DEBUG", "FAULT", "aof.before_write:kill")
        token.touch()
        with contextlib.suppress(OSError):
            client.call("SET", f"{{{KEYS[VICTIM]}}}other", 1)
    wait_until(lambda: not token.exists(), 20)
    server.kill()
    server.start(*ALWAYS, workers=WORKERS)
    check(server, 10)


def test_a_log_whose_next_file_is_still_empty_fits_its_arena(server: LoggedServer) -> None:
    """All die between the naming of a rewrite's next file and its instant. A new base would say nothing of
    the parts that others' logs have, in the window before those have settled them."""
    server.start(*ALWAYS, *WARM, workers=WORKERS)
    write(server, 10)
    with connect_to(server, VICTIM) as client:  # type: ignore[arg-type]
        pid = sure_pid_of(client, VICTIM)
        client.call("DEBUG", "FAULT", "aof.manifest.noted:stop")
        client.call("SET", f"{{{KEYS[VICTIM]}}}large", "x" * (64 << 10))
        wait_until(lambda: is_stopped(pid))
        server.kill()
    server.start(*ALWAYS, *WARM, workers=WORKERS)
    assert "it gets a new base" not in server.log
    assert f"Re-attached {WORKERS} arenas" in server.log
    check(server, 10)
    write(server, 11)
    server.kill()
    server.start(*ALWAYS, workers=WORKERS)
    check(server, 11)


def test_the_same_when_it_comes_back(server: LoggedServer) -> None:
    server.start(*ALWAYS, *WARM, workers=WORKERS)
    write(server, 10)
    with connect_to(server, VICTIM) as client:  # type: ignore[arg-type]
        pid = sure_pid_of(client, VICTIM)
        client.call("DEBUG", "FAULT", "aof.before_write:kill")
        with contextlib.suppress(OSError):
            client.call("SET", f"{{{KEYS[VICTIM]}}}other", 1)
    with connect_to(server, 0) as client:  # type: ignore[arg-type]
        wait_until(lambda: pid_of(client, VICTIM) not in (0, pid))
    check(server, 10)
    server.kill()
    server.start(*ALWAYS, workers=WORKERS)
    check(server, 10)


def test_while_a_log_is_switched_on_the_arena_has_all(server: LoggedServer) -> None:
    """It was off for a while, and its new base has no place in a manifest yet when all are killed."""
    server.start(*ALWAYS, *WARM)
    write(server, 10)
    server.call("CONFIG", "SET", "appendonly", "no")
    write(server, 11)
    server.call("DEBUG", "FAULT", "aof.base.rename:fail")
    server.call("CONFIG", "SET", "appendonly", "yes")  # it tries that again and again
    wait_until(lambda: "Background AOF rewrite terminated with error" in server.log)
    server.kill()
    server.start(*ALWAYS, *WARM)
    assert "Re-attached 1 arena" in server.log
    check(server, 11)
    server.kill()
    server.start(*ALWAYS)
    check(server, 11)


@pytest.mark.parametrize("workers", [1, WORKERS])
def test_a_log_that_was_switched_off_says_so(server: LoggedServer, workers: int) -> None:
    server.start(*ALWAYS, workers=workers)
    write(server, 10)
    server.call("CONFIG", "SET", "appendonly", "no")
    log = next(server.files(None if workers == 1 else 1).glob("*.incr.aof")).read_bytes()
    assert (b"\n#TXN-OFF " in log) == (workers > 1)
    server.kill()
    server.start(*ALWAYS, workers=workers)
    check(server, 10)
