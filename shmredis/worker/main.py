"""The life of a worker process, from the fork to its end."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import uvloop
import xxhash

from shmredis._core import ffi, lib
from shmredis.commands.context import ServerFacts
from shmredis.commands.everywhere import answer_others
from shmredis.engine import Engine
from shmredis.front.channel import Kind, read_batch, receive_with_sockets
from shmredis.front.shm import object_base, object_name, remove_object
from shmredis.front.worker_process import Plan
from shmredis.worker.cron import engine_cron, mind_clients
from shmredis.worker.links import Links
from shmredis.worker.post import Post
from shmredis.worker.server import Server
from shmredis.worker.socket_connection import SocketConnection, Sockets
from shmredis.worker.tls import make_context
from shmredis.worker.tls_connection import TlsConnection

__all__ = ["run_worker"]

log = logging.getLogger(__name__)

FAREWELL_S = 0.2  # for the last replies to leave


class StartError(Exception):
    """The worker cannot serve; the text is for the user."""


@ffi.def_extern()  # type: ignore[untyped-decorator]
def python_xxh3(p: Any, n: int) -> int:
    """XXH3 of n bytes at p, for DIGEST and its like."""
    return xxhash.xxh3_64_intdigest(ffi.buffer(p, n))


def run_worker(plan: Plan, index: int, channel: socket.socket, shm_fd: int) -> int:
    """Serves until the front says so or is gone. The exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        engine = _make_engine(plan, index, shm_fd)
        tls = make_context(plan.config)
    except StartError as error:
        channel.send(b"F" + str(error).encode())
        return 1
    except (OSError, ValueError) as error:
        channel.send(b"F" + f"Failed to configure TLS: {error}".encode())
        return 1
    gc.freeze()  # what was there before the fork stays shared
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        orderly = runner.run(_serve(plan, index, engine, channel, tls))
    lib.engine_delete(engine.handle)
    if not orderly:
        _remove_shared_memory(plan, index)
    return 0


def _remove_shared_memory(plan: Plan, index: int) -> None:
    """The front is gone and cannot."""
    remove_object(object_name(plan.base_name, index))
    if plan.control:
        remove_object(plan.control.name)


def _make_engine(plan: Plan, index: int, shm_fd: int) -> Engine:
    """The engine. Raises: StartError."""
    status = ffi.new("int *")
    name, arena_max = object_name(plan.base_name, index), plan.config["arena-max"]
    databases = plan.config["databases"]
    handle = lib.engine_new(shm_fd, name.encode(), arena_max, _seed(), databases, status)
    if not handle:
        raise StartError(
            f"Shared memory {name} cannot be used ({_why(status[0])}). The arena may grow to "
            f"{arena_max} bytes and needs 2 MiB to start. Make /dev/shm larger: docker run "
            "--shm-size=4g, or mount -o remount,size=4g /dev/shm"
        )
    lib.engine_set_digest(handle, lib.python_xxh3)
    if control := plan.control:
        base = object_base(plan.base_name).encode()
        if joined := lib.engine_join(handle, control.fd, index, control.wake_fds, base):
            raise StartError(f"Worker {index} cannot join the others ({_why(joined)})")
    return Engine(handle)


def _why(status: int) -> str:
    return str(ffi.string(lib.core_status_text(status)).decode().removeprefix("ERR "))


def _seed() -> bytes:
    with open("/dev/urandom", "rb", buffering=0) as source:  # noqa: PTH123
        return source.read(16)


async def _serve(
    plan: Plan, index: int, engine: Engine, channel: socket.socket, tls: ssl.SSLContext | None
) -> bool:
    """Runs all tasks of the worker; False if it ended because the front is gone."""
    facts = ServerFacts(
        run_id=plan.identity.run_id,
        replication_id=plan.identity.replication_id,
        executable=str(Path(sys.argv[0]).resolve()),
        started_s=plan.identity.started_s,
        pid=os.getppid(),
    )
    facts.startup_memory = engine.memory().used
    channel.setblocking(False)
    control = plan.control
    post = Post(engine, index, control.workers) if control else None
    server = Server(engine, plan.config, facts, channel, post)
    links = Links(server, post, control.wake_fds[index]) if control and post else None
    if post:
        answer_others(server, post)
        server.join_snapshots(post)
    sockets = Sockets(server)
    reception = Reception(server, channel, tls, post)
    loop = asyncio.get_running_loop()
    loop.add_reader(channel.fileno(), reception.hear)
    tasks = [
        loop.create_task(engine_cron(server), name="engine cron"),
        loop.create_task(mind_clients(server), name="mind clients"),
    ]
    if server.snapshots.leads:
        tasks.append(loop.create_task(server.desk.follow_rules(), name="save rules"))
    channel.send(b"R")
    await server.stopped.wait()
    loop.remove_reader(channel.fileno())
    if links:
        links.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    server.close_clients()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_S):
            while server.clients:
                await asyncio.sleep(0.005)
    sockets.close()
    server.snapshots.forks.kill_and_thaw()
    return reception.orderly


class Reception:
    """Takes what the front sends: connections, news of other workers, and the word to stop."""

    def __init__(
        self,
        server: Server,
        channel: socket.socket,
        tls: ssl.SSLContext | None,
        post: Post | None,
    ) -> None:
        self._server = server
        self._channel = channel
        self._tls = tls
        self._post = post
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
            self._obey(message, sockets)

    def _obey(self, message: bytes, sockets: list[socket.socket]) -> None:
        match message[:1]:
            case b"C":
                first_id, kinds = read_batch(message)
                for i, (kind, sock) in enumerate(zip(kinds, sockets, strict=True)):
                    self._welcome(kind, sock, first_id + i)
            case b"V":
                self._restore(message[1:], sockets[0])
            case b"D" if self._post:
                self._post.gone(int(message[1:]))
            case b"J":
                self._server.facts.rejected_connections += int(message[1:])

    def _welcome(self, kind: Kind, sock: socket.socket, number: int) -> None:
        if kind is Kind.TLS:
            sock.setblocking(False)
            self._server.spawn(self._shake_hands(sock, number), f"accept {number}")
            return
        try:
            SocketConnection(self._server, kind, number, sock)
        except OSError as error:
            self._refuse(sock, error)

    async def _shake_hands(self, sock: socket.socket, number: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: TlsConnection(self._server, number), sock, ssl=self._tls
            )
        except (OSError, ssl.SSLError) as error:
            self._refuse(sock, error)
            self._server.count_closed()

    def _restore(self, state: bytes, sock: socket.socket) -> None:
        """A connection of another worker moves here."""
        try:
            SocketConnection.restore(self._server, state, sock)
        except OSError as error:
            self._refuse(sock, error)

    def _refuse(self, sock: socket.socket, error: OSError) -> None:
        log.debug("Error accepting a client connection: %s", error)
        sock.close()
