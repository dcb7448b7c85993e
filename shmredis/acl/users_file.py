"""Users in files: the lines `user name modifier …` of an ACL file and of the configuration."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from shmredis.acl.errors import UNKNOWN_COMMAND, AclError, RuleError, UnmatchedParenthesis
from shmredis.acl.selector import has_space
from shmredis.acl.table import Users
from shmredis.acl.user import User, join_selectors

__all__ = ["first_users", "read_users", "write_users"]

log = logging.getLogger(__name__)

NO_CHANGE = (
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
)
DISABLED = (
    "The user '%s' is disabled (there is no 'on' modifier in the user description). Make sure this "
    "is not a configuration error."
)
BOTH_WAYS = (
    "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is "
    "invalid. This setup is very likely to lead to configuration errors and security holes, please "
    "define either an ACL file or declare users directly in your redis.conf, but not both."
)


def read_users(path: str, users: Users) -> dict[str, User]:
    """All users that an ACL file defines, and the default user. Raises: AclError."""
    try:
        text = Path(path).read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise AclError(
            f"Error loading ACLs, opening file '{path}': {os.strerror(error.errno or 0)}"
        ) from None
    reader = _Reader(path, users)
    for number, line in enumerate(text.split("\n"), 1):
        reader.take(number, line.strip(" \t\r\n"))
    if reader.wrong:
        raise AclError(" ".join([*reader.wrong, NO_CHANGE]))
    return reader.found


class _Reader:
    """Takes the lines of a file; collects users, and what is wrong."""

    def __init__(self, path: str, users: Users) -> None:
        self._path = path
        self._users = users
        self.found = {"default": User.default()}
        self._seen: set[str] = set()
        self.wrong: list[str] = []

    def take(self, number: int, line: str) -> None:
        if not line or line.startswith("#"):
            return
        keyword, *words = line.split(" ")
        if keyword != "user" or not words:
            self.wrong.append(
                f"{self._path}:{number} should start with user keyword followed by the username."
            )
        elif words[0] in self._seen:
            self.wrong.append(f"WARNING: Duplicate user '{words[0]}' found on line {number}.")
        elif has_space(words[0]):
            self._note(number, "username contains invalid characters.")
        else:
            self._seen.add(words[0])
            self._define(number, words[0], words[1:])

    def _define(self, number: int, name: str, words: list[str]) -> None:
        user = self._users.new(name)
        try:
            rules = join_selectors(words)
        except UnmatchedParenthesis:
            self._note(number, "Unmatched parenthesis in selector definition.")
            return
        for rule in rules:
            try:
                user = self._users.edited(user, [rule])
            except RuleError as error:
                why = str(error)
                about = f"Error in applying operation '{rule}': " if why == UNKNOWN_COMMAND else ""
                self._note(number, f"{about}{why}.")
        self.found[name] = user

    def _note(self, number: int, why: str) -> None:
        self.wrong.append(f"{self._path}:{number}: {why}")


def write_users(path: str, users: Iterable[User]) -> None:
    """Replaces the file in one step. Raises: OSError."""
    target = Path(path).resolve()
    temporary = target.with_name(f"{target.name}.tmp-{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", errors="surrogateescape") as out:
            out.writelines(f"{user}\n" for user in users)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def first_users(
    path: str, lines: list[tuple[str, list[str]]], password: str, users: Users
) -> dict[str, User]:
    """Who there is when the server starts: from the ACL file, or `user` lines and requirepass.

    Raises: AclError.
    """
    if path and lines:
        raise AclError(BOTH_WAYS)
    found = _from_file(path, users) if path else _from_lines(lines, password, users)
    for user in found.values():
        if not user.enabled:
            log.info(DISABLED, user.name)
    return found


def _from_file(path: str, users: Users) -> dict[str, User]:
    """Raises: AclError."""
    try:
        return read_users(path, users)
    except AclError as error:
        raise AclError(f"Aborting Redis startup because of ACL errors: {error}") from None


def _from_lines(lines: list[tuple[str, list[str]]], password: str, users: Users) -> dict[str, User]:
    """Raises: AclError."""
    default = User.default()
    if password:
        default = users.edited(default, ["resetpass", f">{password}"])
    found = {"default": default}
    for name, rules in lines:
        found[name] = _declared(name, rules, users)
    return found


def _declared(name: str, rules: list[str], users: Users) -> User:
    """Raises: AclError."""
    try:
        if has_space(name):
            raise AclError("Spaces not allowed in ACL usernames")
        return users.edited(users.new(name), join_selectors(rules))
    except RuleError as error:
        raise AclError(
            f"Error loading ACL rule '{error.rule}' for the user named '{name}': {error}"
        ) from None
