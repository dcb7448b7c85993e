"""The servers to compare: which there are, starting them on a free port, stopping them."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import shmredis
from shmredis.benchmark.connection import Connection, ReplyError
from shmredis.benchmark.measurement import OURS

__all__ = [
    "Server",
    "StartError",
    "Target",
    "all_running",
    "find_targets",
    "free_port",
    "nothing_stays",
    "running",
    "running_in",
]

START_SECONDS = 30.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.01
DEFAULT_PEERS = ("redis-server", "valkey-server")
OPTIONS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxclients", "20000")


class StartError(Exception):
    """A server did not start; the text says why, with its output."""


@dataclass(slots=True, frozen=True)
class Target:
    """A server that can be started: its name in the report and its command."""

    name: str
    argv: tuple[str, ...]
    ours: bool = False


@dataclass(slots=True, frozen=True)
class Server:
    """A server that runs; `pid` is its first process."""

    target: Target
    port: int
    pid: int

    @property
    def name(self) -> str:
        return self.target.name

    def connect(self) -> Connection:
        return Connection(self.port)

    def version(self) -> str:
        """What it calls itself: name and version."""
        if self.target.ours:
            return f"{OURS} {shmredis.__version__}"
        with self.connect() as connection:
            info = connection.info("server")
        for name in ("valkey", "redis"):
            if f"{name}_version" in info:
                return f"{name} {info[f'{name}_version']}"
        return "unknown"


def find_targets(peers: Sequence[str], options: Sequence[str] = ()) -> list[Target]:
    """shmredis, then the peers given as NAME=PATH; without any, those that are on PATH.

    `options` are directives for shmredis. Raises: ValueError with a text for the user.
    """
    words = [word for directive in options for word in f"--{directive}".split()]
    program = (sys.executable, "-m", "shmredis.front.main", *words)
    ours = Target(OURS, program, ours=True)
    if peers:
        found = [parse_peer(text) for text in peers]
    else:
        paths = [(name, shutil.which(name)) for name in DEFAULT_PEERS]
        found = [Target(name.removesuffix("-server"), (path,)) for name, path in paths if path]
    names = [target.name for target in (ours, *found)]
    if len(set(names)) != len(names):
        raise ValueError(f"two servers have the same name: {', '.join(names)}")
    return [ours, *found]


def parse_peer(text: str) -> Target:
    """NAME=PATH. Raises: ValueError with a text for the user."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise ValueError(f"--peer wants NAME=PATH, not '{text}'")
    program = shutil.which(Path(path).expanduser())
    if program is None:
        raise ValueError(f"--peer {name}: no program at '{path}'")
    return Target(name, (str(Path(program).resolve()),))


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(target: Target, *options: str) -> Iterator[Server]:
    """The server, ready and empty, without persistence unless `options` say so; stopped at the end.

    Raises: StartError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="shmredis-benchmark-") as folder,
        running_in(folder, target, *options, *nothing_stays(target)) as server,
    ):
        yield server


def nothing_stays(target: Target) -> tuple[str, ...]:
    """Options with which its shared memory goes with it."""
    return ("--warm-restart", "no") if target.ours else ()


@contextlib.contextmanager
def running_in(
    folder: str, target: Target, *options: str, port: int = 0, seconds: float = START_SECONDS
) -> Iterator[Server]:
    """The same in a folder that stays, so that a later server finds what this one left.

    `seconds`: how long its start may take. Raises: StartError.
    """
    port = port or free_port()
    with (Path(folder) / "output").open("w+b") as output:
        process = launch(target, port, folder, output.fileno(), options)
        try:
            wait_ready(target, process, port, Path(output.name), seconds)
            yield Server(target, port, process.pid)
        finally:
            stop(process)


@contextlib.contextmanager
def all_running(targets: Sequence[Target], *options: str) -> Iterator[list[Server]]:
    """All servers at once, in the order given."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(running(target, *options)) for target in targets]


def launch(
    target: Target, port: int, folder: str, output: int, options: Sequence[str]
) -> subprocess.Popen[bytes]:
    """Starts the process, in a folder of its own; shmredis also under a name of its own."""
    own = ("--shm-name", f"shmredis-benchmark-{os.getpid()}-{port}") if target.ours else ()
    package = str(Path(shmredis.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [*target.argv, "--port", str(port), "--dir", folder, *OPTIONS, *options, *own],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
    )


def wait_ready(
    target: Target, process: subprocess.Popen[bytes], port: int, output: Path, seconds: float
) -> None:
    """Returns when it answers PING, not loading any more. Raises: StartError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ReplyError), Connection(port, 5) as connection:
            connection.call(b"PING")
            return
        time.sleep(POLL_SECONDS)
    text = output.read_text(errors="replace")[-1000:]
    raise StartError(f"{target.name} did not start ({' '.join(target.argv)}):\n{text}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process, in order if it does."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
