"""A worker's data out of the append-only folders of the server, at its start.

Usually a worker loads its own folder. When the folders are those of another number of workers, each is
loaded into an engine of its own, out of which the keys of this worker's slots are taken.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shmredis._core import ffi, lib
from shmredis.config import Config
from shmredis.engine import Engine
from shmredis.persistence.aof_folder import Folder
from shmredis.persistence.aof_layout import layout_to_load
from shmredis.persistence.aof_load import AofError, AofLoad, Call, LoadRules, manifest_of
from shmredis.persistence.aof_manifest import LogFile
from shmredis.persistence.aof_verdict import Verdict, read_parts

__all__ = ["AofRecovery", "Equip", "Recovered"]

ALONE = -1

Equip = Callable[
    [Engine], Call
]  # has an engine run commands of Python; what takes those about no key


@dataclass(slots=True)
class Recovered:
    """How it went. `found` is false when there was no log: the worker is empty."""

    found: bool = False
    dropped: set[str] = field(default_factory=set)  # parts left out
    commands: int = 0
    errors: int = 0


class AofRecovery:
    """Loads in slices; `done` and `total` are bytes."""

    def __init__(
        self,
        engine: Engine,
        config: Config,
        index: int,
        count: int,
        call: Call,
        equip: Equip,
        verdict: Verdict | None,
    ) -> None:
        """`equip` is for engines of the logs of another number of workers.

        `verdict` is that of the start of the server. Without one, this worker is brought back.

        Raises: AofError, OSError.
        """
        self._engine = engine
        self._verdict = verdict
        self._config = config
        self._index = index
        self._count = count
        self._call = call
        self._equip = equip
        self._rules = LoadRules.of(config)
        self.result = Recovered()
        self._folders, self._fits = layout_to_load(config)
        self.result.found = any(self._files(folder) for folder in self._folders.values())
        self.total = sum(self._size(folder) for folder in self._chosen().values())
        self.done = 0
        self._work = self._load()

    @staticmethod
    def _files(folder: Folder) -> tuple[LogFile, ...]:
        manifest = manifest_of(folder)
        return manifest.files if manifest else ()

    def _size(self, folder: Folder) -> int:
        return folder.size(self._files(folder))

    def _chosen(self) -> dict[int, Folder]:
        """The folders that this worker has to load."""
        if not self._fits:
            return self._folders
        own = ALONE if self._count == 1 else self._index
        return {own: self._folders[own]} if own in self._folders else {}

    def look(self) -> None:
        """Finds files missing without loading any. Raises: AofError."""
        for folder in self._chosen().values():
            AofLoad(self._engine, folder, self._rules, set(), self._call).look()

    def step(self) -> bool:
        """A slice; True when all is loaded. Raises: AofError, OSError."""
        return next(self._work, None) is None

    def _load(self) -> Iterator[bool]:
        left_out = self._left_out()
        for number, folder in self._chosen().items():
            dropped = left_out[number]
            self.result.dropped |= dropped
            if self._fits:
                yield from self._load_folder(self._engine, folder, dropped, self._call)
            else:
                yield from self._take(folder, dropped)

    def _left_out(self) -> dict[int, set[str]]:
        """Parts of commands that do not count, by folder. Raises: AofError, OSError.

        When a single worker is brought back, the others have their parts, so its own count, too, but for
        those that were left out at the start of the server.
        """
        if self._verdict and set(self._folders) != {ALONE}:
            return self._verdict.judge(self._config).left_out
        return {number: parts.dropped for number, parts in read_parts(self._chosen()).items()}

    def _load_folder(
        self, engine: Engine, folder: Folder, dropped: set[str], call: Call
    ) -> Generator[bool, None, None]:
        load = AofLoad(engine, folder, self._rules, dropped, call)
        before = self.done
        while not load.step():
            self.done = before + load.done
            yield False
        self.done = before + load.done
        self.result.commands += load.commands
        self.result.errors += load.errors

    def _take(self, folder: Folder, dropped: set[str]) -> Iterator[bool]:
        with scratch_engine(self._config) as scratch:
            yield from self._load_folder(scratch, folder, dropped, self._equip(scratch))
            if status := lib.engine_take_keys(self._engine.handle, scratch.handle):
                why = ffi.string(lib.core_status_text(status)).decode()
                raise AofError(f"The keys of {folder.path} cannot be taken over: {why}")


@contextmanager
def scratch_engine(config: Config) -> Iterator[Engine]:
    """An engine for a while, with memory that nobody else sees. Raises: AofError."""
    fd, status = os.memfd_create("shmredis-load", os.MFD_CLOEXEC), ffi.new("int *")
    size, databases = config["arena-max"], config["databases"]
    handle = lib.engine_new(fd, b"load", size, os.urandom(16), databases, status)
    if not handle:
        raise AofError(ffi.string(lib.core_status_text(status[0])).decode())
    lib.engine_set_say(handle, lib.python_say)
    try:
        yield Engine(handle)
    finally:
        lib.engine_delete(handle)
