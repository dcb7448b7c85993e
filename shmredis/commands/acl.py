"""ACL: users and what they may do."""

import logging
import secrets

from shmredis.acl.check import NO_COMMAND, WRONG_ARITY, Denial, check_user
from shmredis.acl.errors import AclError, RuleError, UnmatchedParenthesis, UsersBusy
from shmredis.acl.selector import Selector, has_space
from shmredis.acl.user import User, join_selectors
from shmredis.acl.users_file import read_users, write_users
from shmredis.commands.arguments import integer, shown, wrong_arguments
from shmredis.commands.categories import CATEGORIES, categories_of
from shmredis.commands.context import Context
from shmredis.commands.everywhere import elsewhere
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import OK, CommandError, Reply, Set
from shmredis.commands.settings import setting

container("ACL")

log = logging.getLogger(__name__)

ANYBODY = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE
ADMIN = ANYBODY | Flag.ADMIN
MAX_BITS = 4096
BAD_BITS = (
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
    f"number up to {MAX_BITS}"
)
NO_FILE = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users "
    "via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis "
    "configuration file set) in order to store users in the Redis configuration."
)
NOT_SAVED = (
    "ERR There was an error trying to save the ACLs. Please check the server logs for more "
    "information"
)


# --- reading ---


@command("ACL WHOAMI", arity=2, flags=ANYBODY)
def acl_whoami(ctx: Context) -> Reply:
    return ctx.client.user


@command("ACL USERS", arity=2, flags=ADMIN)
def acl_users(ctx: Context) -> Reply:
    return [user.name for user in ctx.server.users.listed()]


@command("ACL LIST", arity=2, flags=ADMIN)
def acl_list(ctx: Context) -> Reply:
    return [str(user) for user in ctx.server.users.listed()]


@command("ACL GETUSER", arity=3, flags=ADMIN)
def acl_getuser(ctx: Context) -> Reply:
    user = ctx.server.users.get(shown(ctx.argv[2]))
    if user is None:
        return None
    flags: list[Reply] = [*user.flags]
    selectors: list[Reply] = [_selector(selector) for selector in user.selectors]
    return {
        "flags": Set(flags),
        "passwords": [*user.passwords],
        **_selector(user.root),
        "selectors": selectors,
    }


def _selector(selector: Selector) -> dict[str, Reply]:
    return {
        "commands": selector.commands_text,
        "keys": selector.keys_text,
        "channels": selector.channels_text,
    }


@command("ACL CAT", arity=-2, flags=ANYBODY)
def acl_cat(ctx: Context) -> Reply:
    if len(ctx.argv) == 2:
        return list(CATEGORIES)
    if len(ctx.argv) > 3:
        raise wrong_arguments(ctx)
    wanted = shown(ctx.argv[2]).lower()
    if wanted not in CATEGORIES:
        raise CommandError(f"ERR Unknown category '{shown(ctx.argv[2])}'")
    rows = ctx.engine.commands()
    return [row.name.lower() for row in rows if wanted in categories_of(row)]


@command("ACL GENPASS", arity=-2, flags=ANYBODY)
def acl_genpass(ctx: Context) -> Reply:
    if len(ctx.argv) > 3:
        raise wrong_arguments(ctx)
    bits = integer(ctx.argv[2]) if len(ctx.argv) == 3 else 256
    if not 1 <= bits <= MAX_BITS:
        raise CommandError(BAD_BITS)
    digits = (bits + 3) // 4
    return secrets.token_hex((digits + 1) // 2)[:digits]


@command("ACL DRYRUN", arity=-4, flags=ADMIN)
def acl_dryrun(ctx: Context) -> Reply:
    name, argv = shown(ctx.argv[2]), ctx.argv[3:]
    if ctx.server.users.get(name) is None:
        raise CommandError(f"ERR User '{name}' not found")
    found = check_user(ctx.engine.handle, ctx.server.users.handle(name), name, argv)
    if found == NO_COMMAND:
        raise CommandError(f"ERR Command '{shown(argv[0])}' not found")
    if found == WRONG_ARITY:
        full = _full_name(ctx, argv)
        raise CommandError(f"ERR wrong number of arguments for '{full}' command")
    if isinstance(found, Denial) and not found.is_option:
        return found.text
    return OK


def _full_name(ctx: Context, argv: list[bytes]) -> str:
    """The command's name with that of the subcommand, in lower case."""
    name = shown(argv[0]).lower()
    if len(argv) > 1 and ctx.server.users.catalogue.has_subcommands(name):
        return f"{name}|{shown(argv[1]).lower()}"
    return name


# --- changing: the reply comes when all workers know ---


def catch_up(ctx: Context) -> None:
    ctx.server.users.catch_up()


_tell = elsewhere(catch_up)


@command("ACL SETUSER", arity=-3, flags=ADMIN)
async def acl_setuser(ctx: Context) -> Reply:
    name, words = shown(ctx.argv[2]), [shown(arg) for arg in ctx.argv[3:]]
    if has_space(name):
        raise CommandError("ERR Usernames can't contain spaces or null characters")
    try:
        ctx.server.users.change(name, join_selectors(words), ctx.client)
    except UnmatchedParenthesis as error:
        text = f"Unmatched parenthesis in acl selector starting at '{_cut(str(error))}'."
        raise CommandError(f"ERR {text}") from None
    except RuleError as error:
        rule = _cut(error.rule)
        raise CommandError(f"ERR Error in ACL SETUSER modifier '{rule}': {error}") from None
    except UsersBusy as error:
        raise CommandError(f"ERR {error}") from None
    await _tell(ctx)
    return OK


def _cut(word: str) -> str:
    """As far as an error line shows it."""
    return word.partition("\0")[0]


@command("ACL DELUSER", arity=-3, flags=ADMIN)
async def acl_deluser(ctx: Context) -> Reply:
    names = [shown(arg) for arg in ctx.argv[2:]]
    if "default" in names:
        raise CommandError("ERR The 'default' user cannot be removed")
    try:
        count = ctx.server.users.drop(names, ctx.client)
    except UsersBusy as error:
        raise CommandError(f"ERR {error}") from None
    await _tell(ctx)
    return count


# --- the ACL file ---


def _path(ctx: Context) -> str:
    """Raises: CommandError."""
    path = setting(ctx, "aclfile")
    if not path:
        raise CommandError(NO_FILE)
    return path


@command("ACL LOAD", arity=2, flags=ADMIN)
async def acl_load(ctx: Context) -> Reply:
    path, users = _path(ctx), ctx.server.users
    try:
        users.replace_all(read_users(path, users), ctx.client)
    except AclError as error:
        raise CommandError(f"ERR {error}") from None
    await _tell(ctx)
    return OK


@command("ACL SAVE", arity=2, flags=ADMIN)
def acl_save(ctx: Context) -> Reply:
    path = _path(ctx)
    users: list[User] = ctx.server.users.listed()
    try:
        write_users(path, users)
    except OSError as error:
        log.warning("Saving the ACL file %s: %s", path, error.strerror)
        raise CommandError(NOT_SAVED) from None
    return OK
