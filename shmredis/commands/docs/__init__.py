"""The documentation of commands: the table commands.tsv, read once when it is first asked for."""

import csv
import functools
import re
from dataclasses import dataclass
from importlib import resources

from shmredis.commands.syntax import Argument, parse_syntax, usage_of

__all__ = ["CommandDoc", "command_docs"]


_WORDS = re.compile(r"!?[A-Z]{2,}(?: [A-Z]{2,})*\b")  # of commands and options


@dataclass(slots=True, frozen=True)
class CommandDoc:
    """One row of the table. `deprecated` is (since, replaced by) or None."""

    name: str  # "CLIENT KILL"
    group: str
    since: str
    syntax: str
    summary: str
    tips: tuple[str, ...]
    deprecated: tuple[str, str] | None
    syscmd: bool
    complexity: str = ""  # empty: it depends
    module: str = ""  # that has brought it

    @property
    def _own(self) -> str:
        """The syntax without the command's own name."""
        return self.syntax.removeprefix(self.name).strip()

    @property
    def usage(self) -> str:
        """The same as users read it."""
        return usage_of(self._own)

    @functools.cache  # noqa: B019 - rows live as long as the process
    def arguments(self) -> list[Argument]:
        return parse_syntax(self._own)


@functools.cache
def command_docs() -> dict[str, CommandDoc]:
    """All rows by name, a subcommand as "CLIENT|KILL". Modules add theirs."""
    source = resources.files(__name__).joinpath("commands.tsv")
    with source.open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        docs = [_doc(row) for row in rows]
    return {doc.name.replace(" ", "|"): doc for doc in docs}


def _doc(row: dict[str, str]) -> CommandDoc:
    deprecated = None
    since, found, replacement = row["doc_flags"].partition(" use ")
    if found:
        deprecated = since.removeprefix("deprecated since "), _WORDS.sub(r"`\g<0>`", replacement)
    return CommandDoc(
        name=row["name"],
        group=row["group"],
        since=row["since"],
        syntax=row["syntax"],
        summary=row["summary"],
        tips=tuple(tip for tip in row["tips"].split(",") if tip),
        deprecated=deprecated,
        syscmd=row["doc_flags"] == "syscmd",
        complexity=row["complexity"] or "",
    )
