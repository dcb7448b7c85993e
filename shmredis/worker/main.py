"""The life of a worker process, from the fork to its end."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from enum import Enum, auto
from pathlib import Path
from typing import Any

import uvloop
import xxhash

from shmredis._core import ffi, lib
from shmredis.acl.errors import AclError
from shmredis.commands.context import ServerFacts
from shmredis.commands.everywhere import answer_others
from shmredis.engine import Engine
from shmredis.front.channel import MESSAGE_MAX, Kind, read_batch, receive_with_sockets
from shmredis.front.shm import object_name, remove_object, scripts_name
from shmredis.front.worker_process import Birth, Plan
from shmredis.log import VERBOSE
from shmredis.module.declaration import ModuleError
from shmredis.persistence.marks import note_files
from shmredis.scripting.store import ScriptStore
from shmredis.title import show_title
from shmredis.worker.cron import engine_cron, mind_clients
from shmredis.worker.links import Links
from shmredis.worker.post import Post
from shmredis.worker.recovery import Beginning, StartError, begin
from shmredis.worker.restore import Restoration
from shmredis.worker.scheduling import take_turns
from shmredis.worker.server import Server
from shmredis.worker.socket_connection import SocketConnection, Sockets
from shmredis.worker.tls import TlsSettings
from shmredis.worker.tls_connection import TlsSockets

__all__ = ["run_worker"]

log = logging.getLogger(__name__)

FAREWELL_S = 0.2  # for the last replies to leave


@ffi.def_extern()  # type: ignore[untyped-decorator]
def python_xxh3(p: Any, n: int) -> int:
    """XXH3 of n bytes at p, for DIGEST and its like."""
    return xxhash.xxh3_64_intdigest(ffi.buffer(p, n))


@ffi.def_extern()  # type: ignore[untyped-decorator]
def python_say(level: int, text: Any) -> None:
    """A line of the core for the log."""
    line = ffi.string(text).decode("utf-8", "replace")
    log.log(logging.WARNING if level == lib.SAY_WARNING else logging.INFO, "%s", line)


def run_worker(plan: Plan, index: int, channel: socket.socket, birth: Birth) -> int:
    """Serves until the front says so or is gone. The exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):  # of a terminal or systemd, meant for the front
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    show_title(plan.config, f"worker {index}")
    if plan.control:
        take_turns(plan.control.workers)
    try:
        beginning = begin(plan, index, birth)
        tls = TlsSettings(plan.config)
    except StartError as error:
        channel.send(b"F" + os.fsencode(str(error)))
        return 1
    except (OSError, ValueError) as error:
        channel.send(b"F" + os.fsencode(f"Failed to configure TLS: {error}"))
        return 1
    gc.freeze()  # what was there before the fork stays shared
    lib.engine_fork_ahead(beginning.engine.handle)  # before there is anybody to wait for it
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            ending = runner.run(_serve(plan, index, beginning, channel, tls))
    except (AclError, ModuleError) as error:
        channel.send(b"F" + str(error).encode("utf-8", "surrogateescape")[:MESSAGE_MAX])
        return 1
    _part_from_arena(plan, index, beginning, ending)
    return 0


class Ending(Enum):
    """What becomes of the arena when its worker ends."""

    LEAVE = auto()  # to the next server
    DISCARD = auto()  # the front does
    ALONE = auto()  # the front is gone and cannot do anything


def _part_from_arena(plan: Plan, index: int, beginning: Beginning, ending: Ending) -> None:
    """What is not sealed was still being loaded."""
    engine = beginning.engine
    in_order = ending is not Ending.ALONE or not plan.control  # the others may not have come so far
    if ending is Ending.ALONE:
        ending = Ending.LEAVE if plan.config["warm-restart"] else Ending.DISCARD
        if plan.control:
            remove_object(plan.control.name)
        if ending is Ending.DISCARD:
            remove_object(object_name(plan.base_name, index))
            remove_object(scripts_name(plan.base_name))
    if ending is Ending.LEAVE and engine.option("loading") != lib.LOADING_SELF:
        note_files(engine, plan.config, index, at_end=in_order)
        if in_order:
            lib.engine_seal(engine.handle)
    lib.engine_delete(engine.handle)


def _facts(plan: Plan, engine: Engine) -> ServerFacts:
    facts = ServerFacts(
        run_id=plan.identity.run_id,
        replication_id=plan.identity.replication_id,
        executable=str(Path(sys.argv[0]).resolve()),
        started_s=plan.identity.started_s,
        pid=os.getppid(),
    )
    facts.startup_memory = engine.memory().used
    return facts


def _begin_chores(server: Server) -> "list[asyncio.Task[None]]":
    """What runs beside the serving of clients."""
    loop = asyncio.get_running_loop()
    tasks = [
        loop.create_task(engine_cron(server), name="engine cron"),
        loop.create_task(mind_clients(server), name="mind clients"),
        loop.create_task(server.append_log.rewriter.watch(), name="append log"),
    ]
    if server.snapshots.leads:
        tasks.append(loop.create_task(server.desk.follow_rules(), name="save rules"))
    return tasks


async def _part_from_clients(server: Server) -> None:
    """They are sent what there is for them, unless that takes too long."""
    server.close_clients()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_S):
            while server.clients:
                await asyncio.sleep(0.005)


async def _serve(
    plan: Plan,
    index: int,
    beginning: Beginning,
    channel: socket.socket,
    tls: TlsSettings,
) -> Ending:
    """Runs all tasks of the worker."""
    engine = beginning.engine
    facts = _facts(plan, engine)
    channel.setblocking(False)
    control = plan.control
    post = Post(engine, index, control.workers) if control else None
    scripts = ScriptStore(plan.scripts_fd)
    server = Server(
        engine, plan.config, facts, channel, post, plan.users, plan.settings_turn, scripts
    )
    server.begin(plan.modules, strict=beginning.first)
    links = Links(server, post) if post else None
    if post:
        answer_others(server, post)
        server.join_snapshots(post)
    sockets = Sockets(server)
    encrypted = TlsSockets(server, tls)
    server.serve_encrypted = encrypted.serve
    reception = Reception(server, channel, encrypted, post)
    loop = asyncio.get_running_loop()
    loop.add_reader(channel.fileno(), reception.hear)
    server.hear_front = reception.hear
    chores = _begin_chores(server)
    Restoration(server, index, beginning, channel).begin()
    await server.stopped.wait()
    loop.remove_reader(channel.fileno())
    if links:
        links.close()
    for chore in chores:
        chore.cancel()
    await asyncio.gather(*chores, return_exceptions=True)
    await _part_from_clients(server)
    sockets.close()
    encrypted.close()
    server.snapshots.close()
    server.append_log.end()
    return reception.ending


class Reception:
    """Takes what the front sends: connections, news of other workers, and the word to stop."""

    def __init__(
        self,
        server: Server,
        channel: socket.socket,
        encrypted: TlsSockets,
        post: Post | None,
    ) -> None:
        self._server = server
        self._channel = channel
        self._encrypted = encrypted
        self._post = post
        self.ending = Ending.ALONE

    def hear(self) -> None:
        """Reads messages until there is none."""
        while True:
            try:
                message, sockets = receive_with_sockets(self._channel)
            except BlockingIOError:
                return
            except OSError:
                message, sockets = b"", []
            if not message or message[:1] == b"Q":
                if message:
                    self.ending = Ending.LEAVE if message == b"Q1" else Ending.DISCARD
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
            case b"O":
                self._server.engine.set_option("loading", lib.LOADING_NOT)
            case b"P" | b"U" | b"K" | b"N" | b"A" | b"Z":
                self._server.closing.obey(message)
            case b"B" | b"Y":
                self._server.hear_why_not(os.fsdecode(message[1:]))
            case b"J":
                self._server.facts.rejected_connections += int(message[1:])

    def _welcome(self, kind: Kind, sock: socket.socket, number: int) -> None:
        try:
            if kind is Kind.TLS:
                self._encrypted.accept(sock, number)
            else:
                connection = SocketConnection(self._server, kind, number, sock)
                log.log(VERBOSE, "Accepted %s", connection.addr)
        except (OSError, ValueError) as error:
            self._refuse(sock, error)
            if kind is Kind.TLS:
                self._server.count_closed()

    def _restore(self, state: bytes, sock: socket.socket) -> None:
        """A connection of another worker moves here."""
        try:
            SocketConnection.restore(self._server, state, sock)
        except OSError as error:
            self._refuse(sock, error)

    def _refuse(self, sock: socket.socket, error: Exception) -> None:
        log.debug("Error accepting a client connection: %s", error)
        sock.close()
