"""What a worker's connections and commands share: engine, configuration, clients, facts."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from shmredis._core import ffi, lib
from shmredis.acl.denials import Denials
from shmredis.acl.errors import UsersBusy
from shmredis.acl.journal import UserJournal
from shmredis.acl.log import AclLog
from shmredis.acl.table import Users
from shmredis.acl.users_file import first_users
from shmredis.commands.context import ServerFacts, ShutdownMode, Workers
from shmredis.commands.info_loading import LoadFigures
from shmredis.commands.inside import Inside
from shmredis.commands.modules import answer_module_changes
from shmredis.commands.registry import CommandTable
from shmredis.commands.resp import CommandError
from shmredis.config import Config, ConfigError
from shmredis.config.declared_modules import ModuleLine
from shmredis.config.table import MAXMEMORY_POLICIES, OPTIONS
from shmredis.config.turn import SettingsTurn
from shmredis.config.types import Enumeration
from shmredis.engine import Engine
from shmredis.filelimit import allow_clients
from shmredis.front.channel import send_state
from shmredis.log import LEVELS, set_level
from shmredis.module.loaded import Entry, Modules
from shmredis.persistence.aof_folder import own_folder
from shmredis.persistence.aof_log import AppendLog
from shmredis.persistence.backup import Backups
from shmredis.persistence.desk import Desk
from shmredis.persistence.snapshot import Snapshots
from shmredis.scripting import Scripting
from shmredis.scripting.store import ScriptStore
from shmredis.worker.closing import Closing
from shmredis.worker.connection import Connection
from shmredis.worker.loader import Loader
from shmredis.worker.post import Post
from shmredis.worker.sources import load_now

__all__ = ["Server"]

log = logging.getLogger(__name__)

_session_id, _outcome = ffi.new("uint64_t *"), ffi.new("int *")

TOO_MANY_CLIENTS = (
    "The operating system is not able to handle the specified number of clients, try with %d"
)
RETRY_S = 0.01  # until the front is told once more


def _need_files(clients: int) -> None:
    """Raises: ConfigError."""
    if (most := allow_clients(clients)) < clients:
        raise ConfigError(TOO_MANY_CLIENTS % most)


class Server:
    """Implements commands.context.Server. Built once per worker process."""

    def __init__(
        self,
        engine: Engine,
        config: Config,
        facts: ServerFacts,
        channel: socket.socket,
        workers: Workers | None,
        journal: UserJournal,
        settings_turn: SettingsTurn,
        scripts: ScriptStore | None = None,
    ) -> None:
        """`begin` has to follow."""
        self.engine = engine
        self.config = config
        self.facts = facts
        self.workers = workers
        self.settings_turn = settings_turn
        self.clients: dict[int, Connection] = {}
        self.waiting: set[Connection] = set()
        self.stopped = asyncio.Event()
        self.cron_paused = False
        self._has_users = False
        self._channel = channel
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = 0
        self._asking = asyncio.Lock()
        self._answer: asyncio.Future[str] | None = None
        self._resume: asyncio.TimerHandle | None = None
        self.end_turn: Callable[[], None] = self._end_turn_alone
        self.attend: Callable[[int], None] = lambda _found: self.attend_sessions()
        self.snapshots = Snapshots(engine, config, workers, self.spawn, facts.started_s)
        self.desk = Desk(self.snapshots, workers)
        self.loader: Loader | None = None
        self.closing = Closing(self, channel, self._save_all, self._stop_saving)
        self.append_log = AppendLog(
            engine,
            config,
            own_folder(config, workers.index if workers else 0, workers.count if workers else 1),
            self.snapshots.forks,
            self.snapshots.part,
            self.spawn,
            self._turn_changed,
            one_of_several=workers is not None,
        )
        forks = self.snapshots.forks
        self.backups = Backups(engine, config, self.append_log, forks, workers, self.spawn)
        self.append_log.state.news = self._tell_wants_base
        self._follow_config()
        self.commands = CommandTable(engine)
        for name, fresh in config.renames.names.items():
            engine.rename_command(name, fresh)
        self.inside = Inside(self, self.commands)
        self.scripting = Scripting(self.log, self)
        if scripts is not None:
            self.scripting.share(scripts)
        self.snapshots.libraries = self.scripting.libraries.sources
        self.hear_front: Callable[[], None] = lambda: None
        self.serve_encrypted: Callable[[int], None] = lambda _leave_out: None
        self.append_log.rewriter.libraries = self.scripting.libraries.sources
        self.modules = Modules(self.commands, self._commands_changed)
        self._journal = journal

    def begin(self, modules: Sequence[ModuleLine | Entry], *, strict: bool) -> None:
        """Loads the modules, then knows the users, who may use what they bring.

        `strict`: the server starts. Raises: ModuleError, AclError.
        """
        self.modules.begin(modules, strict=strict)
        answer_module_changes(self)
        self._follow_users(self._journal)
        self._has_users = True

    def _commands_changed(self) -> None:
        if self._has_users:
            self.users.recompile()

    # --- configuration ---

    def _follow_config(self) -> None:
        for option in OPTIONS.values():
            if option.core:
                self._follow_core(option.name, option.core)
        follow = self.config.follow
        follow("loglevel", set_level)
        self.config.watch("maxclients", _need_files)
        follow("client-output-buffer-limit", self._set_output_limits)
        follow("appendonly", self.append_log.switch)
        self.config.watch("dir", lambda _: self.append_log.move())
        for name in ("save", "stop-writes-on-bgsave-error"):
            follow(name, lambda _value: self.snapshots.apply_refusal())

    def _follow_core(self, name: str, field: str) -> None:
        kind = OPTIONS[name].type
        words = kind.choices if isinstance(kind, Enumeration) else ()
        if field == "maxmemory_policy":
            words = MAXMEMORY_POLICIES

        def apply(value: Any) -> None:
            number = words.index(value) if isinstance(value, str) else int(value)
            self.engine.set_option(field, number)

        self.config.follow(name, apply)

    def _set_output_limits(self, limits: Any) -> None:
        self.output_limits = limits

    # --- users ---

    def _follow_users(self, journal: UserJournal) -> None:
        config, workers = self.config, self.workers
        self.users = users = Users(
            self.engine,
            journal,
            clients=self.clients.values,
            open_channels=lambda: config.text("acl-pubsub-default") == "allchannels",
        )
        path, password, lines = config["aclfile"], config["requirepass"], config.users.lines
        users.begin(lambda: first_users(path, lines, password, users))
        self._follow_password()
        log = AclLog(
            lambda: int(config["acllog-max-len"]),
            workers.index if workers else 0,
            workers.count if workers else 1,
        )
        self.denials = Denials(self.engine, log, self.clients.get)

    def _follow_password(self) -> None:
        begun = False

        def apply(password: str) -> None:
            try:
                if begun:  # else it is what the users were made with
                    self.users.require_password(password)
            except UsersBusy as error:
                raise ValueError(str(error)) from None

        self.config.follow("requirepass", apply)
        begun = True

    # --- connections ---

    def _turn_changed(self) -> None:
        self.end_turn()

    def _end_turn_alone(self) -> None:
        """When the event loop has served all that is ready, the core logs and sends. Links replaces this."""
        asyncio.get_running_loop().call_soon(self._drain_alone)

    def _drain_alone(self) -> None:
        self.attend(lib.engine_drain(self.engine.handle, False))

    def attend_sessions(self) -> None:
        """Does what the core has left to be done for sessions."""
        while lib.engine_next_ready(self.engine.handle, _session_id, _outcome):
            if client := self.clients.get(_session_id[0]):
                client.attend(_outcome[0])

    def forget(self, connection: Connection) -> None:
        """A connection is closed."""
        self.waiting.discard(connection)
        self.count_closed()

    def send_away(self, worker: int, state: bytes, sock: socket.socket) -> None:
        """Has the front pass a connection on to another worker. Raises: OSError."""
        send_state(self._channel, b"M%d:" % worker, state, sock)

    def count_closed(self) -> None:
        """The front hears of one connection less."""
        if not self._closed:
            asyncio.get_running_loop().call_soon(self._tell_closed)
        self._closed += 1

    def _tell_closed(self) -> None:
        closed, self._closed = self._closed, 0
        try:
            self._channel.send(b"X%d" % closed)
        except BlockingIOError:  # the front is slow to listen
            self._closed += closed
            asyncio.get_running_loop().call_later(RETRY_S, self._tell_closed)
        except OSError:
            self.stopped.set()  # the front is gone

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Runs a task that ends before the worker does."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def close_clients(self) -> None:
        """Ends all connections, what is queued for them sent if it can be."""
        for task in list(self._tasks):
            task.cancel()
        for connection in list(self.clients.values()):
            connection.flush_and_close()

    def join_snapshots(self, post: Post) -> None:
        """Takes part in the snapshots of all workers."""
        post.handle("snapshot", self.desk.answer)
        post.handle("backup", self.backups.answer)
        post.instant = self._pass_instant
        post.lost = self.backups.lost

    def _pass_instant(self, number: int, passed: bool) -> None:
        self.snapshots.pass_instant(number, passed)
        self.backups.pass_instant(number, passed)

    # --- scripting.busy.Host ---

    @property
    def busy_threshold_ms(self) -> int:
        return int(self.config["busy-reply-threshold"])

    def serve_while_busy(self) -> None:
        """In the middle of a script that runs for long: new connections come in, sockets are served."""
        self.hear_front()
        if self.stopped.is_set():
            self.scripting.watch.stop()
        self.serve_encrypted(lib.engine_busy_client(self.engine.handle))
        if lib.engine_busy_poll(self.engine.handle):
            self.attend_sessions()

    # --- commands.context.Server ---

    def pause(self, until_ms: int, writes_only: bool) -> None:
        until_ms = lib.engine_pause(self.engine.handle, until_ms, writes_only)
        if self._resume:
            self._resume.cancel()
        delay_s = max(0.0, until_ms / 1000 - time.time())
        loop = asyncio.get_running_loop()
        self._resume = loop.call_later(delay_s + 0.001, self._end_pause)

    def _end_pause(self) -> None:
        self._resume = None
        self.resume_waiting()

    def resume_waiting(self) -> None:
        """Connections that had to wait try again."""
        waiting, self.waiting = self.waiting, set()
        for connection in waiting:
            connection.go_on()

    async def restart(self, delay_ms: int, *, crash: bool) -> None:
        await self.closing.restart(delay_ms, crash=crash)

    def load_again(self, *, merge: bool) -> bool:
        return load_now(self, merge=merge)

    def load_figures(self) -> LoadFigures:
        return self.loader.figures if self.loader else LoadFigures()

    async def shutdown(self, mode: ShutdownMode, *, now: bool, force: bool) -> None:
        await self.closing.request(mode, now=now, force=force)

    async def abort_shutdown(self) -> bool:
        return await self.closing.abort()

    async def _save_all(self) -> None:
        """Writes an RDB file of all workers' data, before the end. Raises: SaveFailed."""
        if run := self.snapshots.run:
            log.warning("There is a child saving an .rdb. Killing it!")
            self.snapshots.kill()
            await run.finished.wait()
        await self.desk.save_in_child()

    async def _stop_saving(self) -> None:
        with contextlib.suppress(CommandError):
            await self.desk.stop_saving()

    async def tell_settings(self, pairs: list[tuple[str, str]]) -> None:
        """The front learns of changed directives: it needs some, and workers to come need all.

        When this returns, the front knows of them before it judges a connection that comes later.
        """
        message = b"G" + json.dumps(pairs).encode()
        while not self._tell_front(message):
            await asyncio.sleep(RETRY_S)

    async def listen(self) -> str:
        """The front listens where the directives say now; what went wrong, or nothing."""
        return await self._ask_front(b"B")

    async def lock_log(self, home: Path) -> str:
        """The front locks the folder of a log that is about to be written; why it cannot, or nothing."""
        return await self._ask_front(b"Y" + os.fsencode(home))

    async def _ask_front(self, question: bytes) -> str:
        async with self._asking:
            self._answer = asyncio.get_running_loop().create_future()
            while not self._tell_front(question):
                await asyncio.sleep(RETRY_S)
            return await self._answer

    def hear_why_not(self, why: str) -> None:
        """The front has done what it was asked for, or not."""
        if self._answer and not self._answer.done():
            self._answer.set_result(why)

    def tell_modules(self, modules: bytes) -> None:
        if not self._tell_front(b"E" + modules):
            asyncio.get_running_loop().call_later(RETRY_S, self.tell_modules, modules)

    def _tell_wants_base(self) -> None:
        if not self._tell_front(b"W%d" % self.append_log.wants_base):
            asyncio.get_running_loop().call_later(RETRY_S, self._tell_wants_base)

    def _tell_front(self, message: bytes) -> bool:
        """False: it is slow to listen."""
        try:
            self._channel.send(message)
        except BlockingIOError:
            return False
        except OSError:
            self.stopped.set()  # the front is gone
        return True

    def log(self, level: str, text: str) -> None:
        log.log(LEVELS.get(level, logging.INFO), "%s", text)
