"""Subcommands of DEBUG that end this worker, each in its own way; the front brings it back."""

import os
import signal

from shmredis.commands.context import Context
from shmredis.commands.resp import OK, Reply
from shmredis.commands.settings import setting

__all__ = ["fail_assertion", "leak", "panic", "run_out_of_memory", "segfault"]

_leaked: list[bytes] = []


def fail_assertion(ctx: Context) -> Reply:
    """ASSERT"""
    ctx.server.log("warning", "=== ASSERTION FAILED === (DEBUG ASSERT)")
    os.abort()


def panic(ctx: Context) -> Reply:
    """PANIC"""
    ctx.server.log("warning", "Panic: DEBUG PANIC, called by a client")
    _give_up(ctx)
    return OK


def run_out_of_memory(ctx: Context) -> Reply:
    """OOM"""
    ctx.server.log("warning", "Out Of Memory: DEBUG OOM, called by a client")
    _give_up(ctx)
    return OK


def _give_up(ctx: Context) -> None:
    """With use-exit-on-panic there is no core dump."""
    if setting(ctx, "use-exit-on-panic") == "yes":
        os._exit(1)
    os.abort()


def segfault(_ctx: Context) -> Reply:
    """SEGFAULT"""
    os.kill(os.getpid(), signal.SIGSEGV)
    return OK


def leak(ctx: Context) -> Reply:
    """LEAK <string>"""
    _leaked.append(ctx.argv[2])
    return OK
