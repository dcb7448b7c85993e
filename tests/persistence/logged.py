"""A server with an append-only file that can be killed and started again over its folder."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.harness.ports import free_port
from tests.harness.processes import children_of
from tests.harness.resp import Client, encode
from tests.harness.server import ROOT, check_log, is_alive, wait_until

__all__ = ["LoggedServer", "logged_server", "stream"]


def stream(*commands: str) -> bytes:
    """Commands as the log has them."""
    return b"".join(encode(*command.split()) for command in commands)


class LoggedServer:
    """Starts cold: shared memory does not outlive a life, so that files are what counts."""

    def __init__(self, folder: Path) -> None:
        self.dir = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.lives = 0
        self.shm_name = f"shmredis-aof-{os.getpid()}-{self.port}"

    @property
    def log(self) -> str:
        return (self.dir / f"log.{self.lives}").read_text()

    def launch(self, *options: str, workers: int = 1, faults: str = "") -> None:
        """Without waiting for anything."""
        self.lives += 1
        argv = [sys.executable, "-m", "shmredis.front.main", "--port", str(self.port)]
        argv += ["--bind", "127.0.0.1", "--dir", str(self.dir), "--shm-name", self.shm_name]
        argv += ["--save", "", "--appendonly", "yes", "--warm-restart", "no", "--discard-shm"]
        argv += ["--enable-debug-command", "yes", "--workers", str(workers), *options]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "SHMREDIS_FAULTS": faults}
        with (self.dir / f"log.{self.lives}").open("wb") as out:
            self.process = subprocess.Popen(
                argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment
            )

    def start(self, *options: str, workers: int = 1, faults: str = "") -> None:
        self.launch(*options, workers=workers, faults=faults)
        wait_until(lambda: self.answers() or not self.runs, 30)
        assert self.runs, self.log

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def answers(self) -> bool:
        with contextlib.suppress(OSError), self.client() as client:
            return client.call("PING").startswith(b"+PONG")
        return False

    def client(self) -> Client:
        return Client(self.port, 2, 20)

    def call(self, *words: object) -> bytes:
        with self.client() as client:
            return client.call(*words)

    def workers(self) -> list[int]:
        """Process ids."""
        assert self.process
        return children_of(self.process.pid)

    def kill(self) -> None:
        """All processes at once; nothing is written any more."""
        assert self.process
        pids = self.workers() if self.runs else []
        for pid in [self.process.pid, *pids]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(is_alive(pid) for pid in pids))

    def stop(self) -> int:
        assert self.process
        if self.runs:
            self.process.terminate()
        return self.process.wait(20)

    def fails_to_start(self, *options: str, workers: int = 1) -> str:
        """What the log says; the exit status is 1."""
        self.launch(*options, workers=workers)
        assert self.process
        assert self.process.wait(20) == 1
        return self.log

    def files(self, worker: int | None = None) -> Path:
        """The folder of the log."""
        whole = self.dir / "appendonlydir"
        return whole if worker is None else whole / f"worker-{worker}"

    def info(self, field: str) -> str:
        for line in self.call("INFO", "persistence").decode().splitlines():
            if line.startswith(f"{field}:"):
                return line.partition(":")[2]
        raise KeyError(field)

    def digest(self) -> bytes:
        return self.call("DEBUG", "DIGEST")

    def rewrite(self) -> None:
        """BGREWRITEAOF to its end."""
        before = int(self.info("aof_rewrites"))
        self.call("BGREWRITEAOF")
        wait_until(lambda: int(self.info("aof_rewrites")) > before)
        wait_until(lambda: self.info("aof_rewrite_in_progress") == "0")

    def close(self) -> None:
        if self.runs:
            self.kill()
        for path in Path("/dev/shm").glob(f"{self.shm_name}*"):
            path.unlink()
        for log in sorted(self.dir.glob("log.*")):
            check_log(log.read_text())


@contextlib.contextmanager
def logged_server() -> Iterator[LoggedServer]:
    folder = Path(tempfile.mkdtemp(prefix="shmredis-aof-"))
    server = LoggedServer(folder)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(folder)
