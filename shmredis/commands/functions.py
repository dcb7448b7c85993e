"""FCALL, FUNCTION."""

from shmredis.commands.arguments import shown, word
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.inside import Call
from shmredis.commands.registry import Flag, command, container, inside_command
from shmredis.commands.resp import OK, CommandError, Reply, Set, Simple
from shmredis.commands.scripting import KEY_RO, KEY_RW, RUNS, keys_counted, log_everywhere
from shmredis.scripting.functions import Library

READS = Flag.NOSCRIPT
CHANGES = Flag.NOSCRIPT | Flag.WRITE

container("FUNCTION", group="scripting")


@inside_command("FCALL", arity=-3, acl="scripting", flags=RUNS, keys=keys_counted(KEY_RW))
def fcall(call: Call) -> bytes:
    return call.server.scripting.call_function(call, read_only=False)


@inside_command(
    "FCALL_RO", arity=-3, acl="scripting", flags=RUNS | Flag.READ, keys=keys_counted(KEY_RO)
)
def fcall_ro(call: Call) -> bytes:
    return call.server.scripting.call_function(call, read_only=True)


@command(
    "FUNCTION LOAD", arity=-3, flags=CHANGES | Flag.DENYOOM, acl="scripting", group="scripting"
)
@everywhere()
def function_load(ctx: Context) -> Reply:
    replace = False
    for argument in ctx.argv[2:-1]:
        if word(argument) != "REPLACE":
            raise CommandError(f"ERR Unknown option given: {shown(argument)}")
        replace = True
    name = ctx.server.scripting.libraries.load(ctx.argv[-1], replace=replace)
    log_everywhere(ctx)
    return name


@command("FUNCTION DELETE", arity=3, flags=CHANGES, acl="scripting", group="scripting")
@everywhere()
def function_delete(ctx: Context) -> Reply:
    ctx.server.scripting.libraries.delete(ctx.argv[2])
    log_everywhere(ctx)
    return OK


@command("FUNCTION FLUSH", arity=-2, flags=CHANGES, acl="scripting", group="scripting")
@everywhere()
def function_flush(ctx: Context) -> Reply:
    if len(ctx.argv) > 3:
        asked = ctx.argv[1].decode("utf-8", "surrogateescape")
        raise CommandError(
            f"ERR unknown subcommand or wrong number of arguments for '{asked}'. Try FUNCTION HELP."
        )
    if len(ctx.argv) == 3 and word(ctx.argv[2]) not in ("SYNC", "ASYNC"):
        raise CommandError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    ctx.server.scripting.libraries.flush()
    log_everywhere(ctx)
    return OK


@command("FUNCTION DUMP", arity=2, flags=READS, acl="scripting", group="scripting")
def function_dump(ctx: Context) -> Reply:
    return ctx.server.scripting.libraries.dump()


@command(
    "FUNCTION RESTORE", arity=-3, flags=CHANGES | Flag.DENYOOM, acl="scripting", group="scripting"
)
@everywhere()
def function_restore(ctx: Context) -> Reply:
    if len(ctx.argv) > 4:
        raise CommandError(
            "ERR unknown subcommand or wrong number of arguments for 'restore'. Try FUNCTION HELP."
        )
    policy = word(ctx.argv[3]) if len(ctx.argv) == 4 else "APPEND"
    ctx.server.scripting.libraries.restore(ctx.argv[2], policy)
    log_everywhere(ctx)
    return OK


@command("FUNCTION LIST", arity=-2, flags=READS, acl="scripting", group="scripting")
def function_list(ctx: Context) -> Reply:
    pattern, with_code = None, False
    arguments = iter(ctx.argv[2:])
    for argument in arguments:
        if not with_code and word(argument) == "WITHCODE":
            with_code = True
        elif pattern is None and word(argument) == "LIBRARYNAME":
            pattern = next(arguments, None)
            if pattern is None:
                raise CommandError("ERR library name argument was not given")
        else:
            raise CommandError(f"ERR Unknown argument {shown(argument)}")
    found = ctx.server.scripting.libraries.matching(pattern)
    return [_describe(library, with_code) for library in found]


def _describe(library: Library, with_code: bool) -> Reply:
    functions: list[Reply] = [
        {
            "name": function.name,
            "description": function.description,
            "flags": Set([Simple(name) for name in function.flag_names()]),
        }
        for function in library.functions.values()
    ]
    facts: dict[str, Reply] = {
        "library_name": library.name,
        "engine": "LUA",
        "functions": functions,
    }
    if with_code:
        facts["library_code"] = library.code
    return facts


@command(
    "FUNCTION STATS", arity=2, flags=READS | Flag.ALLOW_BUSY, acl="scripting", group="scripting"
)
def function_stats(ctx: Context) -> Reply:
    scripting = ctx.server.scripting
    libraries = scripting.libraries
    counts: Reply = {
        "libraries_count": len(libraries.all),
        "functions_count": libraries.function_count,
    }
    return {"running_script": scripting.watch.running(), "engines": {"LUA": counts}}


@command(
    "FUNCTION KILL", arity=2, flags=READS | Flag.ALLOW_BUSY, acl="scripting", group="scripting"
)
def function_kill(ctx: Context) -> Reply:
    ctx.server.scripting.watch.kill(function=True)
    return OK
