"""What follows from a command's row: names of its flags, ACL categories, where its keys are."""

from shmredis.commands.registry import Flag
from shmredis.engine import CommandFacts

__all__ = ["CATEGORIES", "MODULE_GROUP", "categories_of", "flags_of", "key_flags", "key_range"]

# fmt: off
CATEGORIES = (
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "array", "bitmap",
    "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous",
    "connection", "transaction", "scripting",
)
# fmt: on
_FLAG_NAMES = {
    Flag.WRITE: "write",
    Flag.READ: "readonly",
    Flag.DENYOOM: "denyoom",
    Flag.ADMIN: "admin",
    Flag.PUBSUB: "pubsub",
    Flag.NOSCRIPT: "noscript",
    Flag.BLOCKING: "blocking",
    Flag.LOADING: "loading",
    Flag.STALE: "stale",
    Flag.SKIP_MONITOR: "skip_monitor",
    Flag.SKIP_SLOWLOG: "skip_slowlog",
    Flag.ASKING: "asking",
    Flag.FAST: "fast",
    Flag.NO_AUTH: "no_auth",
    Flag.NO_ASYNC_LOADING: "no_async_loading",
    Flag.NO_MULTI: "no_multi",
    Flag.NO_MANDATORY_KEYS: "no_mandatory_keys",
    Flag.MOVABLE_KEYS: "movablekeys",
    Flag.ALLOW_BUSY: "allow_busy",
    Flag.SCRIPT_RUNNER: "script_runner",
}
# fmt: off
MODULE_GROUP = "module"  # of the commands of modules
_KEY_FLAGS = (
    "RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key", "incomplete",
    "variable_flags",
)
# fmt: on
_IMPLIED = {
    Flag.WRITE: "write",
    Flag.READ: "read",
    Flag.ADMIN: "admin",
    Flag.DANGEROUS: "dangerous",
    Flag.PUBSUB: "pubsub",
    Flag.BLOCKING: "blocking",
}


def flags_of(row: CommandFacts) -> list[str]:
    """The names of the flags, in the order in which COMMAND INFO gives them."""
    names = [name for flag, name in _FLAG_NAMES.items() if row.flags & flag]
    return [*names, "module"] if row.group == MODULE_GROUP else names


def key_flags(bits: int) -> list[str]:
    """The names of a key's flags; enum key_flag of csrc/cmd/command.h."""
    return [name for i, name in enumerate(_KEY_FLAGS) if bits & 1 << i]


def categories_of(row: CommandFacts) -> list[str]:
    """ACL categories without "@", those that the flags imply included."""
    found = set(row.acl.split())
    found |= {name for flag, name in _IMPLIED.items() if row.flags & flag}
    if row.flags & Flag.ADMIN:
        found.add("dangerous")
    if row.flags & Flag.SCRIPT_RUNNER:
        found.discard("read")  # it is what scripts do that counts
    found.add("fast" if row.flags & Flag.FAST else "slow")
    return [name for name in CATEGORIES if name in found]


def key_range(row: CommandFacts) -> tuple[int, int, int]:
    """First key, last key (negative: from the end) and step; zeros when there is no such range.

    Ranges that follow each other directly are one.
    """
    ranges = [
        (spec.at, spec.a, spec.b) for spec in row.keys if (spec.begin, spec.find) == ("i", "r")
    ]
    if not ranges:
        return 0, 0, 0
    first, span, step = ranges[0]
    last = first + span if span >= 0 else span
    for at, more, also in ranges[1:]:
        if at == last + 1 and step == also == 1:
            last = at + more if more >= 0 else more
    return first, last, step
