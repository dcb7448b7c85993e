"""The commands and categories that rules can name, as bits by row of the command table."""

from collections.abc import Iterable

from shmredis.commands.categories import CATEGORIES, categories_of
from shmredis.engine import CommandFacts

__all__ = ["Catalogue"]


class Catalogue:
    """Built when all commands are registered. Names are in lower case: "config", "config|get"."""

    def __init__(self, rows: Iterable[CommandFacts]) -> None:
        self._rows: dict[str, int] = {}
        self._bits: dict[str, int] = {}
        self._categories = dict.fromkeys(CATEGORIES, 0)
        self._containers: set[str] = set()
        self.everything = 0
        for row in rows:
            self._add(row)

    def _add(self, row: CommandFacts) -> None:
        name, bit = row.name.lower(), 1 << row.row
        self._rows[name] = row.row
        self._bits[name] = self._bits.get(name, 0) | bit
        self.everything |= bit
        container, _, sub = name.partition("|")
        if sub:
            self._containers.add(container)
            self._bits[container] = self._bits.get(container, 0) | bit
        for category in categories_of(row):
            self._categories[category] |= bit

    def command(self, name: str) -> int:
        """The bit of a command, with those of its subcommands; 0: there is none of this name."""
        return self._bits.get(name, 0)

    def category(self, name: str) -> int | None:
        """The bits of a category's commands; None: there is no such category."""
        return self._categories.get(name)

    def row(self, name: str) -> int | None:
        """The row of a command; None: there is none of this name."""
        return self._rows.get(name)

    def has_subcommands(self, name: str) -> bool:
        return name in self._containers
