"""WAIT and WAITAOF of a server without replicas: what is on this machine's disk."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import cast

from shmredis._core import lib
from shmredis.commands.arguments import integer
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import CommandError, Reply
from shmredis.commands.settings import setting

LOOK_S = 0.01  # between two looks at what is synced
NO_LOG = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
NO_TIMEOUT = "ERR timeout is not an integer or out of range"
UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK"


@dataclass(slots=True, frozen=True)
class Progress:
    """How far a worker's log is, in bytes since it was opened."""

    worker: int
    logged: int
    synced: int


def _all(_ctx: Context, found: list[Progress]) -> Reply:
    return cast(Reply, found)


def _progress(ctx: Context) -> Progress:
    info = ctx.engine.aof_info()
    index = ctx.server.workers.index if ctx.server.workers else 0
    return Progress(index, int(info.written + info.buffered), int(info.synced))


_everybody = everywhere(_all)(_progress)


async def _look(ctx: Context) -> list[Progress]:
    found = _everybody(ctx)
    return cast(list[Progress], await found if isinstance(found, Awaitable) else found)


def _is_synced(now: list[Progress], wanted: dict[int, int]) -> bool:
    """A worker that has begun anew has in its log what it goes on with."""
    return all(p.synced >= min(p.logged, wanted.get(p.worker, 0)) for p in now)


def _timeout_s(arg: bytes) -> float | None:
    """Seconds; None: for ever. Raises: CommandError."""
    timeout_ms = integer(arg, NO_TIMEOUT)
    if timeout_ms < 0:
        raise CommandError("ERR timeout is negative")
    if timeout_ms + time.time_ns() // 1_000_000 >= 2**63:
        raise CommandError("ERR timeout is out of range")
    return timeout_ms / 1000 if timeout_ms else None


async def _wait(ctx: Context, timeout_s: float | None, until: "Synced | None") -> None:
    """Until the time is over, CLIENT UNBLOCK ends it, or it is so. Raises: CommandError."""
    client = ctx.client
    client.waiting = asyncio.get_running_loop().create_future()
    lib.session_wait(ctx.session, True)
    try:
        async with asyncio.timeout(timeout_s):
            if await _ended(client.waiting, until):
                raise CommandError(UNBLOCKED)
    except TimeoutError:
        pass
    finally:
        client.waiting = None
        if client.session is not None:  # else it went while it waited
            lib.session_wait(client.session, False)


async def _ended(waiting: "asyncio.Future[bool]", until: "Synced | None") -> bool:
    """Whether it ended by an error."""
    while until is None or not await until.reached():
        done, _ = await asyncio.wait([waiting], timeout=LOOK_S if until else None)
        if done:
            return waiting.result()
    return False


class Synced:
    """What the client has changed is on disk: what is logged by now where it has changed something since it
    last knew that."""

    def __init__(self, ctx: Context, now: list[Progress]) -> None:
        self._ctx, self._client = ctx, ctx.client
        self._unsynced = int(lib.session_unsynced(ctx.session)) if ctx.session else 0
        self._wanted = {p.worker: p.logged for p in now if self._unsynced >> p.worker & 1}

    def holds(self, now: list[Progress]) -> bool:
        """False also when `now` says nothing of a worker that matters."""
        told = sum(1 << p.worker for p in now)
        if self._unsynced & ~told or not _is_synced(now, self._wanted):
            return False
        if self._client.session is not None:  # else it went while it waited
            lib.session_synced(self._client.session, self._unsynced)
        return True

    async def reached(self) -> bool:
        return not self._unsynced or self.holds(await _look(self._ctx))


@command("WAIT", arity=3, flags=Flag.BLOCKING, acl="connection", group="generic")
def wait(ctx: Context) -> Reply | Awaitable[Reply]:
    replicas, timeout_s = integer(ctx.argv[1]), _timeout_s(ctx.argv[2])
    if replicas <= 0 or not ctx.may_wait:
        return 0
    return _no_replicas(ctx, timeout_s)


async def _no_replicas(ctx: Context, timeout_s: float | None) -> Reply:
    await _wait(ctx, timeout_s, None)
    return 0


@command("WAITAOF", arity=4, flags=Flag.BLOCKING, acl="connection", group="generic")
def waitaof(ctx: Context) -> Reply | Awaitable[Reply]:
    local = _in_range(ctx.argv[1], 1, "value is out of range, value must between 0 and 1")
    replicas = _in_range(ctx.argv[2], 2**31 - 1, "value is out of range, must be positive")
    timeout_s = _timeout_s(ctx.argv[3])
    if local and setting(ctx, "appendonly") == "no":
        raise CommandError(NO_LOG)
    if not ctx.may_wait:
        own = [_progress(ctx)]
        return [_count(ctx, Synced(ctx, own).holds(own)), 0]
    return _local(ctx, local, replicas, timeout_s)


def _in_range(arg: bytes, high: int, error: str) -> int:
    if error.endswith("positive"):
        return integer(arg, f"ERR {error}", low=0, high=high)
    number = integer(arg)
    if not 0 <= number <= high:
        raise CommandError(f"ERR {error}")
    return number


def _count(ctx: Context, synced: bool) -> int:
    return int(synced and setting(ctx, "appendonly") != "no")


async def _local(ctx: Context, local: int, replicas: int, timeout_s: float | None) -> Reply:
    goal = Synced(ctx, await _look(ctx))
    if replicas or (local and not await goal.reached()):
        await _wait(ctx, timeout_s, None if replicas else goal)
    return [_count(ctx, await goal.reached()), 0]
