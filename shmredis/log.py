"""The server's log: Redis's line format on standard output or in a file."""

import logging
import os
import sys
import time
from dataclasses import dataclass
from io import TextIOWrapper
from logging.handlers import SysLogHandler
from pathlib import Path

__all__ = ["VERBOSE", "Syslog", "lines_of", "set_level", "start"]

VERBOSE = 15
NOTICE = logging.INFO
LEVELS = {
    "debug": logging.DEBUG,
    "verbose": VERBOSE,
    "notice": NOTICE,
    "warning": logging.WARNING,
    "nothing": logging.CRITICAL + 1,
}
MARKS = {logging.DEBUG: ".", VERBOSE: "-", NOTICE: "*"}


class LineFormat(logging.Formatter):
    """`PID:M 23 Nov 2026 21:40:01.123 * text`; `#` marks warnings and errors."""

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%d %b %Y %H:%M:%S", time.localtime(record.created))
        mark = MARKS.get(record.levelno, "#")
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{os.getpid()}:M {when}.{int(record.msecs):03} {mark} {text}"


@dataclass(slots=True, frozen=True)
class Syslog:
    """How the system's log knows the server."""

    ident: str
    facility: str  # "local0"

    def handler(self, address: str = "/dev/log") -> logging.Handler:
        """Raises: OSError."""
        handler = SysLogHandler(address, self.facility)
        handler.ident = f"{self.ident}[{os.getpid()}]: "
        return handler


def start(logfile: str, level: str, syslog: Syslog | None = None) -> None:
    """Sends all log lines to the file, or to standard output if it is empty; to syslog too if it is given.

    Raises: OSError.
    """
    handler = _handler(logfile)
    handler.setFormatter(LineFormat())
    logging.addLevelName(VERBOSE, "VERBOSE")
    logging.root.handlers[:] = [handler, *([syslog.handler()] if syslog else [])]
    set_level(level)


def _handler(logfile: str) -> logging.Handler:
    """Bytes that are no text, as files and clients may send, are logged as they are."""
    if logfile:
        return logging.FileHandler(Path(logfile), encoding="utf-8", errors="surrogateescape")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    return logging.StreamHandler(sys.stdout)


def lines_of(text: str) -> list[str]:
    """What is logged one by one; a headline with stars stays with the empty line before it."""
    head, _, rest = text.rpartition("***\n")
    return [head + "***"] * bool(head) + rest.split("\n")


def set_level(level: str) -> None:
    """`debug`, `verbose`, `notice`, `warning` or `nothing`."""
    logging.root.setLevel(LEVELS[level])
