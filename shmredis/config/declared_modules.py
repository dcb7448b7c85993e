"""Lines `loadmodule path argument …` of the configuration."""

from dataclasses import dataclass

__all__ = ["ModuleLine"]


@dataclass(slots=True, frozen=True)
class ModuleLine:
    """One line; the path as it was written."""

    path: str
    args: tuple[str, ...]
