"""The life of a worker process, from the fork to its end."""

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
import xxhash

from shmredis._core import ffi, lib
from shmredis.commands.context import ServerFacts
from shmredis.config import Config
from shmredis.engine import Engine
from shmredis.front.channel import Kind, receive_with_sockets
from shmredis.front.shm import remove_object
from shmredis.worker.connection import Connection
from shmredis.worker.cron import engine_cron, mind_clients
from shmredis.worker.server import Server
from shmredis.worker.tls import make_context

__all__ = ["run_worker"]

log = logging.getLogger(__name__)

FAREWELL_S = 0.2  # for the last replies to leave


@ffi.def_extern()  # type: ignore[untyped-decorator]
def python_xxh3(p: Any, n: int) -> int:
    """XXH3 of n bytes at p, for DIGEST and its like."""
    return xxhash.xxh3_64_intdigest(ffi.buffer(p, n))


def run_worker(
    config: Config, channel: socket.socket, shm_fd: int, name: str, index: int, run_id: str
) -> int:
    """Serves until the front says so or is gone. The exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    engine = _make_engine(config, shm_fd, name)
    if isinstance(engine, str):
        channel.send(b"F" + engine.encode())
        return 1
    try:
        tls = make_context(config)
    except (OSError, ValueError) as error:
        channel.send(b"F" + f"Failed to configure TLS: {error}".encode())
        return 1
    gc.freeze()  # what was there before the fork stays shared
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        orderly = runner.run(_serve(engine, config, channel, tls, run_id))
    lib.engine_delete(engine.handle)
    if not orderly:
        remove_object(name)  # the front is gone and cannot
    return 0


def _make_engine(config: Config, shm_fd: int, name: str) -> Engine | str:
    """The engine, or what to tell the user."""
    status = ffi.new("int *")
    seed = _seed()
    arena_max = config["arena-max"]
    handle = lib.engine_new(shm_fd, name.encode(), arena_max, seed, config["databases"], status)
    if not handle:
        why = ffi.string(lib.core_status_text(status[0])).decode().removeprefix("ERR ")
        return (
            f"Shared memory {name} cannot be used ({why}). The arena may grow to {arena_max} bytes and needs "
            "2 MiB to start. Make /dev/shm larger: docker run --shm-size=4g, or "
            "mount -o remount,size=4g /dev/shm"
        )
    lib.engine_set_digest(handle, lib.python_xxh3)
    return Engine(handle)


def _seed() -> bytes:
    with open("/dev/urandom", "rb", buffering=0) as source:  # noqa: PTH123
        return source.read(16)


async def _serve(
    engine: Engine, config: Config, channel: socket.socket, tls: ssl.SSLContext | None, run_id: str
) -> bool:
    """Runs all tasks of the worker; False if it ended because the front is gone."""
    facts = ServerFacts(
        run_id=run_id,
        replication_id=secrets.token_hex(20),
        executable=str(Path(sys.argv[0]).resolve()),
        started_s=time.time(),
        pid=os.getppid(),
    )
    facts.startup_memory = engine.memory().used
    channel.setblocking(False)
    server = Server(engine, config, facts, channel)
    reception = Reception(server, channel, tls)
    loop = asyncio.get_running_loop()
    loop.add_reader(channel.fileno(), reception.hear)
    tasks = [
        loop.create_task(engine_cron(server), name="engine cron"),
        loop.create_task(mind_clients(server), name="mind clients"),
    ]
    channel.send(b"R")
    await server.stopped.wait()
    loop.remove_reader(channel.fileno())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    server.close_clients()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_S):
            while server.clients:
                await asyncio.sleep(0.005)
    return reception.orderly


class Reception:
    """Takes what the front sends: connections, and the word to stop."""

    def __init__(self, server: Server, channel: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._server = server
        self._channel = channel
        self._tls = tls
        self._next_id = 1
        self.orderly = False

    def hear(self) -> None:
        """Reads messages until there is none."""
        while True:
            try:
                message, sockets = receive_with_sockets(self._channel)
            except BlockingIOError:
                return
            except OSError:
                message, sockets = b"", []
            if not message or message == b"Q":
                self.orderly = message == b"Q"
                self._server.stopped.set()
                return
            for kind, sock in zip(message[1:], sockets, strict=True):
                self._welcome(Kind(bytes([kind])), sock)

    def _welcome(self, kind: Kind, sock: socket.socket) -> None:
        number = self._next_id
        self._next_id += 1
        sock.setblocking(False)
        self._server.spawn(self._connect(kind, sock, number), f"accept {number}")

    async def _connect(self, kind: Kind, sock: socket.socket, number: int) -> None:
        loop = asyncio.get_running_loop()
        context = self._tls if kind is Kind.TLS else None
        try:
            await loop.connect_accepted_socket(
                lambda: Connection(self._server, kind, number), sock, ssl=context
            )
        except (OSError, ssl.SSLError) as error:
            log.debug("Error accepting a client connection: %s", error)
            sock.close()
            self._server.count_closed()
