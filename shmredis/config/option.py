"""One row of the table of directives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shmredis.config.types import ValueType

__all__ = ["Option"]


@dataclass(slots=True, frozen=True)
class Option:
    """One directive.

    `core` names the field of struct engine_config that follows it.
    `protected`: CONFIG SET refuses it unless enable-protected-configs allows.
    `hidden`: CONFIG GET shows it only when it is asked for by its whole name.
    `check`: raises ConfigError for a value that does not go with the others.
    """

    name: str
    type: ValueType
    default: str
    core: str = ""
    mutable: bool = True
    protected: bool = False
    hidden: bool = False
    check: Callable[[str, Mapping[str, str]], None] | None = None
    count: int = 0  # of the words that it takes; 0: any

    def lacks(self, words: list[str]) -> bool:
        """Whether these are too few or too many words; an empty one alone is none."""
        return bool(self.count and len(words) != self.count and words != [""])
