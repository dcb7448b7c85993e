"""Starting a shmredis server for tests, and making sure that it leaves nothing behind."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tests.harness.ports import free_port
from tests.harness.processes import children_of, state_of
from tests.harness.resp import Client

__all__ = [
    "Server",
    "check_log",
    "is_alive",
    "running",
    "wait_until",
    "with_own_shm",
]

POLL_S = 0.01
LONG_POLL_S = 1.0
ROOT = Path(__file__).parent.parent.parent
# ILL, ABRT, BUS, FPE, SEGV: tests send others.
CRASH = re.compile(r".* by signal (?:4|6|7|8|11)\b.*")


def is_alive(pid: int) -> bool:
    """Whether the process runs: one that has ended may be there until somebody asks how."""
    try:
        return state_of(pid) != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Polls until the condition holds. Raises: AssertionError after the deadline.

    Time in which all processes of the test were stopped by somebody does not count.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        before = time.monotonic()
        assert before < deadline, "the condition did not become true in time"
        time.sleep(POLL_S)
        deadline += max(0.0, time.monotonic() - before - LONG_POLL_S)


def check_log(log: str) -> None:
    """No worker may have crashed; it is brought back, so what clients see need not tell.

    In a test the log is printed, which pytest shows if the test has failed.
    """
    if "PYTEST_CURRENT_TEST" in os.environ:
        print(log)
    crashes = CRASH.findall(log)
    assert not crashes, crashes


def with_own_shm(size: int, argv: list[str]) -> list[str]:
    """The command in a mount namespace where /dev/shm has this size and is empty."""
    mount = f'mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mount, "sh", *argv]


class Server:
    """A server process with its log and its shared memory.

    `shm_bytes`: it has a /dev/shm of its own of this size, in a mount namespace of its own.
    """

    def __init__(
        self,
        *options: str,
        config: Path | None = None,
        workers: int = 1,
        shm_bytes: int = 0,
    ) -> None:
        self.port = free_port()
        self.shm_name = f"shmredis-test-{os.getpid()}-{self.port}"
        self.dir = Path(tempfile.mkdtemp(prefix="shmredis-"))
        self.logfile = self.dir / "log"
        self._log: BinaryIO | None = None
        self._shm_bytes = shm_bytes
        self.launch(*options, config=config, workers=workers)

    def launch(self, *options: str, config: Path | None = None, workers: int = 1) -> None:
        """Starts the process: the first, or another in the same place when that has ended."""
        argv = [sys.executable, "-m", "shmredis.front.main", *([str(config)] if config else [])]
        argv += ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.dir)]
        argv += ["--shm-name", self.shm_name, "--enable-debug-command", "yes"]
        argv += ["--warm-restart", "no"] if config else ["--save", ""]  # nothing shall stay
        argv += [*(["--workers", str(workers)] if workers > 1 else []), *options]
        if self._shm_bytes:
            argv = with_own_shm(self._shm_bytes, argv)
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        if self._log:
            self._log.close()
            check_log(self.log())
        self.logfile.write_bytes(b"")
        self._log = self.logfile.open("ab")  # those of the server before may still write to it
        self.process = subprocess.Popen(
            argv, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL, env=environment
        )

    def wait_ready(self) -> None:
        wait_until(lambda: self.answers() or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.log()

    def answers(self) -> bool:
        """Whether it replies to PING, if only that a password is missing."""
        try:
            with self.client() as client:
                return client.call("PING").startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def client(self, resp: int = 2, timeout: float = 20) -> Client:
        return Client(self.port, resp, timeout)

    def log(self) -> str:
        return self.logfile.read_text()

    def children(self) -> list[int]:
        """Process ids of the workers."""
        return children_of(self.process.pid)

    def shm_objects(self) -> list[Path]:
        return list(Path("/dev/shm").glob(f"{self.shm_name}*"))

    def arenas(self) -> list[Path]:
        """The objects with data, one for each worker."""
        return [path for path in self.shm_objects() if path.suffix[1:].isdigit()]

    def stop(self) -> int:
        """Ends it in order; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(60)
        if self._log:
            self._log.close()
        return status

    def check_clean(self) -> None:
        """Nothing may be left of it."""
        left = self.shm_objects()
        for path in left:
            path.unlink(missing_ok=True)
        check_log(self.log())
        assert not left, left
        shutil.rmtree(self.dir)


@contextlib.contextmanager
def running(
    *options: str,
    config: Path | None = None,
    workers: int = 1,
    status: int = 0,
    shm_bytes: int = 0,
) -> Iterator[Server]:
    """A server that is ready; stopped and checked for leftovers and its exit status at the end."""
    server = Server(*options, config=config, workers=workers, shm_bytes=shm_bytes)
    try:
        server.wait_ready()
        yield server
        assert server.stop() == status, server.log()
    finally:
        server.stop()
        server.check_clean()
