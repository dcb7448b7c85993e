"""HELP of each container, made of the documentation table."""

from collections.abc import Callable

from shmredis.commands.context import Context
from shmredis.commands.docs import command_docs
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import Reply, Simple

__all__ = ["help_lines", "help_reply"]


def help_reply(container: str, entries: list[tuple[str, str]]) -> Reply:
    """The reply of HELP: a heading, then usage and summary of each entry, then HELP itself."""
    lines = [f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for usage, summary in [*entries, ("HELP", "Print this help.")]:
        lines += [usage, f"    {summary}"]
    return [Simple(line) for line in lines]


def help_lines(container: str) -> list[tuple[str, str]]:
    """Usage and summary of the container's subcommands but HELP."""
    docs = [doc for doc in command_docs().values() if doc.name.startswith(f"{container} ")]
    entries = [(doc.name.removeprefix(f"{container} "), doc) for doc in docs]
    return [(f"{name} {doc.usage}".strip(), doc.summary) for name, doc in entries if name != "HELP"]


def _declare(container: str, acl: str, group: str) -> Callable[[Context], Reply]:
    @command(f"{container} HELP", arity=2, flags=Flag.LOADING | Flag.STALE, acl=acl, group=group)
    def reply_help(ctx: Context) -> Reply:
        return help_reply(container, help_lines(container))

    return reply_help


for _container in ("ACL", "BACKUP", "CONFIG", "HOTKEYS", "LATENCY", "MEMORY", "MODULE", "SLOWLOG"):
    _declare(_container, "", "server")
_declare("SCRIPT", "scripting", "scripting")
_declare("FUNCTION", "scripting", "scripting")
_declare("PUBSUB", "", "pubsub")
_declare("CLIENT", "connection", "connection")
_declare("COMMAND", "connection", "server")
