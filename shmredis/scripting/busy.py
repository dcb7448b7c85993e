"""How long a script runs, who is told, and who ends it."""

import logging
import time
from typing import TYPE_CHECKING, Protocol

from shmredis._core import lib
from shmredis.commands.inside import Call, Inside
from shmredis.commands.resp import CommandError, Reply

if TYPE_CHECKING:
    from shmredis.engine import Engine

__all__ = ["Host", "Watch"]

log = logging.getLogger(__name__)

LOAD_LIMIT_S = 0.5  # Source: Redis 8: FUNCTION LOAD
LOAD_TIMEOUT = b"FUNCTION LOAD timeout"
NOT_BUSY = "NOTBUSY No scripts in execution right now."
UNKILLABLE = (
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either "
    "wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)
BUSY = "BUSY Redis is busy running a script. You can only call {} KILL or SHUTDOWN NOSAVE."
KILLED = b"ERR Script killed by user with SCRIPT KILL..."
ENDED = b"ERR the server is shutting down"


class Host(Protocol):
    """What a watch needs of its worker."""

    @property
    def engine(self) -> "Engine": ...

    @property
    def busy_threshold_ms(self) -> int:
        """busy-reply-threshold; 0: scripts may run as long as they like, and nobody is served."""

    @property
    def inside(self) -> Inside: ...

    def serve_while_busy(self) -> None:
        """Serves sockets once, between engine_busy_begin and engine_busy_end."""


class Watch:
    """Looks at the script that runs now. Lua asks it every 100,000 instructions whether to go on."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.function: bytes | None = None  # the name of the one that runs, set by the engine
        self._ticked_s = 0.0  # when Lua asked first, a millisecond after the beginning
        self._serial = 0  # of the script that this was
        self._loading_s = 0.0  # since when a library is being loaded
        self._reason: bytes | None = None
        self.is_busy = False

    @property
    def call(self) -> Call | None:
        """The command that runs the script, or several within each other."""
        handle = lib.engine_inside_first(self._host.engine.handle)
        return Call.of(self._host.inside, handle) if handle else None

    def over(self) -> None:
        """A script has ended that was asked about."""
        if self.is_busy:
            self.is_busy, self._reason = False, None
            lib.engine_busy_over(self._host.engine.handle)

    def begin_load(self) -> None:
        self._loading_s = time.monotonic()

    def end_load(self) -> None:
        self._loading_s = 0.0

    # --- asked by Lua ---

    def tick(self) -> bytes | None:
        """Why the script has to end, or None."""
        try:
            return self._tick()
        except Exception:
            log.exception("clients cannot be served while a script runs")
            return None

    def _tick(self) -> bytes | None:
        now_s = time.monotonic()
        if self._loading_s:
            return LOAD_TIMEOUT if now_s - self._loading_s > LOAD_LIMIT_S else None
        serial = lib.engine_inside_serial(self._host.engine.handle)
        if serial != self._serial:
            self._serial, self._ticked_s = serial, now_s
        limit_ms = self._host.busy_threshold_ms
        call = self.call
        if call is None or not limit_ms or (now_s - self._ticked_s) * 1000 < limit_ms:
            return None
        if not self.is_busy:
            self._say(limit_ms)
        self._serve(call)
        return self._reason

    def _say(self, limit_ms: int) -> None:
        self.is_busy = True
        kind = "FUNCTION" if self.function else "SCRIPT"
        log.warning(
            "Slow script detected: still in execution after %d milliseconds. You can try killing the script "
            "using the %s KILL command.",
            limit_ms,
            kind,
        )

    def _serve(self, call: Call) -> None:
        engine = self._host.engine.handle
        lib.engine_busy_begin(engine, self.function is not None, call.has_written)
        try:
            self._host.serve_while_busy()
        finally:
            lib.engine_busy_end(engine)
        if lib.engine_busy_wanted(engine) and not call.has_written:
            self._reason = KILLED

    # --- asked by clients ---

    def kill(self, *, function: bool) -> None:
        """SCRIPT KILL, FUNCTION KILL: here or at another worker. Raises: CommandError."""
        if self.is_busy and (call := self.call):
            self._check_kind(function)
            if call.has_written:
                raise CommandError(UNKILLABLE)
            self._reason = KILLED
            return
        found = lib.engine_busy_kill(self._host.engine.handle, function)
        if found == lib.BUSY_OTHER:
            raise CommandError(BUSY.format("SCRIPT" if function else "FUNCTION"))
        if found == lib.BUSY_UNKILLABLE:
            raise CommandError(UNKILLABLE)
        if found == lib.BUSY_NONE:
            raise CommandError(NOT_BUSY)

    def _check_kind(self, function: bool) -> None:
        if function != (self.function is not None):
            raise CommandError(BUSY.format("FUNCTION" if self.function else "SCRIPT"))

    def check_shutdown(self, *, saves: bool) -> None:
        """SHUTDOWN while a script runs: only without saving, and the script ends. Raises: CommandError."""
        if not self.is_busy:
            return
        if saves:
            raise CommandError(BUSY.format("FUNCTION" if self.function else "SCRIPT"))
        self.stop()

    def stop(self) -> None:
        """The worker has to end, and the script with it."""
        self._reason = ENDED

    def running(self) -> Reply:
        """The function that runs, for FUNCTION STATS. Raises: CommandError when it is a script."""
        call = self.call
        if call is None or not self.is_busy:
            return None
        self._check_kind(True)
        duration_ms = int((time.monotonic() - self._ticked_s) * 1000)
        command: Reply = list(call.argv)
        return {"name": self.function, "command": command, "duration_ms": duration_ms}
