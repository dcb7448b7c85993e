"""Whether a client may execute a command, for what executes commands without the core's dispatch."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from shmredis._core import ffi, lib
from shmredis.engine import session_info

if TYPE_CHECKING:
    from shmredis.commands.context import Client, Server

__all__ = ["AclContext", "Denial", "check", "check_user", "dry_run_text"]


class AclContext(Enum):
    """Where a command was refused, as ACL LOG says it."""

    TOPLEVEL = "toplevel"
    MULTI = "multi"
    LUA = "lua"
    MODULE = "module"


_NOUNS = {lib.ACL_NO_KEY: "key", lib.ACL_NO_CHANNEL: "channel"}
_SORT = {lib.ACL_NO_SORT_BY: "BY", lib.ACL_NO_SORT_GET: "GET"}


@dataclass(slots=True, frozen=True)
class Denial:
    """What stands in the way: enum acl_verdict, and the command, key or channel."""

    verdict: int
    user: str
    command: str
    row: int
    object: bytes

    @property
    def sort(self) -> bool:
        """It is only an option of SORT: `text` is the whole error line, and nothing is logged."""
        return self.verdict in _SORT

    @property
    def text(self) -> str:
        """What the client is told, after "NOPERM "."""
        if self.sort:
            option = _SORT[self.verdict]
            return f"ERR {option} option of SORT denied due to insufficient ACL permissions."
        if self.verdict == lib.ACL_NO_COMMAND:
            return f"User {self.user} has no permissions to run the '{self.command}' command"
        return f"No permissions to access a {_NOUNS[self.verdict]}"

    @property
    def reason(self) -> str:
        return _NOUNS.get(self.verdict, "command")


def check_user(engine: Any, handle: Any, name: str, argv: list[bytes]) -> Denial | int | None:
    """None: the user may. -1: there is no such command, -2: it takes another number of arguments."""

    def ask(*args: Any) -> int:
        return int(lib.acl_user_check(engine, handle, *args))

    return _found(engine, ask, name, argv)


def _found(
    engine: Any, ask: Callable[..., int], name: str, argv: list[bytes]
) -> Denial | int | None:
    texts = [ffi.from_buffer(arg) for arg in argv]
    sizes = [len(arg) for arg in argv]
    row, at = ffi.new("int *"), ffi.new("int *")
    pointers = ffi.new("const char *[]", texts)
    verdict = ask(len(argv), pointers, sizes, row, at)
    if verdict <= 0:
        return verdict or None
    info = ffi.new("struct command_info *")
    lib.engine_command_info(engine, row[0], info)
    command = ffi.string(info.name).decode().lower()
    shown = command.encode() if verdict == lib.ACL_NO_COMMAND else argv[at[0]]
    return Denial(verdict, name, command, int(row[0]), shown)


def check(
    server: "Server",
    client: "Client",
    argv: list[bytes],
    context: AclContext = AclContext.LUA,
    *,
    log: bool = True,
) -> Denial | None:
    """What stands in the way of a client's command; None: nothing, or it is no command.

    With `log` a refusal is counted and goes into ACL LOG.
    """
    if not session_info(client.session).flags & lib.SESSION_RESTRICTED:
        return None

    def ask(*args: Any) -> int:
        return int(lib.session_check(client.session, *args))

    found = _found(server.engine.handle, ask, client.user, argv)
    if not isinstance(found, Denial):
        return None
    if log and not found.sort:
        lib.engine_count_rejected(server.engine.handle, found.row)
        server.denials.note(client, found.reason, context.value, found.object)
    return found


def dry_run_text(denial: Denial) -> str:
    """What ACL DRYRUN says of it."""
    if denial.verdict == lib.ACL_NO_COMMAND:
        return denial.text
    shown = denial.object.decode("utf-8", "surrogateescape")
    return f"User {denial.user} has no permissions to access the '{shown}' {_NOUNS[denial.verdict]}"
