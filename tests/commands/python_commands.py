"""A worker in miniature: the real engine, sessions and command table, without sockets or processes.

Tests of commands written in Python send bytes to a `FakeClient` and compare the bytes that come
back.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from shmredis._core import ffi, lib
from shmredis.acl.denials import Denials
from shmredis.acl.journal import UserJournal
from shmredis.acl.log import AclLog
from shmredis.acl.table import Users
from shmredis.acl.user import User
from shmredis.commands.context import Context, ServerFacts, ShutdownMode
from shmredis.commands.info_loading import LoadFigures
from shmredis.commands.inside import Inside
from shmredis.commands.registry import CommandTable
from shmredis.config import Config
from shmredis.config.turn import SettingsTurn
from shmredis.engine import Engine
from shmredis.module.loaded import Modules
from shmredis.persistence.aof_folder import own_folder
from shmredis.persistence.aof_log import AppendLog
from shmredis.persistence.backup import Backups
from shmredis.persistence.desk import Desk
from shmredis.persistence.snapshot import Snapshots
from shmredis.scripting import Scripting

DEFAULTS = {
    "port": "6379",
    "tls-port": "0",
    "bind": "127.0.0.1 -::1",
    "unixsocket": "",
    "hz": "10",
    "maxclients": "10000",
    "requirepass": "",
    "maxmemory-policy": "noeviction",
    "repl-backlog-size": "1048576",
    "latency-tracking-info-percentiles": "50 99 99.9",
    "enable-debug-command": "yes",
    "aclfile": "",
}


class FakeConfig:
    """A dict of directives; only "hz" and the strings can be set."""

    def __init__(self) -> None:
        self.path: str | None = None
        self.values = dict(DEFAULTS)
        self._defaults = Config()
        self.rewrites = 0
        self.new_password: Callable[[str], None] = lambda _password: None

    def __getitem__(self, name: str) -> Any:
        """The default: nobody who asks so in these tests has it changed."""
        return self._defaults[name]

    def text(self, name: str) -> str:
        return self.values[name] if name in self.values else self._defaults.text(name)

    def get(self, pattern: str) -> dict[str, str]:
        return {name: value for name, value in self.values.items() if pattern in (name, "*")}

    def set(self, pairs: list[tuple[str, str]]) -> None:
        for name, _ in pairs:
            if name not in self.values:
                raise ValueError(f"Unknown option or number of arguments for CONFIG SET - '{name}'")
        self.values |= dict(pairs)
        if "requirepass" in dict(pairs):
            self.new_password(dict(pairs)["requirepass"])

    def rewrite(self, lines: Mapping[str, list[str]], *, everything: bool = False) -> None:
        if everything and self.path is None:
            raise FileNotFoundError("no file")
        assert lines["user"][0].startswith("user ")
        self.rewrites += 1


class FakeServer:
    """Implements shmredis.commands.context.Server."""

    def __init__(self, databases: int = 16) -> None:
        status = ffi.new("int *")
        fd = os.memfd_create("shmredis-test")
        handle = lib.engine_new(fd, b"test", 1 << 30, bytes(range(16)), databases, status)
        assert handle, lib.core_status_text(status[0])
        self.engine = Engine(handle)
        self.config = FakeConfig()
        self.settings_turn = SettingsTurn()
        self.facts = ServerFacts(
            run_id="a" * 40, replication_id="b" * 40, executable="/bin/s", started_s=time.time()
        )
        self.clients: dict[int, FakeClient] = {}
        self.table = self.commands = CommandTable(self.engine)
        self.modules = Modules(self.table, lambda: None)
        self.journal = UserJournal()
        self.users = Users(self.engine, self.journal, self.clients.values, lambda: False)
        self.users.begin(lambda: {"default": User.default()})
        self.config.new_password = self.users.require_password
        self.denials = Denials(self.engine, AclLog(lambda: 128), self.clients.get)
        self.scripting = Scripting(self.log, self)
        self.inside = Inside(self, self.commands)
        self.busy_threshold_ms = 5000
        self.shutdowns: list[tuple[ShutdownMode, bool, bool]] = []
        self.logged: list[tuple[str, str]] = []
        self.cron_paused = False
        self.workers = None
        self.snapshots = Snapshots(self.engine, self.config, None, None, self.facts.started_s)  # type: ignore[arg-type]
        self.desk = Desk(self.snapshots, None)
        forks, part = self.snapshots.forks, self.snapshots.part
        folder = own_folder(self.config, 0, 1)
        self.append_log = AppendLog(
            self.engine,
            self.config,
            folder,
            forks,
            part,
            None,
            lambda: None,  # type: ignore[arg-type]
        )
        self.backups = Backups(self.engine, self.config, self.append_log, forks, None, None)  # type: ignore[arg-type]

    async def listen(self) -> str:
        return ""

    async def lock_log(self, _home: Path) -> str:
        return ""

    def end_turn(self) -> None:
        """Nobody else has output in these tests."""

    def pause(self, until_ms: int, writes_only: bool) -> None:
        lib.engine_pause(self.engine.handle, until_ms, writes_only)

    def serve_while_busy(self) -> None:
        """There are no sockets."""

    def load_figures(self) -> LoadFigures:
        return LoadFigures()

    async def shutdown(self, mode: ShutdownMode, *, now: bool, force: bool) -> None:
        self.shutdowns.append((mode, now, force))

    async def abort_shutdown(self) -> bool:
        return False

    async def tell_settings(self, pairs: list[tuple[str, str]]) -> None:
        """There are no others."""

    def log(self, level: str, text: str) -> None:
        self.logged.append((level, text))

    def connect(self) -> "FakeClient":
        client = FakeClient(self, len(self.clients) + 1)
        self.clients[client.id] = client
        return client

    def close(self) -> None:
        for client in list(self.clients.values()):
            client.close()
        lib.engine_delete(self.engine.handle)
        self.journal.close()
        self.settings_turn.close()


class FakeClient:
    """Implements shmredis.commands.context.Client; `call` is a request and its reply."""

    def __init__(self, server: FakeServer, number: int) -> None:
        self.server = server
        self.id = number
        self.addr, self.laddr = f"127.0.0.1:{50000 + number}", "127.0.0.1:6379"
        self.name = self.lib_name = self.lib_ver = b""
        self.user = "default"
        self.read_events = 0
        self.is_subscriber = False
        self.waiting = None  # a call that waits
        self.open = True
        self.session: Any = lib.session_new(server.engine.handle, -1, number)
        lib.session_set_peer(self.session, self.addr.encode(), len(self.addr))

    def close(self) -> None:
        self.open = False
        del self.server.clients[self.id]
        lib.session_delete(self.session)

    def send(self, data: bytes) -> bytes:
        """Everything the server answers to these bytes."""
        size = ffi.new("size_t *")
        place = lib.session_input(self.session, size)
        assert len(data) <= size[0]
        ffi.memmove(place, data, len(data))
        self.read_events += 1
        outcome = lib.session_feed(self.session, len(data))
        reply = self._take_output()
        while outcome & lib.FEED_CALL:
            self._execute()
            outcome = lib.session_feed(self.session, 0)
            reply += self._take_output()
        if outcome & lib.FEED_CLOSE:
            self.close()
        return reply

    def call(self, *words: str | bytes) -> bytes:
        args = [word.encode() if isinstance(word, str) else word for word in words]
        bulks = b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)
        return self.send(b"*%d\r\n%b" % (len(args), bulks))

    def _execute(self) -> None:
        n = ffi.new("size_t *")
        argv = []
        for i in range(lib.session_argc(self.session)):
            text = lib.session_argv(self.session, i, n)
            argv.append(bytes(ffi.buffer(text, n[0])))
        started = time.perf_counter_ns()
        row = lib.session_command(self.session)
        reply = self.server.table.execute(Context(self.server, self, argv), row)
        if not isinstance(reply, bytes):
            reply = asyncio.run(_settled(reply))
        usec = (time.perf_counter_ns() - started) // 1000
        lib.session_reply(self.session, reply, len(reply), usec)

    def _take_output(self) -> bytes:
        n = ffi.new("size_t *")
        text = lib.session_output(self.session, n)
        data = bytes(ffi.buffer(text, n[0])) if n[0] else b""
        lib.session_output_done(self.session, True)
        return data


async def _settled(reply: Awaitable[bytes]) -> bytes:
    return await reply
