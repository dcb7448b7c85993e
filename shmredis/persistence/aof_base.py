"""A new base for the append-only file, written by a child while the log goes on in a new file.

    next incremental file into the manifest ─► fork, and the log goes on there ─► base ─► manifest

Source: the steps, log lines and names of Redis, specs/aof.md §6.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shmredis.commands.resp import encode
from shmredis.commands.version import REDIS_VERSION
from shmredis.config import Config
from shmredis.engine import Engine
from shmredis.faults import fault
from shmredis.persistence.forks import Ending, ForkKind, Forks, Options
from shmredis.persistence.rdb_file import Frame, Records, tell_done, write_end, write_head
from shmredis.persistence.removal import remove

__all__ = ["Base", "Libraries"]

log = logging.getLogger(__name__)

MODE = 0o644
Libraries = Callable[[], tuple[bytes, ...]]  # sources of FUNCTION LOAD


@dataclass(slots=True)
class Base:
    """One base being written to a temporary file in the data directory."""

    engine: Engine
    config: Config
    forks: Forks
    libraries: Libraries
    path: Path
    rdb: bool
    options: Options
    frame: Frame
    keys: int = -1  # that were written; -1: by a child

    @classmethod
    def begin(
        cls, engine: Engine, config: Config, forks: Forks, libraries: Libraries, *, name: str
    ) -> "Base":
        """Makes the file with its head. Raises: OSError."""
        rdb = config["aof-use-rdb-preamble"]
        options = Options.of(config)
        if not config["aof-rewrite-incremental-fsync"]:
            options = Options(options.compress, options.checksum, 0, options.key_delay_us)
        frame = _frame(engine, libraries())
        base = cls(engine, config, forks, libraries, Path.cwd() / name, rdb, options, frame)
        fd = os.open(base.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)
        try:
            base._write_head(fd)
        finally:
            os.close(fd)
        return base

    def _write_head(self, fd: int) -> None:
        if self.rdb:
            write_head(fd, self.frame)
            return
        lines = [b"#TS:%d\r\n" % int(time.time())] if self.config["aof-timestamp-enabled"] else []
        lines += [encode([b"FUNCTION", b"LOAD", source], 2) for source in self.libraries()]
        data = b"".join(lines)
        while data:
            data = data[os.write(fd, data) :]

    @property
    def kind(self) -> ForkKind:
        return ForkKind.RDB if self.rdb else ForkKind.COMMANDS

    def fork(self, number: int) -> "asyncio.Future[Ending]":
        """The instant is now. Raises: OSError."""
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            self.forks.prepare(number, self.kind, fd, self.options)
        finally:
            os.close(fd)
        return self.forks.now(number)

    def write_here(self) -> Ending:
        """Without a child: at the start, when there is nobody to be kept waiting. Raises: OSError."""
        records = self.forks.write_here(self.path, self.options, self.kind)
        self.keys = records.keys
        return Ending("", 0, records.size, records.crc, records.field_ttls, 0)

    def complete(self, ending: Ending, target: Path) -> None:
        """The end of the file, then it is put in its place, for good. Raises: OSError."""
        fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if self.rdb:
                keys = int(self.forks.report().keys_done) if self.keys < 0 else self.keys
                records = Records(None, ending.size, ending.crc, ending.field_ttls, keys)
                write_end(fd, self.frame, [records], checksum=self.config["rdbchecksum"])
                tell_done(fd, [records])
            os.fsync(fd)
        finally:
            os.close(fd)
        if fault("aof.base.rename"):
            raise OSError(28, "No space left on device")
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path.rename(target)
        fault("aof.base.renamed")

    def drop(self) -> None:
        """The file is not wanted."""
        with contextlib.suppress(OSError):
            remove(self.path)


def _frame(engine: Engine, libraries: tuple[bytes, ...]) -> Frame:
    fields: tuple[tuple[str, str | int], ...] = (
        ("redis-ver", REDIS_VERSION),
        ("redis-bits", 64),
        ("ctime", int(time.time())),
        ("used-mem", int(engine.memory().used)),
        ("aof-base", 1),
    )
    return Frame(fields, libraries)
