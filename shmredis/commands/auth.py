"""Who a client is and how it speaks: HELLO, AUTH, RESET, QUIT."""

from dataclasses import dataclass

from shmredis._core import lib
from shmredis.commands.arguments import integer, shown, syntax_error, word
from shmredis.commands.context import Context
from shmredis.commands.modules import module_facts
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import OK, CommandError, Reply, Simple
from shmredis.commands.version import REDIS_VERSION
from shmredis.engine import session_info

__all__ = ["set_client_name", "valid_name"]

WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
NO_PASSWORD_SET = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
HELLO_WITHOUT_AUTH = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
    "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
    "RESP protocol version at the same time"
)
BAD_NAME = "ERR Client names cannot contain spaces, newlines or special characters."
HANDSHAKE = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.FAST | Flag.NO_AUTH | Flag.ALLOW_BUSY


def valid_name(name: bytes) -> bool:
    """Whether all bytes are printable ASCII without spaces; empty is fine."""
    return all(0x21 <= byte <= 0x7E for byte in name)


def set_client_name(ctx: Context, name: bytes) -> None:
    """CLIENT SETNAME; empty takes the name away. Raises: CommandError."""
    if not valid_name(name):
        raise CommandError(BAD_NAME)
    ctx.client.name = name
    lib.session_set_name(ctx.session, name, len(name))


def authenticate(ctx: Context, user: bytes, password: bytes) -> None:
    """Logs the client in. Raises: CommandError when that is refused."""
    name = shown(user)
    known = ctx.server.users.get(name)
    if known is None or not known.admits(shown(password)):
        ctx.server.denials.note_login(ctx.client, _context(ctx), ctx.argv[0].upper(), name)
        raise CommandError(WRONG_PASSWORD)
    ctx.server.users.log_in(ctx.client, name)
    lib.session_set_flag(ctx.session, lib.SESSION_AUTHENTICATED, True)


def _context(ctx: Context) -> str:
    return "multi" if session_info(ctx.session).multi >= 0 else "toplevel"


@command("AUTH", arity=-2, flags=HANDSHAKE, acl="connection", group="connection")
def auth(ctx: Context) -> Reply:
    if len(ctx.argv) > 3:
        raise syntax_error()
    if len(ctx.argv) == 2 and ctx.server.users.default.nopass:
        raise CommandError(NO_PASSWORD_SET)
    user = ctx.argv[1] if len(ctx.argv) == 3 else b"default"
    authenticate(ctx, user, ctx.argv[-1])
    return OK


@dataclass(slots=True)
class HelloArgs:
    """HELLO's arguments; None where they are absent."""

    version: int | None = None
    credentials: tuple[bytes, bytes] | None = None
    name: bytes | None = None


def parse_hello(argv: list[bytes]) -> HelloArgs:
    args = HelloArgs()
    if len(argv) > 1:
        args.version = integer(argv[1], "ERR Protocol version is not an integer or out of range")
        if args.version not in (2, 3):
            raise CommandError("NOPROTO unsupported protocol version")
    i = 2
    while i < len(argv):
        left = len(argv) - i - 1
        option = word(argv[i])
        if option == "AUTH" and left >= 2:
            args.credentials = argv[i + 1], argv[i + 2]
            i += 3
        elif option == "SETNAME" and left >= 1:
            args.name = argv[i + 1]
            if not valid_name(args.name):
                raise CommandError(BAD_NAME)
            i += 2
        else:
            raise CommandError(f"ERR Syntax error in HELLO option '{shown(argv[i])}'")
    return args


@command("HELLO", arity=-1, flags=HANDSHAKE, acl="connection", group="connection")
def hello(ctx: Context) -> Reply:
    args = parse_hello(ctx.argv)
    if args.credentials:
        authenticate(ctx, *args.credentials)
    authenticated = session_info(ctx.session).flags & lib.SESSION_AUTHENTICATED
    if not authenticated and ctx.server.users.default.needs_password:
        raise CommandError(HELLO_WITHOUT_AUTH)
    if args.name is not None:
        set_client_name(ctx, args.name)
    if args.version is not None:
        lib.session_set_resp(ctx.session, args.version)
    return {
        "server": "redis",
        "version": REDIS_VERSION,
        "proto": ctx.resp,
        "id": ctx.client.id,
        "mode": "standalone",
        "role": "master",
        "modules": [module_facts(loaded) for loaded in ctx.server.modules.listed],
    }


@command("RESET", arity=1, flags=HANDSHAKE, acl="connection", group="connection")
def reset(ctx: Context) -> Reply:
    session = ctx.session
    off = lib.SESSION_NO_TOUCH | lib.SESSION_NO_EVICT
    off |= lib.SESSION_REPLY_OFF | lib.SESSION_REPLY_SKIP
    lib.session_set_flag(session, off, False)
    free = not ctx.server.users.default.needs_password
    lib.session_set_flag(session, lib.SESSION_AUTHENTICATED, free)
    lib.session_set_db(session, 0)
    lib.session_set_resp(session, 2)
    lib.session_drop_fieldsets(session)
    lib.session_discard(session)
    lib.session_unsubscribe(session)
    lib.session_untrack(session)
    lib.session_unmonitor(session)
    set_client_name(ctx, b"")
    ctx.server.users.log_in(ctx.client, "default")
    return Simple("RESET")


@command("QUIT", arity=-1, flags=HANDSHAKE, acl="connection", group="connection")
def quit_connection(ctx: Context) -> Reply:
    lib.session_set_flag(ctx.session, lib.SESSION_CLOSING, True)
    return OK
