"""What INFO says of scripts and libraries of functions, and the interpreter that has both."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shmredis.commands.context import Server

__all__ = ["ScriptFigures", "merge_scripts", "read_scripts"]


@dataclass(slots=True, frozen=True)
class ScriptFigures:
    """Of one worker, or of all; memory in bytes."""

    interpreter: int
    cached: int
    cached_memory: int
    evicted: int
    libraries: int
    functions: int
    libraries_memory: int


def read_scripts(server: "Server") -> ScriptFigures:
    """Of this worker."""
    scripting = server.scripting
    cache, libraries = scripting.cache, scripting.libraries
    return ScriptFigures(
        interpreter=scripting.memory_used,
        cached=len(cache),
        cached_memory=cache.memory_used,
        evicted=cache.evicted,
        libraries=len(libraries.all),
        functions=libraries.function_count,
        libraries_memory=libraries.memory_used,
    )


def merge_scripts(parts: list[ScriptFigures]) -> ScriptFigures:
    """All workers have the same scripts and functions, sooner or later; memory is added."""
    return ScriptFigures(
        interpreter=sum(part.interpreter for part in parts),
        cached=max(part.cached for part in parts),
        cached_memory=sum(part.cached_memory for part in parts),
        evicted=max(part.evicted for part in parts),
        libraries=max(part.libraries for part in parts),
        functions=max(part.functions for part in parts),
        libraries_memory=sum(part.libraries_memory for part in parts),
    )
