"""Loading append-only folders: base, incremental files, what is torn or does not count.

`AofLoad.step` does a slice and returns, so that the event loop can answer -LOADING meanwhile. What it
raises ends the server: the text is the log line. Source: the rules and lines of Redis, specs/aof.md §4.
"""

import logging
import os
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from errno import ENOENT
from typing import Any

from shmredis._core import ffi, lib
from shmredis.config import Config
from shmredis.engine import Engine
from shmredis.persistence.aof_folder import Folder
from shmredis.persistence.aof_manifest import (
    RDB_MAGIC,
    RDB_MAGIC_SIZE,
    LogFile,
    Manifest,
    ManifestError,
    Role,
)
from shmredis.persistence.aof_tail import LogPlace, files_since
from shmredis.persistence.rdb_load import RdbError, RdbLoad

__all__ = ["AofError", "AofLoad", "LoadRules", "manifest_of"]

log = logging.getLogger(__name__)

SLICE_US = 10_000
SHORT = "!!! Warning: short read while loading the AOF file %s!!!"
FIX = "./shmredis-check-aof --fix"
PAUSE = " " * 9  # as Redis has it, in the midst of a line
RDB_SLICE = 1 << 20

Call = Callable[[int, list[bytes]], None]  # a command of Python: the database and its arguments


class AofError(Exception):
    """The log cannot be loaded; the text is for the log."""


@dataclass(slots=True, frozen=True)
class LoadRules:
    """What is done about damage."""

    truncated: bool  # aof-load-truncated
    corrupt_tail: int  # aof-load-corrupt-tail-max-size

    @classmethod
    def of(cls, config: Config) -> "LoadRules":
        return cls(config["aof-load-truncated"], config["aof-load-corrupt-tail-max-size"])


def manifest_of(folder: Folder) -> Manifest | None:
    """None: there is nothing to load. Raises: AofError."""
    try:
        return folder.read()
    except ManifestError as error:
        lines = ["", "*** FATAL AOF MANIFEST FILE ERROR ***"]
        if error.number:
            lines += [f"Reading the manifest file, at line {error.number}", f">>> '{error.line}'"]
        raise AofError("\n".join([*lines, str(error)])) from None
    except OSError as error:
        raise AofError(
            f"Fatal error: can't open the AOF manifest file {folder.manifest_path}: {error.strerror}"
        ) from None


class AofLoad:
    """One folder into one engine, which logs nothing and serves nobody meanwhile."""

    def __init__(
        self,
        engine: Engine,
        folder: Folder,
        rules: LoadRules,
        dropped: set[str],
        call: Call,
        since: LogPlace | None = None,
    ) -> None:
        """`dropped`: ids of parts that do not count. `since`: the engine has what comes before.

        Raises: AofError.
        """
        self._load_into = engine
        self._engine = engine.handle
        self._folder = folder
        self._rules = rules
        self._dropped = dropped
        self._call = call
        self.manifest = manifest_of(folder) or Manifest()
        self._parts = list(files_since(self.manifest, since))
        self._work = self._load()
        files = tuple(file for file, _ in self._parts)
        self.total = folder.size(files) - sum(offset for _, offset in self._parts)
        self.done = 0  # bytes
        self.commands = self.errors = self.left_out = 0

    def step(self) -> bool:
        """A slice of work; True when all is loaded. Raises: AofError."""
        return next(self._work, None) is None

    def look(self) -> None:
        """Whether all files are there. Raises: AofError."""
        self._check_presence([file for file, _ in self._parts])

    def _load(self) -> Iterator[bool]:
        files = [file for file, _ in self._parts]
        self._check_presence(files)
        for file, offset in self._parts:
            yield from self._load_file(file, offset, last=file is files[-1])

    def _check_presence(self, files: list[LogFile]) -> None:
        """Raises: AofError."""
        for file in files:
            path = self._folder.place(file)
            if not path.exists():
                raise AofError(
                    f"Unable to obtain the AOF file {file.name} length. stat: {os.strerror(ENOENT)}"
                )

    def _load_file(self, file: LogFile, begin: int, *, last: bool) -> Iterator[bool]:
        started, before = time.monotonic(), self.done
        path = self._folder.place(file)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise AofError(
                f"Fatal error: can't open the append log file {file.name} for reading: {error.strerror}"
            ) from None
        try:
            size = os.fstat(fd).st_size
            offset = begin
            if not begin and os.pread(fd, RDB_MAGIC_SIZE, 0) in RDB_MAGIC:
                log.info("Reading RDB base file on AOF loading...")
                log.info("RDB is base AOF")
                offset = yield from self._load_rdb(fd, file, size)
            if size > offset:
                yield from self._replay(fd, file, offset, last=last)
        finally:
            os.close(fd)
        self.done = before + size - begin
        if size > begin:
            kind = "base" if file.role is Role.BASE else "incr"
            spent = time.monotonic() - started
            log.info("DB loaded from %s file %s: %.3f seconds", kind, file.name, spent)

    # --- the base ---

    def _load_rdb(self, fd: int, file: LogFile, size: int) -> Generator[bool, None, int]:
        """Returns where commands begin."""
        before = self.done
        os.lseek(fd, 0, os.SEEK_SET)
        with RdbLoad(self._load_into, fd, size) as load:
            try:
                while not load.step(RDB_SLICE):
                    self.done = before + load.facts().offset
                    yield False
            except RdbError as error:
                raise AofError(
                    f"{error}\nError reading the RDB preamble of the AOF file {file.name}, "
                    "AOF loading aborted"
                ) from None
            for library in load.libraries():
                self._call(0, [b"FUNCTION", b"LOAD", b"REPLACE", library])
            return load.facts().offset

    # --- commands ---

    def _replay(self, fd: int, file: LogFile, offset: int, *, last: bool) -> Iterator[bool]:
        error = ffi.new("int *")
        replay = lib.replay_new(self._engine, fd, offset, error)
        if not replay:
            raise AofError(f"Fatal error: can't read {file.name}: {os.strerror(error[0])}")
        for name in self._dropped:
            lib.replay_drop(replay, name.encode())
        info, before = ffi.new("struct replay_info *"), self.done
        try:
            while True:
                outcome = lib.replay_step(replay, SLICE_US)
                lib.replay_info(replay, info)
                self.done = before + int(info.at) - offset
                if outcome == lib.REPLAY_CALL:
                    self._call(int(info.db), _argv(replay))
                elif outcome == lib.REPLAY_MORE:
                    yield False
                else:
                    break
        finally:
            lib.replay_delete(replay)
        self.commands += int(info.commands)
        self.errors += int(info.errors)
        self.left_out += int(info.skipped)
        if outcome != lib.REPLAY_DONE:
            self._mend(fd, file, outcome, info, last=last)

    def _mend(self, fd: int, file: LogFile, outcome: int, info: Any, *, last: bool) -> None:
        """Cuts a torn end, if that is allowed. Raises: AofError."""
        name, valid, lost = file.name, int(info.valid), int(info.size - info.valid)
        place = f"{self._folder.path.name}/{name}"
        self._must_be_mendable(name, place, outcome, info, last=last)
        torn = outcome == lib.REPLAY_TORN
        if torn:
            log.warning(SHORT, name)
            log.warning("!!! Truncating the AOF %s at offset %d !!!", name, valid)
        else:
            log.warning("!!! Warning: corrupt AOF file tail!!!")
            text = "!!! Truncating the AOF %s at offset %d (remaining %d) !!!"
            log.warning(text, place, valid, lost)
        try:
            os.ftruncate(fd, valid)
            os.fsync(fd)
        except OSError as error:
            raise AofError(f"Error truncating the AOF file {name}: {error.strerror}") from None
        rule = "aof-load-truncated" if torn else "aof-load-corrupt-tail-max-size"
        log.warning("AOF %s loaded anyway because %s is enabled", place, rule)

    def _must_be_mendable(
        self, name: str, place: str, outcome: int, info: Any, *, last: bool
    ) -> None:
        """Raises: AofError."""
        valid, lost = int(info.valid), int(info.size - info.valid)
        text = ffi.string(info.text).decode("utf-8", "replace")
        if text.startswith("Reached EOF before"):
            log.warning("Revert incomplete MULTI/EXEC transaction in AOF file %s", name)
        if outcome == lib.REPLAY_UNKNOWN:
            raise AofError(f"Unknown command '{text}' reading the append only file {name}")
        if outcome == lib.REPLAY_BAD and not (last and lost <= self._rules.corrupt_tail):
            raise AofError(
                f"Bad file format reading the append only file {place} at offset {valid}. {PAUSE}make a "
                f"backup of your AOF file, then use {FIX} <filename.manifest>. {PAUSE}Alternatively you "
                "can set the 'aof-load-corrupt-tail-max-size' configuration option to "
                f"{lost} and restart the server."
            )
        if outcome == lib.REPLAY_TORN and self._rules.truncated and not last:
            log.warning(SHORT, name)
            raise AofError("Fatal error: the truncated file is not the last file")
        if outcome == lib.REPLAY_TORN and not self._rules.truncated:
            raise AofError(
                f"Unexpected end of file reading the append only file {name}. You can: 1) Make a backup "
                f"of your AOF file, then use {FIX} <filename.manifest>. 2) "
                "Alternatively you can set the 'aof-load-truncated' configuration option to yes and "
                "restart the server."
            )


def _argv(replay: Any) -> list[bytes]:
    n, argv = ffi.new("size_t *"), []
    for i in range(lib.replay_argc(replay)):
        text = lib.replay_argv(replay, i, n)
        argv.append(bytes(ffi.buffer(text, n[0])))
    return argv
