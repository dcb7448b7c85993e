"""One client's connection as Python sees it: the exceptions that the C core leaves to it.

The core does everything between the bytes read and the bytes sent. What comes back here: a command
written in Python, output that is too long, the end. How bytes come and go is the subject of the two
kinds of connection, socket_connection.py and tls_connection.py.
"""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from shmredis._core import ffi, lib
from shmredis.commands.client_line import client_line
from shmredis.commands.context import Context
from shmredis.engine import session_info
from shmredis.front.channel import Kind
from shmredis.log import VERBOSE

if TYPE_CHECKING:
    from shmredis.worker.server import Server

__all__ = ["Connection"]

log = logging.getLogger(__name__)

ATTACK = (
    "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to "
    "Redis. This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise "
    "your Redis instance. Connection from %s aborted."
)

LONG_OUTPUT = "Client %s scheduled to be closed ASAP for overcoming of output buffer limits."

_feed = lib.session_feed
_size = ffi.new("size_t *")


class Connection(ABC):
    """Implements commands.context.Client."""

    def __init__(self, server: "Server", kind: Kind, number: int) -> None:
        self._server = server
        self._kind = kind
        self.id = number
        self._task: asyncio.Task[None] | None = None
        self.waiting: asyncio.Future[bool] | None = None
        self.session: Any = None
        self.name = self.lib_name = self.lib_ver = b""
        self.user = "default"
        self.soft_since = 0.0  # since when the output is above the soft limit

    def _begin(self, sock: Any, fd: int) -> None:
        """Makes the session; the core sends on `fd` itself unless it is -1."""
        self.addr, self.laddr = _names(self._kind, sock, self._server)
        self.session = lib.session_new(self._server.engine.handle, fd, self.id)
        lib.session_set_peer(self.session, self.addr.encode(), len(self.addr))
        self._server.clients[self.id] = self

    def _end(self) -> None:
        """The connection is closed."""
        if self._task:
            self._task.cancel()
        del self._server.clients[self.id]
        self._server.forget(self)
        lib.session_delete(self.session)
        self.session = None

    # --- what the kinds differ in ---

    @abstractmethod
    def _write(self) -> bool:
        """Sees to the core's unsent output; False if it was beyond a limit."""

    @abstractmethod
    def _buffer_changed(self) -> None:
        """The core wants to have input read to another place."""

    @abstractmethod
    def _move(self) -> None:
        """Moves to the worker that owns the keys it asks for, if it still wants to."""

    @abstractmethod
    def close(self) -> None:
        """Closes at once."""

    @abstractmethod
    def flush_and_close(self) -> None:
        """Closes when what is queued has been sent."""

    @property
    @abstractmethod
    def queued_output(self) -> int:
        """Bytes that the socket did not take yet."""

    # --- outcomes of the core ---

    def go_on(self) -> None:
        """Executes input that had to wait."""
        if self.session is None or self._task:
            return
        if outcome := _feed(self.session, 0):
            self._handle(outcome)

    def attend(self, outcome: int) -> None:
        """The core has served this session by itself: the outcome is that of a feed."""
        if self.session is None:
            return
        if self._task:  # input waits for the command that is being executed
            outcome &= lib.FEED_OUTPUT | lib.FEED_CLOSE | lib.FEED_GONE | lib.FEED_EVICT
        self._handle(outcome)

    def _handle(self, outcome: int) -> None:
        while True:
            if outcome & lib.FEED_TURN:
                self._server.end_turn()
            if outcome & lib.FEED_EVICT:
                self._evict()
                return
            if outcome & lib.FEED_GONE:
                self.say(VERBOSE, "Client closed connection %s")
                self.close()
                return
            if outcome & lib.FEED_OUTPUT and not self._write():
                return
            if outcome & lib.FEED_CALL:
                if not self._call():
                    return
            elif not (outcome & lib.FEED_AGAIN and outcome & lib.FEED_OUTPUT and self._may_go_on()):
                break
            outcome = _feed(self.session, 0)
        if outcome & (lib.FEED_WAITING | lib.FEED_AGAIN):
            self._server.waiting.add(self)
        if outcome & lib.FEED_BUFFER:
            self._buffer_changed()
        if outcome & lib.FEED_CLOSE:
            self._part()
        elif outcome & lib.FEED_MOVE:
            self._move()

    def _may_go_on(self) -> bool:
        """Whether commands are executed although output is unsent."""
        return True

    def _evict(self) -> None:
        """The clients take more memory than maxmemory-clients allows, and this one the most."""
        self._server.facts.evicted_clients += 1
        self.say(logging.INFO, "Evicting client: %s")
        self.close()

    def _part(self) -> None:
        """Closes at the core's wish, when the output is out."""
        flags = session_info(self.session).flags
        if flags & lib.SESSION_HTTP:
            log.warning(ATTACK, self.addr)
        elif flags & lib.SESSION_INPUT_FULL:
            self._server.facts.query_buffer_disconnections += 1
            self.say(logging.WARNING, "Closing client that reached max query buffer length: %s")
        self.flush_and_close()

    def check_output(self, queued: int, now_s: float) -> bool:
        """client-output-buffer-limit: drops a client whose output is too long, or too long for too long.

        False: it is dropped.
        """
        limit = self._server.output_limits["pubsub" if self.is_subscriber else "normal"]
        over_soft = limit.soft and queued > limit.soft
        if not over_soft:
            self.soft_since = 0.0
        elif not self.soft_since:
            self.soft_since = now_s
        late = over_soft and now_s - self.soft_since > limit.seconds
        if late or (limit.hard and queued > limit.hard):
            self._server.facts.output_buffer_disconnections += 1
            self.say(logging.WARNING, LONG_OUTPUT)
            self.close()
            return False
        return True

    def say(self, level: int, text: str) -> None:
        """A line of the log that has what CLIENT LIST says of this client in the place of %s."""
        if log.isEnabledFor(level):
            line = client_line(self._server.engine, self)
            log.log(level, text, line.decode("utf-8", "replace"))

    # --- commands of Python ---

    def _call(self) -> bool:
        """Executes the pending command; False when its reply comes later."""
        argv = []
        for i in range(lib.session_argc(self.session)):
            text = lib.session_argv(self.session, i, _size)
            argv.append(bytes(ffi.buffer(text, _size[0])))
        started = time.perf_counter_ns()
        context = Context(self._server, self, argv)
        reply = self._server.commands.execute(context, lib.session_command(self.session))
        if self.session is None:
            return False
        if isinstance(reply, bytes):
            self._finish(reply, started)
            return True
        lib.session_suspend(self.session)
        self._task = self._server.spawn(self._wait(reply, started), f"client {self.id}")
        return False

    def _finish(self, reply: bytes, started_ns: int) -> None:
        usec = (time.perf_counter_ns() - started_ns) // 1000
        lib.session_reply(self.session, reply, len(reply), usec)

    async def _wait(self, reply: Awaitable[bytes], started_ns: int) -> None:
        data = await reply
        self._task = None
        if self.session is not None:
            self._finish(data, started_ns)
            self.go_on()

    # --- commands.context.Client ---

    @property
    def read_events(self) -> int:
        return int(session_info(self.session).reads)

    @property
    def is_subscriber(self) -> bool:
        """Whether it is subscribed to anything."""
        info = session_info(self.session)
        return bool(info.channels or info.patterns or info.shard_channels)

    @property
    def may_be_idle(self) -> bool:
        """Whether it waits for what others do: in a command, for messages, as a monitor."""
        info = session_info(self.session)
        return bool(info.blocked or info.flags & lib.SESSION_MONITOR or self.is_subscriber)

    @property
    def last_active_s(self) -> float:
        """When the last bytes came in, wall clock."""
        return float(session_info(self.session).last_ms) / 1000


def _names(kind: Kind, sock: Any, server: "Server") -> tuple[str, str]:
    """The peer's and our own address as CLIENT LIST shows them."""
    if kind is Kind.UNIX:
        path = f"{server.config['unixsocket']}:0"
        return path, path
    try:
        peer, own = sock.getpeername(), sock.getsockname()
    except OSError:  # gone already
        return "?:0", "?:0"
    return _address(peer), _address(own)


def _address(pair: Any) -> str:
    host, port = pair[0], pair[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
