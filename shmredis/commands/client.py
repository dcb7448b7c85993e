"""CLIENT: what clients say of themselves and what is known of them."""

import time

from shmredis._core import lib
from shmredis.commands.arguments import integer, shown, syntax_error, word, wrong_arguments
from shmredis.commands.auth import set_client_name, valid_name
from shmredis.commands.client_line import client_line
from shmredis.commands.context import Client, Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import NO_REPLY, OK, CommandError, Reply, Verbatim

SELF = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE
OTHERS = SELF | Flag.ADMIN
KINDS = {"NORMAL": "normal", "MASTER": "master", "SLAVE": "replica", "REPLICA": "replica"}
KINDS["PUBSUB"] = "pubsub"

container("CLIENT", group="connection")


Line = tuple[int, bytes]  # of CLIENT LIST, with the id


def _in_all(_ctx: Context, counts: list[int]) -> Reply:
    """How many there were in all workers."""
    return sum(counts)


def kind_of(client: Client) -> str:
    """The type that a client is of."""
    return "pubsub" if client.is_subscriber else "normal"


def parse_kind(arg: bytes) -> str:
    """A client type. Raises: CommandError."""
    kind = KINDS.get(word(arg))
    if kind is None:
        raise CommandError(f"ERR Unknown client type '{shown(arg)}'")
    return kind


@command("CLIENT ID", arity=2, flags=SELF, acl="connection", group="connection")
def client_id(ctx: Context) -> Reply:
    return ctx.client.id


@command("CLIENT INFO", arity=2, flags=SELF, acl="connection", group="connection")
def client_info(ctx: Context) -> Reply:
    return Verbatim(client_line(ctx.engine, ctx.client) + b"\n")


def _join_lines(ctx: Context, found: list[list[Line]]) -> Reply:
    """By id; those asked for by id as they were asked for."""
    lines = [line for some in found for line in some]
    if len(found) > 1:
        wanted = {int(arg): place for place, arg in enumerate(_wanted_ids(ctx))}
        lines.sort(key=lambda line: (wanted.get(line[0], 0), line[0]))
    return Verbatim(b"".join(text + b"\n" for _, text in lines))


def _wanted_ids(ctx: Context) -> list[bytes]:
    by_id = len(ctx.argv) > 3 and word(ctx.argv[2]) == "ID"
    return ctx.argv[3:] if by_id else []


@command("CLIENT LIST", arity=-2, flags=OTHERS, acl="connection", group="connection")
@everywhere(_join_lines)
def client_list(ctx: Context) -> list[Line]:
    chosen = _choose(ctx, ctx.argv[2:])
    return [(client.id, client_line(ctx.engine, client)) for client in chosen]


def _choose(ctx: Context, args: list[bytes]) -> list[Client]:
    clients = ctx.server.clients
    match [word(arg) for arg in args]:
        case []:
            return list(clients.values())
        case ["TYPE", _]:
            kind = parse_kind(args[1])
            return [client for client in clients.values() if kind_of(client) == kind]
        case ["ID", _, *_]:
            ids = [integer(arg, "ERR Invalid client ID") for arg in args[1:]]
            return [clients[i] for i in ids if i in clients]
    raise syntax_error()


@command("CLIENT GETNAME", arity=2, flags=SELF, acl="connection", group="connection")
def client_getname(ctx: Context) -> Reply:
    return ctx.client.name or None


@command("CLIENT SETNAME", arity=3, flags=SELF, acl="connection", group="connection")
def client_setname(ctx: Context) -> Reply:
    set_client_name(ctx, ctx.argv[2])
    return OK


@command("CLIENT SETINFO", arity=4, flags=SELF, acl="connection", group="connection")
def client_setinfo(ctx: Context) -> Reply:
    option, value = ctx.argv[2], ctx.argv[3]
    name = word(option)
    if name not in ("LIB-NAME", "LIB-VER"):
        raise CommandError(f"ERR Unrecognized option '{shown(option)}'")
    if not valid_name(value):
        text = "cannot contain spaces, newlines or special characters."
        raise CommandError(f"ERR {shown(option)} {text}")
    if name == "LIB-NAME":
        ctx.client.lib_name = value
    else:
        ctx.client.lib_ver = value
    return OK


@command("CLIENT PAUSE", arity=-3, flags=OTHERS, acl="connection", group="connection")
@everywhere()
def client_pause(ctx: Context) -> Reply:
    if len(ctx.argv) > 4:
        raise wrong_arguments(ctx)
    mode = word(ctx.argv[3]) if len(ctx.argv) == 4 else "ALL"
    if mode not in ("ALL", "WRITE"):
        raise CommandError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    timeout = integer(ctx.argv[2], "ERR timeout is not an integer or out of range")
    if timeout < 0:
        raise CommandError("ERR timeout is negative")
    until = time.time_ns() // 1_000_000 + timeout
    if until >= 2**63:
        raise CommandError("ERR timeout is out of range")
    ctx.server.pause(until, writes_only=mode == "WRITE")
    return OK


@command("CLIENT UNPAUSE", arity=2, flags=OTHERS, acl="connection", group="connection")
@everywhere()
def client_unpause(ctx: Context) -> Reply:
    ctx.server.pause(0, writes_only=False)
    return OK


@command("CLIENT REPLY", arity=3, flags=SELF, acl="connection", group="connection")
def client_reply(ctx: Context) -> Reply:
    mode = word(ctx.argv[2])
    off, skip = lib.SESSION_REPLY_OFF, lib.SESSION_REPLY_SKIP
    if mode == "ON":
        lib.session_set_flag(ctx.session, off | skip, False)
        return OK
    if mode == "OFF":
        lib.session_set_flag(ctx.session, off, True)
    elif mode == "SKIP":
        lib.session_set_flag(ctx.session, skip, True)
    else:
        raise syntax_error()
    return NO_REPLY


def _switch(ctx: Context, flag: int) -> Reply:
    state = word(ctx.argv[2])
    if state not in ("ON", "OFF"):
        raise syntax_error()
    lib.session_set_flag(ctx.session, flag, state == "ON")
    return OK


@command("CLIENT NO-EVICT", arity=3, flags=OTHERS, acl="connection", group="connection")
def client_no_evict(ctx: Context) -> Reply:
    return _switch(ctx, lib.SESSION_NO_EVICT)


@command("CLIENT NO-TOUCH", arity=3, flags=SELF, acl="connection", group="connection")
def client_no_touch(ctx: Context) -> Reply:
    return _switch(ctx, lib.SESSION_NO_TOUCH)


@command("CLIENT UNBLOCK", arity=-3, flags=OTHERS, acl="connection", group="connection")
@everywhere(_in_all)
def client_unblock(ctx: Context) -> int:
    """1 if the client was blocked in a command and is so no more."""
    if len(ctx.argv) > 4:
        raise wrong_arguments(ctx)
    if len(ctx.argv) == 4 and word(ctx.argv[3]) not in ("TIMEOUT", "ERROR"):
        raise CommandError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    client = ctx.server.clients.get(integer(ctx.argv[2]))
    error = len(ctx.argv) == 4 and word(ctx.argv[3]) == "ERROR"
    if client is None:
        return 0
    if client.waiting and not client.waiting.done():
        client.waiting.set_result(error)
        return 1
    if not lib.session_unblock(client.session, error):
        return 0
    ctx.server.end_turn()
    return 1
