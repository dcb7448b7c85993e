"""Lines `user name modifier …` of the configuration, checked as far as that is possible without a server.

Which commands there are is known later, when the users are made (acl/users_file.py).
"""

from shmredis.acl.errors import RuleError, UnmatchedParenthesis
from shmredis.acl.user import User, join_selectors
from shmredis.config.parser import Line, LineError

__all__ = ["DeclaredUsers"]

DUPLICATE = "Duplicate user found. A user can only be defined once in config files"


class _AnyCommand:
    """Stands for a Catalogue in which every name is a command's or a category's."""

    def command(self, name: str) -> int:
        return 1

    def category(self, name: str) -> int:
        return 1

    def has_subcommands(self, name: str) -> bool:
        return False


class DeclaredUsers:
    """Names with their modifiers, in the order of the lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, list[str]]] = []

    def add(self, line: Line) -> None:
        """Raises: LineError."""
        name, rules = line.words[1], line.words[2:]
        if any(name == known for known, _ in self.lines):
            raise self._error(line, DUPLICATE)
        try:
            User(name).changed(join_selectors(rules), _AnyCommand(), open_channels=False)
        except UnmatchedParenthesis:
            raise self._error(line, "Unmatched parenthesis in selector definition") from None
        except RuleError as error:
            raise self._error(line, str(error)) from None
        self.lines.append((name, rules))

    def _error(self, line: Line, why: str) -> LineError:
        return LineError(
            line.number, line.text, f"Error in user declaration '{line.words[1]}': {why}"
        )
