"""MODULE: which modules of Python there are, and loading them while the server runs.

A change is made by worker 0 for all (module/loaded.py).
"""

from pathlib import Path

from shmredis.commands.arguments import shown, word
from shmredis.commands.context import Context, NoAnswer, Server
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import OK, CommandError, Reply
from shmredis.module.declaration import ModuleError
from shmredis.module.loaded import Entry, Loaded, read_list, written_list

__all__ = ["answer_module_changes", "module_facts"]

container("MODULE")

NOT_ALLOWED = (
    'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can '
    "run it from a local connection, otherwise you need to set this option in the configuration "
    "file, and then restart the server."
)
LOAD_FAILED = "ERR Error loading the extension. Please check the server logs."
PROTECTED = Flag.ADMIN | Flag.NOSCRIPT | Flag.NO_ASYNC_LOADING
LEADER = 0
PATIENCE_S = 60.0
CHANGE, AGREE = "module change", "module list"


def module_facts(loaded: Loaded) -> dict[str, Reply]:
    """As MODULE LIST and HELLO tell them."""
    return {
        "name": loaded.module.name,
        "ver": loaded.module.version,
        "path": loaded.entry.path,
        "args": list(loaded.entry.args),
    }


@command("MODULE LIST", arity=2, flags=Flag.ADMIN | Flag.NOSCRIPT)
def module_list(ctx: Context) -> Reply:
    return [module_facts(loaded) for loaded in ctx.server.modules.listed]


@command("MODULE LOAD", arity=-3, flags=PROTECTED)
async def module_load(ctx: Context) -> Reply:
    check_allowed(ctx)
    return await _change(ctx, ["load", *map(_text, ctx.argv[2:])], LOAD_FAILED)


@command("MODULE LOADEX", arity=-3, flags=PROTECTED)
async def module_loadex(ctx: Context) -> Reply:
    """CONFIG is refused: modules of Python have no directives."""
    check_allowed(ctx)
    if len(ctx.argv) > 3 and word(ctx.argv[3]) != "ARGS":
        raise CommandError(LOAD_FAILED)
    return await _change(ctx, ["load", *map(_text, [ctx.argv[2], *ctx.argv[4:]])], LOAD_FAILED)


@command("MODULE UNLOAD", arity=3, flags=PROTECTED)
async def module_unload(ctx: Context) -> Reply:
    check_allowed(ctx)
    return await _change(ctx, ["unload", _text(ctx.argv[2])], "ERR Error unloading module: ")


def check_allowed(ctx: Context) -> None:
    """Raises: CommandError unless enable-module-command lets this client."""
    allowed = ctx.server.config.text("enable-module-command")
    local = ctx.client.addr.startswith(("127.", "/", "::1:", "[::1]:"))
    if not (allowed == "yes" or (allowed == "local" and local)):
        raise CommandError(NOT_ALLOWED)


def _text(arg: bytes) -> str:
    return arg.decode("utf-8", "surrogateescape")


# --- the change ---


async def _change(ctx: Context, words: list[str], failure: str) -> Reply:
    """Asks worker 0 for the change, and has the others agree. Raises: CommandError."""
    workers = ctx.server.workers
    question = "\0".join(words).encode("utf-8", "surrogateescape")
    if workers is None or workers.index == LEADER:
        answer = make_change(ctx.server, question)
    else:
        try:
            answer = await workers.ask(LEADER, CHANGE, question, PATIENCE_S)
        except NoAnswer as silence:
            raise CommandError(f"ERR {silence}") from None
    if answer[:1] == b"-":
        raise CommandError(failure + shown(answer[1:]) if failure.endswith(" ") else failure)
    if workers is not None:
        agree(ctx.server, answer)
        await workers.ask_all(AGREE, answer, PATIENCE_S)
    return OK


def make_change(server: Server, question: bytes) -> bytes:
    """Changes the list: what it is now, or a dash and why not. The front hears of it."""
    verb, name, *args = question.decode("utf-8", "surrogateescape").split("\0")
    try:
        if verb == "load":
            server.modules.load(Entry(str(Path(name).absolute()), tuple(args)))
        else:
            server.modules.unload(name)
    except ModuleError as error:
        server.log("warning", f"Module {name} failed to {verb}: {error}")
        return b"-" + str(error).encode("utf-8", "surrogateescape")
    answer = written_list(server.modules.entries)
    server.tell_modules(answer)
    return answer


def agree(server: Server, answer: bytes) -> bytes:
    """This worker has the modules of the list from now on."""
    server.modules.agree(read_list(answer))
    return b""


def answer_module_changes(server: Server) -> None:
    """Lets other workers ask this one."""
    if server.workers is not None:
        server.workers.handle(CHANGE, lambda question: make_change(server, question))
        server.workers.handle(AGREE, lambda answer: agree(server, answer))
