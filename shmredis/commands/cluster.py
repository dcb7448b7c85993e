"""Commands of a cluster's nodes: clients ask by them whether this is one, and hear that it is not."""

from shmredis.commands.context import Context
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import CommandError, Reply

NO_CLUSTER = "ERR This instance has cluster support disabled"
ANYTIME = Flag.LOADING | Flag.STALE

container("CLUSTER", group="cluster")

# Names, arities and flags.
ROWS = (
    ("CLUSTER COUNTKEYSINSLOT", 3, Flag.STALE),
    ("CLUSTER GETKEYSINSLOT", 4, Flag.STALE),
    ("CLUSTER INFO", 2, ANYTIME),
    ("CLUSTER KEYSLOT", 3, ANYTIME),
    ("CLUSTER LINKS", 2, ANYTIME),
    ("CLUSTER MYID", 2, ANYTIME),
    ("CLUSTER MYSHARDID", 2, ANYTIME),
    ("CLUSTER NODES", 2, ANYTIME),
    ("CLUSTER SHARDS", 2, ANYTIME),
    ("CLUSTER SLOTS", 2, ANYTIME),
)
OF_CONNECTIONS = (
    ("ASKING", 1, Flag.FAST),
    ("READONLY", 1, ANYTIME | Flag.FAST),
    ("READWRITE", 1, ANYTIME | Flag.FAST),
)


def refuse(_ctx: Context) -> Reply:
    raise CommandError(NO_CLUSTER)


for _name, _arity, _flags in ROWS:
    command(_name, arity=_arity, flags=_flags, group="cluster")(refuse)
for _name, _arity, _flags in OF_CONNECTIONS:
    command(_name, arity=_arity, flags=_flags, acl="connection", group="cluster")(refuse)
