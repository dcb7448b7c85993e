"""ACL, as far as there is one user: the default user, who may do everything."""

import hashlib
import secrets

from shmredis.commands.arguments import integer, shown, wrong_arguments
from shmredis.commands.categories import CATEGORIES, categories_of
from shmredis.commands.context import Context
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import CommandError, Reply, Set
from shmredis.commands.settings import setting

container("ACL")

ANYBODY = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE
ADMIN = ANYBODY | Flag.ADMIN
MAX_BITS = 4096
BAD_BITS = (
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
    f"number up to {MAX_BITS}"
)


def _password_hash(ctx: Context) -> str:
    """SHA-256 of the default user's password; empty when there is none."""
    password = setting(ctx, "requirepass").encode("utf-8", "surrogateescape")
    return hashlib.sha256(password).hexdigest() if password else ""


@command("ACL WHOAMI", arity=2, flags=ANYBODY)
def acl_whoami(ctx: Context) -> Reply:
    return ctx.client.user


@command("ACL USERS", arity=2, flags=ADMIN)
def acl_users(ctx: Context) -> Reply:
    return ["default"]


@command("ACL LIST", arity=2, flags=ADMIN)
def acl_list(ctx: Context) -> Reply:
    digest = _password_hash(ctx)
    secret = f"sanitize-payload #{digest}" if digest else "nopass sanitize-payload"
    return [f"user default on {secret} ~* &* +@all"]


@command("ACL GETUSER", arity=3, flags=ADMIN)
def acl_getuser(ctx: Context) -> Reply:
    if ctx.argv[2] != b"default":
        return None
    digest = _password_hash(ctx)
    flags: list[Reply] = ["on", "sanitize-payload"] if digest else ["on", "nopass"]
    return {
        "flags": Set(flags if digest else [*flags, "sanitize-payload"]),
        "passwords": [digest] if digest else [],
        "commands": "+@all",
        "keys": "~*",
        "channels": "&*",
        "selectors": [],
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
