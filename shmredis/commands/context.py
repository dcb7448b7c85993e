"""What a command written in Python may see: its arguments, its client, its server.

The protocols say what the worker process has to offer; `worker/` implements them and tests fake
them.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shmredis.commands.figures import Figures
from shmredis.commands.info_loading import LoadFigures
from shmredis.commands.rates import Rates
from shmredis.engine import Engine, session_info

if TYPE_CHECKING:
    from shmredis.acl.denials import Denials
    from shmredis.acl.table import Users
    from shmredis.commands.registry import CommandTable
    from shmredis.config.turn import SettingsTurn
    from shmredis.module.loaded import Modules
    from shmredis.persistence.aof_log import AppendLog
    from shmredis.persistence.backup import Backups
    from shmredis.persistence.desk import Desk
    from shmredis.persistence.snapshot import Snapshots
    from shmredis.scripting import Scripting

__all__ = [
    "Client",
    "Config",
    "Context",
    "NoAnswer",
    "Server",
    "ServerFacts",
    "ShutdownMode",
    "Workers",
]


class Client(Protocol):
    """One connection. What commands set are plain attributes."""

    name: bytes
    lib_name: bytes
    lib_ver: bytes
    user: str
    waiting: (
        "asyncio.Future[bool] | None"  # blocked in a command of Python; true ends it by an error
    )

    @property
    def session(self) -> Any:
        """The struct session *."""

    @property
    def id(self) -> int: ...

    @property
    def addr(self) -> str:
        """Where it comes from: "ip:port", or "path:0" on a unix socket."""

    @property
    def laddr(self) -> str:
        """Our end of it."""

    @property
    def read_events(self) -> int:
        """How often bytes came in."""

    @property
    def is_subscriber(self) -> bool:
        """Whether it is subscribed to anything."""

    def close(self) -> None:
        """Drops the connection at once, whatever it is doing."""


class Config(Protocol):
    """The directives in force."""

    @property
    def path(self) -> str | None:
        """The configuration file, None if there is none."""

    def text(self, name: str) -> str:
        """One directive's value as CONFIG GET says it. Raises: KeyError."""

    def get(self, pattern: str) -> dict[str, str]:
        """Directives whose names match the glob pattern, with their values as CONFIG GET says."""

    def set(self, pairs: list[tuple[str, str]]) -> None:
        """Changes all or none. Raises: ValueError, whose text is the error line but its "ERR"."""

    def rewrite(self, lines: Mapping[str, list[str]], *, everything: bool = False) -> None:
        """Writes the values in force into the file, and these lines of directives that are no values.

        With `everything` also directives that are at their defaults. Raises: OSError.
        """


class ShutdownMode(Enum):
    """What SHUTDOWN does about saving."""

    DEFAULT = auto()
    SAVE = auto()
    NOSAVE = auto()


@dataclass(slots=True)
class ServerFacts:
    """What the server knows about itself beyond the engine; INFO and ROLE show it."""

    run_id: str
    replication_id: str
    executable: str
    started_s: float
    pid: int = field(default_factory=os.getpid)
    startup_memory: int = 0  # bytes used before the first key
    rates: Rates = field(default_factory=Rates)
    rejected_connections: int = 0
    evicted_clients: int = 0
    query_buffer_disconnections: int = 0
    output_buffer_disconnections: int = 0
    peak_memory: int = 0
    peak_time_s: float = field(default_factory=time.time)

    def note_peak(self, peak: int, now_s: float) -> None:
        """Remembers when the most memory was in use; the worker tells every 100 ms."""
        if peak > self.peak_memory:
            self.peak_memory, self.peak_time_s = peak, now_s


class NoAnswer(Exception):
    """A worker is gone or stuck."""

    def __init__(self, worker: int) -> None:
        super().__init__(f"worker {worker} does not answer")


class Workers(Protocol):
    """The workers of a server that has several."""

    @property
    def index(self) -> int:
        """Which one we are."""

    @property
    def count(self) -> int: ...

    def handle(self, verb: str, handler: Callable[[bytes], bytes]) -> None:
        """`handler` answers the questions with this verb."""

    async def ask(self, worker: int, verb: str, payload: bytes, patience_s: float = ...) -> bytes:
        """Another worker's answer. Raises: NoAnswer."""

    def ask_all(self, verb: str, payload: bytes, patience_s: float = ...) -> Awaitable[list[bytes]]:
        """Asks all other workers now; to be awaited are the answers of those that give one in time."""


class Server(Protocol):
    """One worker process."""

    cron_paused: bool  # DEBUG PAUSE-CRON: no background work while it is on

    @property
    def engine(self) -> Engine: ...

    @property
    def config(self) -> Config: ...

    @property
    def facts(self) -> ServerFacts: ...

    @property
    def clients(self) -> Mapping[int, Client]:
        """All connections by id, oldest first."""

    @property
    def workers(self) -> Workers | None:
        """None when there is only this one."""

    @property
    def commands(self) -> "CommandTable": ...

    @property
    def modules(self) -> "Modules": ...

    def tell_modules(self, modules: bytes) -> None:
        """The front learns which modules there are: workers to come begin with them."""

    @property
    def users(self) -> "Users":
        """Everybody that clients can be."""

    @property
    def denials(self) -> "Denials":
        """What this worker has refused them."""

    @property
    def scripting(self) -> "Scripting": ...

    @property
    def snapshots(self) -> "Snapshots": ...

    @property
    def append_log(self) -> "AppendLog": ...

    @property
    def backups(self) -> "Backups": ...

    @property
    def desk(self) -> "Desk":
        """Where snapshots are asked for."""

    def load_figures(self) -> LoadFigures:
        """Of files that are being loaded, or were."""

    def pause(self, until_ms: int, writes_only: bool) -> None:
        """Suspends clients until this wall-clock time; 0 ends a pause."""

    async def shutdown(self, mode: ShutdownMode, *, now: bool, force: bool) -> None:
        """Begins an orderly stop of all processes; comes back only if that fails."""

    async def abort_shutdown(self) -> bool:
        """Has the server go on; false if it was not about to end."""

    @property
    def end_turn(self) -> Callable[[], None]:
        """To be called when the core has output for other sessions than the one that is served."""

    async def restart(self, delay_ms: int, *, crash: bool) -> None:
        """Ends all processes and starts again, with the same arguments; comes back only if it fails."""

    def load_again(self, *, merge: bool) -> bool:
        """Loads this worker's keys from dump.rdb at once; false: it failed, and the log says why."""

    @property
    def settings_turn(self) -> "SettingsTurn":
        """Taken by whoever changes the settings of all workers."""

    async def tell_settings(self, pairs: list[tuple[str, str]]) -> None:
        """The front learns of changed directives; it follows them for connections that come later."""

    async def listen(self) -> str:
        """The front listens where the directives say now; what went wrong, or nothing."""

    async def lock_log(self, home: Path) -> str:
        """The folder of a log that is about to be written becomes the server's own; why not, or nothing."""

    def log(self, level: str, text: str) -> None:
        """Writes a line to the server's log."""


class Context:
    """One call of a command."""

    __slots__ = ("_figures", "argv", "client", "server")

    def __init__(self, server: Server, client: Client, argv: list[bytes]) -> None:
        self.server = server
        self.client = client
        self.argv = argv
        self._figures: Figures | None = None

    @property
    def figures(self) -> Figures:
        """What the server tells of itself: of this worker, unless others were asked."""
        if self._figures is None:
            self._figures = Figures(self.server)
        return self._figures

    @figures.setter
    def figures(self, figures: Figures) -> None:
        self._figures = figures

    @property
    def engine(self) -> Engine:
        return self.server.engine

    @property
    def session(self) -> Any:
        return self.client.session

    @property
    def resp(self) -> int:
        """The client's RESP version."""
        return int(session_info(self.client.session).resp)

    @property
    def may_wait(self) -> bool:
        """Whether the command may block its client: not in a transaction, nor in a script."""
        return int(session_info(self.client.session).multi) < 0

    @property
    def db(self) -> int:
        """The client's selected database."""
        return int(session_info(self.client.session).db)
