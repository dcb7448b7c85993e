"""The server's part in replication: always a master without replicas, as long as there are no links.

REPLICAOF NO ONE changes nothing and is fine; whoever asks for a link is told that there is none.
"""

from shmredis.commands.arguments import integer, syntax_error, word
from shmredis.commands.context import Context
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import OK, CommandError, Reply

LINKS = Flag.ADMIN | Flag.NOSCRIPT | Flag.STALE
NO_LINKS = "ERR replication is not supported by this version of shmredis"
MAX_PORT = 65535


@command(
    "ROLE",
    arity=1,
    flags=Flag.LOADING | Flag.STALE | Flag.FAST | Flag.NOSCRIPT,
    acl="admin dangerous",
)
def role(_ctx: Context) -> Reply:
    return ["master", 0, []]


@command("REPLICAOF", arity=3, flags=LINKS | Flag.NO_ASYNC_LOADING)
def replicaof(ctx: Context) -> Reply:
    host, port = ctx.argv[1:]
    if (word(host), word(port)) == ("NO", "ONE"):
        return OK
    integer(port, "ERR Invalid master port", 0, MAX_PORT)
    raise CommandError(NO_LINKS)


@command("SLAVEOF", arity=3, flags=LINKS | Flag.NO_ASYNC_LOADING)
def slaveof(ctx: Context) -> Reply:
    return replicaof(ctx)


@command("FAILOVER", arity=-1, flags=LINKS)
def failover(ctx: Context) -> Reply:
    """FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]"""
    args = [word(arg) for arg in ctx.argv[1:]]
    if args == ["ABORT"]:
        raise CommandError("ERR No failover in progress.")
    _check_failover(args)
    raise CommandError("ERR FAILOVER requires connected replicas.")


def _check_failover(args: list[str]) -> None:
    """Raises: CommandError for what is not the syntax of FAILOVER."""
    while args:
        if args[0] == "TO" and len(args) > 2:
            integer(args[2].encode())
            del args[:3]
        elif args[0] == "TIMEOUT" and len(args) > 1:
            if integer(args[1].encode()) <= 0:
                raise CommandError("ERR FAILOVER timeout must be greater than 0")
            del args[:2]
        elif args[0] in ("FORCE", "ABORT"):
            del args[:1]
        else:
            raise syntax_error()
