"""What can be wrong with users and their rules.

RuleError    one modifier cannot be used; the text is the reason
AclError     a set of users cannot be used; the text is the whole story
  UsersBusy  nor can they be read or changed, because a worker that is stopped is at it
"""

__all__ = [
    "BAD_HASH",
    "CHANNELS_AFTER_ALL",
    "FIRST_ARG_OF_SUBCOMMAND",
    "KEYS_AFTER_ALL",
    "NO_SUCH_PASSWORD",
    "SYNTAX",
    "UNKNOWN_COMMAND",
    "AclError",
    "RuleError",
    "UnmatchedParenthesis",
    "UsersBusy",
]

SYNTAX = "Syntax error"
UNKNOWN_COMMAND = "Unknown command or category name in ACL"
FIRST_ARG_OF_SUBCOMMAND = "Allowing first-arg of a subcommand is not supported"
NO_SUCH_PASSWORD = "The password you are trying to remove from the user does not exist"
BAD_HASH = (
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal "
    "characters"
)
_AFTER_ALL = (
    "Adding a pattern after the * pattern (or the '{flag}' flag) is not valid and does not have any "
    "effect. Try '{reset}' to start with an empty list of {what}"
)
KEYS_AFTER_ALL = _AFTER_ALL.format(flag="allkeys", reset="resetkeys", what="patterns")
CHANNELS_AFTER_ALL = _AFTER_ALL.format(flag="allchannels", reset="resetchannels", what="channels")


class RuleError(Exception):
    """A modifier that cannot be used; the text is the reason."""

    def __init__(self, reason: str, rule: str = "") -> None:
        super().__init__(reason)
        self.rule = rule


class UnmatchedParenthesis(Exception):
    """A selector that does not end; the text is the word that it begins with."""


class AclError(Exception):
    """Users that cannot be used; the text says all that is wrong."""


class UsersBusy(AclError):
    """A worker holds the lock on all users, and goes on holding it."""

    def __init__(self) -> None:
        super().__init__("The users are being changed by a worker that does not go on")
