"""Commands of one's own in Python: what a file named by `loadmodule` works with.

    from shmredis.module import Context, Flag, Keys, Module

    module = Module("counting", version=1)

    @module.command("COUNTING.BOTH", arity=3, flags=Flag.WRITE | Flag.DENYOOM, keys=Keys(1, 2))
    def both(ctx: Context) -> list[int]:
        return [ctx.call("INCR", key) for key in ctx.args]

A command runs in the worker that owns its keys, atomically, as if it were part of the server: nothing
else happens there until it returns, so it has to be quick and must not wait. With several workers and
keys of several of them, all are held meanwhile. What it changes is logged as one transaction. An
exception is the client's error reply; what had been changed until then stays changed.

docs/modules.md tells all; examples/modules has a rate limiter.
"""

from shmredis.commands.registry import Flag
from shmredis.commands.resp import NULL_ARRAY, OK, CommandError, Reply, Set, Simple, Verbatim
from shmredis.module.context import Answer, Context
from shmredis.module.declaration import CountedKeys, Handler, Keys, KeyUse, Module, ModuleError

__all__ = [
    "NULL_ARRAY",
    "OK",
    "Answer",
    "CommandError",
    "Context",
    "CountedKeys",
    "Flag",
    "Handler",
    "KeyUse",
    "Keys",
    "Module",
    "ModuleError",
    "Reply",
    "Set",
    "Simple",
    "Verbatim",
]
