"""What the handler of a module's command gets: its arguments, and the server's commands."""

import logging
import threading
import time

from shmredis.commands.inside import Call
from shmredis.commands.resp import CommandError, format_double
from shmredis.module.answers import Answer, read_answer

__all__ = ["Answer", "Context", "Word"]

log = logging.getLogger(__name__)

Word = bytes | str | int | float
"""What a command is made of. Text is UTF-8."""


def raw_word(value: Word) -> bytes:
    """The bytes of one word. Raises: TypeError."""
    match value:
        case bytes():
            return value
        case str():
            return value.encode("utf-8", "surrogateescape")
        case bool():
            pass
        case int():
            return b"%d" % value
        case float():
            return format_double(value)
    raise TypeError(f"a command is made of bytes, str, int and float, not {type(value).__name__}")


class Context:
    """One execution of a command; good until the handler returns, and in its thread only."""

    __slots__ = ("_call", "_module", "_thread", "argv")

    def __init__(self, call: Call, module: str) -> None:
        self._call: Call | None = call
        self._module = module
        self._thread = threading.get_ident()
        self.argv = call.argv
        call.set_resp(3)

    def end(self) -> None:
        """The handler has returned."""
        self._call = None

    @property
    def _running(self) -> Call:
        """Raises: RuntimeError when the command is over, or its worker does something else."""
        if self._call is None or self._thread != threading.get_ident():
            raise RuntimeError(
                "a Context is good in its command's thread until the handler returns"
            )
        return self._call

    @property
    def args(self) -> list[bytes]:
        """The arguments without the command's name."""
        return self.argv[1:]

    @property
    def resp(self) -> int:
        """The RESP version of the client: 2 or 3."""
        return self._running.resp

    @property
    def db(self) -> int:
        """The database that commands run in; `call("SELECT", n)` changes it for this command."""
        return self._running.db

    @property
    def has_memory(self) -> bool:
        """Whether commands that need memory may run: less than maxmemory is in use."""
        return not self._running.no_memory

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def call(self, *words: Word) -> Answer:
        """Runs a command and returns its reply as a Python value.

        It runs as the server's own: no rights of users are asked. A blocking command does not wait.
        Raises: CommandError, the error that the command has replied.
        """
        answer = self.attempt(*words)
        if isinstance(answer, CommandError):
            raise answer
        return answer

    def attempt(self, *words: Word) -> Answer:
        """The same, but an error is returned and not raised."""
        return read_answer(self._running.run(*map(raw_word, words)))

    def log(self, text: str, *, warning: bool = False) -> None:
        """Writes a line to the server's log."""
        level = logging.WARNING if warning else logging.INFO
        log.log(level, "<%s> %s", self._module, text)
