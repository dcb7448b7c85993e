"""A module for the tests: each command shows one thing."""

import sys

from shmredis.module import (
    OK,
    CommandError,
    Context,
    CountedKeys,
    Flag,
    Keys,
    KeyUse,
    Module,
    ModuleError,
    Reply,
    Set,
    Simple,
    Verbatim,
)

module = Module("sample", version=7)
kept: list[Context] = []
greeting = ["hello"]
WRITES = Flag.WRITE | Flag.DENYOOM


@module.on_load
def on_load(args: list[str]) -> None:
    if args == ["refuse"]:
        raise ModuleError("refused on purpose")
    greeting[:] = args or ["hello"]


@module.command("SAMPLE.GREET", arity=1, flags=Flag.FAST)
def greet(ctx: Context) -> Reply:
    """Says what it was loaded with."""
    return " ".join(greeting)


@module.command(
    "SAMPLE.MOVE", arity=4, flags=WRITES, keys=Keys(1, 2), acl="string", syntax="from to amount"
)
def move(ctx: Context) -> Reply:
    """Moves an amount from one counter to another if there is enough."""
    source, target, amount = ctx.args
    have = ctx.call("GET", source)
    if int(have if isinstance(have, bytes) else 0) < int(amount):
        raise CommandError("NOTENOUGH there is not so much")
    ctx.call("DECRBY", source, amount)
    return [ctx.call("GET", source), ctx.call("INCRBY", target, amount)]


@module.command("SAMPLE.CHAIN", arity=4, flags=WRITES, keys=Keys(1, 2), syntax="from to text")
def chain(ctx: Context) -> Reply:
    """Sets a key to the value of another and some more; that value."""
    source, target, text = ctx.args
    value = ctx.call("GET", source)
    whole = value if isinstance(value, bytes) else b""
    ctx.call("SET", target, whole + text)
    return whole


@module.command("SAMPLE.SUM", arity=-2, keys=CountedKeys(1), syntax="numkeys key [key ...]")
def total(ctx: Context) -> Reply:
    values = [ctx.call("GET", key) for key in ctx.args[1:]]
    return sum(int(value) for value in values if isinstance(value, bytes))


@module.command("SAMPLE.DROP", arity=-2, flags=Flag.WRITE, keys=Keys(1, -1, use=KeyUse.REMOVE))
def drop(ctx: Context) -> Reply:
    return ctx.call("DEL", *ctx.args)


@module.command("SAMPLE.REPLY", arity=2)
def reply(ctx: Context) -> Reply:
    """One reply of each kind."""
    replies: dict[bytes, Reply] = {
        b"ok": OK,
        b"simple": Simple("text"),
        b"int": 42,
        b"big": 1 << 70,
        b"double": 1.5,
        b"bool": True,
        b"null": None,
        b"nested": [1, [b"two", "three"], None],
        b"map": {"a": 1},
        b"set": Set([1, 2]),
        b"verbatim": Verbatim(b"words"),
        b"error": [CommandError("ERR inside")],
    }
    return replies[ctx.args[0]]


@module.command("SAMPLE.ANSWERS", arity=2, flags=WRITES, keys=Keys(1))
def answers(ctx: Context) -> Reply:
    """What the kinds of replies are in Python."""
    key = ctx.args[0]
    seen = [ctx.call("RPUSH", key, "text", 1, 2.5), ctx.call("LRANGE", key, 0, -1)]
    seen += [ctx.call("DEL", key), ctx.call("HSET", key, "f", "v"), ctx.call("HGETALL", key)]
    seen += [ctx.call("HGET", key, "none"), ctx.call("ZADD", key + b"z", 1.5, "m")]
    seen += [ctx.call("ZSCORE", key + b"z", "m"), ctx.call("PING"), ctx.attempt("LPUSH", key, 1)]
    return repr(seen)


@module.command("SAMPLE.FAIL", arity=3, flags=WRITES, keys=Keys(1))
def fail(ctx: Context) -> Reply:
    """Writes, and then ends in one way or another."""
    ctx.call("SET", ctx.args[0], "written")
    match ctx.args[1]:
        case b"exception":
            return 1 // 0
        case b"exit":
            sys.exit(3)
        case b"recursion":
            return fail(ctx)
        case b"type":
            return [1, object()]  # type: ignore[list-item]
        case b"words":
            return ctx.call("SET", object())  # type: ignore[arg-type]
        case b"lines":
            raise ValueError("two\r\nlines")
    return ctx.call("LPUSH", ctx.args[0], "x")


@module.command("SAMPLE.KEEP", arity=1)
def keep(ctx: Context) -> Reply:
    """Uses the context of the call before."""
    kept.append(ctx)
    return kept[-2].call("PING") if len(kept) > 1 else OK


@module.command("SAMPLE.UNDECLARED", arity=-2, flags=WRITES)
def undeclared(ctx: Context) -> Reply:
    """Keys that COMMAND does not know of."""
    return [ctx.call("INCR", key) for key in ctx.args]


@module.command("SAMPLE.WAIT", arity=2, flags=WRITES, keys=Keys(1))
def wait(ctx: Context) -> Reply:
    """A command that would block."""
    return ctx.call("BLPOP", ctx.args[0], 0)
