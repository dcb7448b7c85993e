"""The modules of a server: which there are, and this worker's part of them.

There is one list of them, in order. Worker 0 changes it: it tries the change on itself, tells the front,
which has new workers begin with the list, and then the others have to agree.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shmredis.commands.registry import CommandTable
from shmredis.module.declaration import Module, ModuleError
from shmredis.module.loading import describe, introduce, read_module, take_back

if TYPE_CHECKING:
    from shmredis.config.declared_modules import ModuleLine

__all__ = ["Entry", "Loaded", "Modules", "read_list", "written_list"]

log = logging.getLogger(__name__)

NO_SUCH_MODULE = "no such module with that name"


@dataclass(slots=True, frozen=True)
class Entry:
    """One module of the list: an absolute path, and the arguments for it."""

    path: str
    args: tuple[str, ...]


@dataclass(slots=True, frozen=True)
class Loaded:
    """A module that this worker has."""

    entry: Entry
    module: Module
    rows: list[int]


def written_list(entries: Iterable[Entry]) -> bytes:
    """As one worker tells another; `read_list` reads it."""
    return json.dumps([asdict(entry) for entry in entries]).encode()


def read_list(data: bytes) -> list[Entry]:
    return [Entry(item["path"], tuple(item["args"])) for item in json.loads(data)]


class Modules:
    """Loads and unloads in one worker."""

    def __init__(self, commands: CommandTable, changed: Callable[[], None]) -> None:
        """`changed` is called when commands have come or gone."""
        self._commands = commands
        self._changed = changed
        self._loaded: dict[str, Loaded] = {}

    @property
    def listed(self) -> list[Loaded]:
        """In the order in which they were loaded."""
        return list(self._loaded.values())

    @property
    def entries(self) -> list[Entry]:
        return [loaded.entry for loaded in self.listed]

    def begin(self, lines: "Iterable[ModuleLine | Entry]", *, strict: bool) -> None:
        """At the start of a worker. `strict`: Raises: ModuleError; else what fails is left out."""
        for line in lines:
            try:
                self.load(Entry(str(Path(line.path).absolute()), tuple(line.args)))
            except ModuleError as error:
                if strict:
                    raise ModuleError(f"Can't load module from {line.path}: {error}") from error
                log.warning("Module %s is not loaded again: %s", line.path, error)

    def load(self, entry: Entry) -> Loaded:
        """Raises: ModuleError, nothing has changed then."""
        module = read_module(Path(entry.path))
        if module.name in self._loaded:
            raise ModuleError(f"a module with the name {module.name} is loaded")
        rows = introduce(module, entry.args, self._commands)
        loaded = self._loaded[module.name] = Loaded(entry, module, rows)
        log.info("Module '%s' loaded from %s", module.name, entry.path)
        self._changed()
        return loaded

    def unload(self, name: str) -> None:
        """Raises: ModuleError."""
        loaded = self._loaded.get(name)
        if loaded is None:
            raise ModuleError(NO_SUCH_MODULE)
        take_back(loaded.module, loaded.rows, self._commands)
        del self._loaded[name]
        sys.modules.pop(f"shmredis_module_{Path(loaded.entry.path).stem}", None)
        try:
            if loaded.module.unload_hook:
                loaded.module.unload_hook()
        except BaseException as error:
            log.warning("Module '%s' failed as it was unloaded: %s", name, describe(error))
        log.info("Module '%s' unloaded", name)
        self._changed()

    def agree(self, entries: list[Entry]) -> None:
        """Loads and unloads until this worker has these modules."""
        for loaded in self.listed:
            if loaded.entry not in entries:
                self.unload(loaded.module.name)
        self.begin([entry for entry in entries if entry not in self.entries], strict=False)
