"""Children of a worker that write its data: forked by the core at an instant, watched from here.

One at a time, whatever it writes (csrc/persist/fork.h).
"""

import asyncio
import logging
import os
import signal
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from shmredis._core import ffi, lib
from shmredis.config import Config
from shmredis.engine import Engine
from shmredis.persistence.rdb_file import Records

__all__ = ["BY_SIGNAL", "GIVEN_UP", "Ending", "ForkKind", "Forks", "Options"]

log = logging.getLogger(__name__)

BY_SIGNAL = "terminated by signal"
GIVEN_UP = f"{BY_SIGNAL} {signal.SIGUSR1.value}"  # by FLUSHALL
SYNC_BYTES = 4 << 20  # rdb-save-incremental-fsync
FOREVER_US = 1 << 60
THAW_US, THAW_PAUSE_S = 500, 0.001  # of the event loop at a time, and between two
SLOWER = {
    1: "/proc/self/pagemap cannot be read: after a snapshot all pages are compared",
    2: "MADV_POPULATE_READ is missing: page tables are filled page by page",
}


class ForkKind(IntEnum):
    """What a child writes; enum fork_kind of csrc/core_files.h."""

    RDB = lib.FORK_RDB
    COMMANDS = lib.FORK_COMMANDS
    NOTHING = lib.FORK_NOTHING


@dataclass(slots=True, frozen=True)
class Options:
    """How it is written; struct fork_options."""

    compress: bool
    checksum: bool
    sync_every: int
    key_delay_us: int
    expendable: bool = False  # FLUSHALL ends it

    @classmethod
    def of(cls, config: Config) -> "Options":
        return cls(
            config["rdbcompression"],
            config["rdbchecksum"],
            SYNC_BYTES if config["rdb-save-incremental-fsync"] else 0,
            config["rdb-key-save-delay"],
        )

    def struct(self) -> Any:
        """A struct fork_options."""
        return ffi.new(
            "struct fork_options *",
            [
                self.compress,
                self.checksum,
                self.sync_every,
                self.key_delay_us,
                self.expendable,
            ],
        )


@dataclass(slots=True, frozen=True)
class Ending:
    """How a child ended; all is well if `error` is empty."""

    error: str
    signal: int  # that ended it, or 0
    size: int
    crc: int
    field_ttls: bool
    copied: int  # bytes of pages that were copied because of writes meanwhile


class Forks:
    """Prepares, forks, watches and kills this worker's child."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.handle
        self._pidfd = -1
        self._ending: asyncio.Future[Ending] | None = None
        self.total = 0
        self.killed = False  # the present child, by us

    def state(self) -> Any:
        """A struct fork_state filled now."""
        out = ffi.new("struct fork_state *")
        lib.engine_fork_state(self._engine, out)
        return out

    def report(self) -> Any:
        """A struct fork_report of the present or last child; zeros if there was none."""
        out = ffi.new("struct fork_report *")
        lib.engine_fork_report(self._engine, out)
        return out

    @property
    def pid(self) -> int:
        """The child; 0: there is none."""
        return int(self.state().pid)

    @property
    def possible(self) -> bool:
        """Whether an instant could be now: between commands, without a child, the arena whole and its own."""
        state = self.state()
        return not (state.pid or state.phase or state.guests or state.inside)

    def prepare(self, number: int, kind: ForkKind, fd: int, options: Options) -> None:
        """The instant of this number makes a child that writes to `fd`, which stays the caller's."""
        lib.engine_fork_prepare(self._engine, number, int(kind), fd, options.struct())

    def cancel(self) -> None:
        """Forgets what was prepared."""
        lib.engine_fork_cancel(self._engine)

    def now(self, number: int) -> asyncio.Future[Ending]:
        """This worker's own instant; what comes is how the child ended. Raises: OSError."""
        if error := lib.engine_fork(self._engine, number):
            raise OSError(error, os.strerror(error))
        return self.watch()

    def watch(self) -> asyncio.Future[Ending]:
        """The same for a child that the core has made at the instant of all workers."""
        state = self.state()
        loop = asyncio.get_running_loop()
        self._ending = loop.create_future()
        self._pidfd = os.pidfd_open(state.pid)
        self.total += 1
        self.killed = False
        loop.add_reader(self._pidfd, self._reap, state.pid)
        for bit, text in SLOWER.items():
            if state.lacks & bit:
                log.warning("%s", text)
        return self._ending

    def _reap(self, pid: int) -> None:
        """The child has ended."""
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        _, status = os.waitpid(pid, 0)
        ending = self._judge(os.waitstatus_to_exitcode(status))
        self._thaw()
        if self._ending and not self._ending.done():
            self._ending.set_result(ending)

    def _thaw(self) -> None:
        """Little by little; the next instant has to wait for the end of it."""
        if not lib.engine_fork_ended(self._engine, THAW_US):
            asyncio.get_running_loop().call_later(THAW_PAUSE_S, self._thaw)

    def _judge(self, code: int) -> Ending:
        report, error = self.report(), ""
        if code < 0:
            error = f"{BY_SIGNAL} {-code}"
        elif report.error:
            error = os.strerror(report.error)
        elif code or not report.done:
            error = f"ended with status {code}"
        copied = self.state().copied
        return Ending(error, max(0, -code), report.bytes, report.crc, report.field_ttls, copied)

    def write_here(self, path: Path, options: Options, kind: ForkKind = ForkKind.RDB) -> Records:
        """What a child would write, appended to the file by this process. Raises: OSError."""
        report = ffi.new("struct fork_report *")
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            lib.engine_write(self._engine, int(kind), fd, options.struct(), report)
        finally:
            os.close(fd)
        if report.error:
            raise OSError(report.error, os.strerror(report.error))
        keys = int(report.keys_done)
        return Records(None, report.bytes, report.crc, report.field_ttls, keys)

    async def wait_gone(self) -> None:
        """Until there is no child."""
        if self._ending and not self._ending.done():
            await asyncio.wait([self._ending])

    def kill(self) -> None:
        """Ends the child, if there is one; it is reaped as ever."""
        if pid := self.pid:
            self.killed = True
            os.kill(pid, signal.SIGKILL)

    def kill_and_thaw(self) -> None:
        """Before an orderly end: no child is left and the object is the present state."""
        if pid := self.pid:
            self.kill()
            self._reap(pid)
        lib.engine_fork_ended(self._engine, FOREVER_US)
