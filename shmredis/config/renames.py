"""Lines `rename-command NAME NEWNAME`: by what names clients know commands."""

from shmredis.commands.docs import command_docs
from shmredis.config.parser import Line, LineError

__all__ = ["Renames"]


class Renames:
    """New names by own names, upper case; an empty one takes the command away."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def add(self, line: Line) -> None:
        """Raises: LineError."""
        if len(line.words) != 3:
            raise LineError(line.number, line.text, "wrong number of arguments")
        name, fresh = (word.upper() for word in line.words[1:])
        if name not in command_docs() or name in self.names:
            raise LineError(line.number, line.text, "No such command in rename-command")
        if fresh and (fresh in command_docs() or fresh in self.names.values()):
            raise LineError(line.number, line.text, "Target command name already exists")
        self.names[name] = fresh
