"""The rows of commands written in Python, and their execution.

A module of this package declares a command where it is written:

    @command("CLIENT UNBLOCK", arity=-3, flags=Flag.ADMIN | Flag.NOSCRIPT, acl="connection")
    def client_unblock(ctx: Context) -> Reply: ...

`CommandTable` registers all declared rows with an engine, where they stand beside those of C: the
core checks arity, authentication and subcommands, and asks for a call by row index.
"""

import importlib
import inspect
import logging
import pkgutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import IntFlag
from typing import TypeVar

from shmredis import commands
from shmredis._core import ffi, lib
from shmredis.commands.context import Context
from shmredis.commands.inside import Call, InsideHandler
from shmredis.commands.resp import NO_REPLY, CommandError, Reply, encode, encode_error
from shmredis.engine import Engine

__all__ = [
    "CommandTable",
    "Flag",
    "KeySpec",
    "Row",
    "command",
    "container",
    "declared_rows",
    "inside_command",
]

log = logging.getLogger(__name__)

Handler = Callable[[Context], Reply | Awaitable[Reply]]
AnyHandler = TypeVar("AnyHandler", bound=Handler)
AnyInside = TypeVar("AnyInside", bound=InsideHandler)


class Flag(IntFlag):
    """Command flags; enum command_flag of csrc/cmd/command.h."""

    NONE = 0
    WRITE = 1 << 0
    READ = 1 << 1
    DENYOOM = 1 << 2
    ADMIN = 1 << 3
    PUBSUB = 1 << 4
    NOSCRIPT = 1 << 5
    BLOCKING = 1 << 6
    LOADING = 1 << 7
    STALE = 1 << 8
    SKIP_MONITOR = 1 << 9
    SKIP_SLOWLOG = 1 << 10
    ASKING = 1 << 11
    FAST = 1 << 12
    NO_AUTH = 1 << 13
    MAY_REPLICATE = 1 << 14
    NO_ASYNC_LOADING = 1 << 15
    NO_MULTI = 1 << 16
    MOVABLE_KEYS = 1 << 17
    ALLOW_BUSY = 1 << 18
    DANGEROUS = 1 << 24
    CONTAINER = 1 << 25
    NO_MANDATORY_KEYS = 1 << 28  # COMMAND tells of it, and nothing else
    SCRIPT_RUNNER = 1 << 29
    LAST = 1 << 30  # waits for all workers: after a transaction that holds some of them
    INSIDE = 1 << 27  # runs inside the core, on keys: commands/inside.py


@dataclass(slots=True, frozen=True)
class KeySpec:
    """Where keys are among the arguments; struct key_spec_info of csrc/core.h."""

    flags: int
    begin: str = "i"
    find: str = "r"
    at: int = 0
    a: int = 0
    b: int = 1
    c: int = 0
    keyword: str = ""


@dataclass(slots=True, frozen=True)
class Row:
    """One declared command; `handler` is None for a container."""

    name: str
    group: str
    arity: int
    flags: Flag
    acl: str
    keys: tuple[KeySpec, ...]
    handler: Handler | None
    inside: InsideHandler | None = None


_declared: dict[str, Row] = {}


def _declare(row: Row) -> None:
    if row.name in _declared:
        raise ValueError(f"command {row.name} is declared twice")
    _declared[row.name] = row


def command(
    name: str,
    *,
    arity: int,
    flags: Flag = Flag.NONE,
    acl: str = "",
    group: str = "server",
    keys: Iterable[KeySpec] = (),
) -> Callable[[AnyHandler], AnyHandler]:
    """Declares the decorated function as the command `name` ("CLIENT KILL" for a subcommand).

    `acl` has the categories beyond those that the flags imply.
    """

    def declare(handler: AnyHandler) -> AnyHandler:
        row_name = name.replace(" ", "|")
        _declare(Row(row_name, group, arity, flags, acl, tuple(keys), handler))
        return handler

    return declare


def inside_command(
    name: str,
    *,
    arity: int,
    flags: Flag = Flag.NONE,
    acl: str = "",
    group: str = "scripting",
    keys: Iterable[KeySpec] = (),
) -> Callable[[AnyInside], AnyInside]:
    """Declares the decorated function as a command that runs inside the core, atomically, on keys."""

    def declare(handler: AnyInside) -> AnyInside:
        inside = flags | Flag.INSIDE
        _declare(Row(name.replace(" ", "|"), group, arity, inside, acl, tuple(keys), None, handler))
        return handler

    return declare


def container(name: str, *, group: str = "server", arity: int = -2) -> None:
    """Declares a command that only has subcommands."""
    _declare(Row(name, group, arity, Flag.CONTAINER, "", (), None))


def declared_rows() -> list[Row]:
    """All rows of this package, containers before their subcommands."""
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"shmredis.commands.{module.name}")
    return sorted(_declared.values(), key=lambda row: "|" in row.name)


def _gone(call: Call) -> bytes:
    raise CommandError(f"ERR unknown command '{call.argv[0].decode(errors='replace')}'")


class CommandTable:
    """The commands of Python as registered with one engine."""

    def __init__(self, engine: Engine, rows: Iterable[Row] | None = None) -> None:
        self._engine = engine
        self._handlers: dict[int, Handler] = {}
        self.inside: dict[int, InsideHandler] = {}
        for row in declared_rows() if rows is None else rows:
            self.add(row)

    def add(self, row: Row) -> int:
        """Registers a command; its index. Raises: ValueError if the name is taken or no name."""
        index = self._register(row)
        if row.handler is not None:
            self._handlers[index] = row.handler
        if row.inside is not None:
            self.inside[index] = row.inside
        return index

    def remove(self, index: int) -> None:
        """Takes a command that runs inside the core away; transactions may have queued it before."""
        lib.engine_unregister_command(self._engine.handle, index)
        self.inside[index] = _gone

    def _register(self, row: Row) -> int:
        specs = ffi.new("struct key_spec_info[3]")
        keywords = [ffi.new("char[]", key.keyword.encode()) for key in row.keys]
        for spec, key, keyword in zip(specs, row.keys, keywords, strict=False):
            spec.keyword = keyword if key.keyword else ffi.NULL
            spec.flags, spec.at, spec.a, spec.b, spec.c = key.flags, key.at, key.a, key.b, key.c
            spec.begin, spec.find = key.begin.encode(), key.find.encode()
        index: int = lib.engine_register_command(
            self._engine.handle,
            row.name.encode(),
            row.group.encode(),
            row.arity,
            int(row.flags),
            row.acl.encode(),
            specs if row.keys else ffi.NULL,
        )
        if index < 0:
            raise ValueError(f"command {row.name} cannot be registered")
        return index

    def execute(self, ctx: Context, row: int) -> bytes | Awaitable[bytes]:
        """The RESP reply of the command, or an awaitable of it when the handler waits.

        Empty bytes mean that there is no reply.
        """
        try:
            result = self._handlers[row](ctx)
        except Exception as error:
            return self._failure(ctx, error)
        if inspect.isawaitable(result):
            return self._finish(ctx, result)
        return self._encode(ctx, result)

    async def _finish(self, ctx: Context, result: Awaitable[Reply]) -> bytes:
        try:
            return self._encode(ctx, await result)
        except Exception as error:
            return self._failure(ctx, error)

    def _encode(self, ctx: Context, reply: Reply) -> bytes:
        return b"" if reply is NO_REPLY else encode(reply, ctx.resp)

    def _failure(self, ctx: Context, error: Exception) -> bytes:
        if isinstance(error, CommandError):
            return encode_error(error.line)
        log.error("command %r failed unexpectedly", ctx.argv[0], exc_info=error)
        return encode_error("ERR internal error")
