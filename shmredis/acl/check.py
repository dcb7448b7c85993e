"""Whether a user may execute a command, for those who ask without executing it.

What clients and scripts execute the core checks by itself (csrc/net/access.h).
"""

from dataclasses import dataclass
from typing import Any

from shmredis._core import ffi, lib

__all__ = ["NO_COMMAND", "WRONG_ARITY", "Denial", "check_user"]

NO_COMMAND, WRONG_ARITY = -1, -2
_NOUNS = {lib.ACL_NO_KEY: "key", lib.ACL_NO_CHANNEL: "channel"}
_SORT = (lib.ACL_NO_SORT_BY, lib.ACL_NO_SORT_GET)


@dataclass(slots=True, frozen=True)
class Denial:
    """What stands in the way: enum acl_verdict, and the command, key or channel."""

    verdict: int
    user: str
    object: bytes

    @property
    def is_option(self) -> bool:
        """It is only an option of SORT."""
        return self.verdict in _SORT

    @property
    def text(self) -> str:
        """What ACL DRYRUN says of it."""
        shown = self.object.decode("utf-8", "surrogateescape")
        if self.verdict == lib.ACL_NO_COMMAND:
            return f"User {self.user} has no permissions to run the '{shown}' command"
        noun = _NOUNS[self.verdict]
        return f"User {self.user} has no permissions to access the '{shown}' {noun}"


def _vector(argv: list[bytes]) -> tuple[int, list[Any], list[int]]:
    return len(argv), [ffi.from_buffer(arg) for arg in argv], [len(arg) for arg in argv]


def check_user(engine: Any, handle: Any, name: str, argv: list[bytes]) -> Denial | int | None:
    """None: the user may; NO_COMMAND or WRONG_ARITY: it is no command."""
    row, at = ffi.new("int *"), ffi.new("int *")
    verdict = int(lib.acl_user_check(engine, handle, *_vector(argv), row, at))
    if verdict <= 0:
        return verdict or None
    if verdict == lib.ACL_NO_COMMAND:
        info = ffi.new("struct command_info *")
        lib.engine_command_info(engine, row[0], info)
        return Denial(verdict, name, ffi.string(info.name).lower())
    return Denial(verdict, name, argv[at[0]])
