"""Real servers to compare with.

SHMREDIS_PEERS names their binaries, separated by colons; without it the tests that need them are skipped.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.harness.ports import free_port
from tests.harness.resp import Client, parse
from tests.harness.server import wait_until

__all__ = ["PEERS", "Peer", "is_old", "running"]

PEERS = [path for path in os.environ.get("SHMREDIS_PEERS", "").split(":") if path]


@cache
def is_old(binary: str) -> bool:
    """Before Redis 7: no folders of logs, and DEBUG for everybody."""
    text = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    return "v=6." in text


class Peer:
    """A real server on a folder of its own."""

    def __init__(self, binary: str, folder: Path, **more: str) -> None:
        self.port = free_port()
        options = {"port": self.port, "bind": "127.0.0.1", "dir": folder, "save": ""}
        options |= {"dbfilename": "dump.rdb"} | more
        if not is_old(binary):
            options |= {"enable-debug-command": "yes"}
        argv = [binary, *(word for name, value in options.items() for word in (f"--{name}", value))]
        self.process = subprocess.Popen([str(word) for word in argv], stdout=subprocess.DEVNULL)
        wait_until(self._answers, 20)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "it did not start"
        with contextlib.suppress(OSError):
            return bool(self.call("PING") == "PONG")
        return False

    def call(self, *words: bytes | str | int) -> Any:
        with Client(self.port, 3) as client:
            return parse(client.call(*words))

    @property
    def is_valkey(self) -> bool:
        return b"valkey_version" in self.call("INFO", "server")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@contextlib.contextmanager
def running(binary: str, folder: Path, **more: str) -> Iterator[Peer]:
    """`more`: further directives."""
    peer = Peer(binary, folder, **more)
    try:
        yield peer
    finally:
        peer.stop()
