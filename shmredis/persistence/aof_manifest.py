"""The manifest of an append-only folder: which files make up the log, in which order.

    file appendonly.aof.2.base.rdb seq 2 type b
    file appendonly.aof.2.incr.aof seq 2 type i

Source: the manifest of Redis 7.0 and later, specs/aof.md §2.
"""

from dataclasses import dataclass, replace
from enum import Enum

from shmredis.config.parser import split_words

__all__ = [
    "RDB_MAGIC",
    "RDB_MAGIC_SIZE",
    "LogFile",
    "Manifest",
    "ManifestError",
    "Role",
    "parse_manifest",
]

RDB_MAGIC = (b"REDIS", b"VALKE")  # how a base begins that is an RDB file; Valkey has its own
RDB_MAGIC_SIZE = 5
LINE_MAX = 1024
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+")
FORMAT = "Invalid AOF manifest file format"


class ManifestError(Exception):
    """The text is what is wrong; `line` and `number` say where, 0: with the whole file."""

    def __init__(self, why: str, number: int = 0, line: str = "") -> None:
        super().__init__(why)
        self.number = number
        self.line = line


class Role(Enum):
    """What a file is; the value is its letter."""

    BASE = "b"
    HISTORY = "h"
    INCREMENTAL = "i"


@dataclass(slots=True, frozen=True)
class LogFile:
    """One line. Offsets of the replication stream are kept as they were read."""

    name: str
    seq: int
    role: Role
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def line(self) -> str:
        rest = "".join(f" {key} {value}" for key, value in self.extra)
        return f"file {_quoted(self.name)} seq {self.seq} type {self.role.value}{rest}\n"


@dataclass(slots=True, frozen=True)
class Manifest:
    """All files. Values are never changed: each step makes a new one."""

    base: LogFile | None = None
    history: tuple[LogFile, ...] = ()
    incrementals: tuple[LogFile, ...] = ()

    @property
    def text(self) -> str:
        files = [*([self.base] if self.base else []), *self.history, *self.incrementals]
        return "".join(file.line for file in files)

    @property
    def files(self) -> tuple[LogFile, ...]:
        """Those that are loaded, in order."""
        return (*([self.base] if self.base else []), *self.incrementals)

    @property
    def last_incremental(self) -> int:
        """Its number; 0: there is none."""
        return self.incrementals[-1].seq if self.incrementals else 0

    def with_incremental(self, file: LogFile) -> "Manifest":
        return replace(self, incrementals=(*self.incrementals, file))

    def rewritten(self, base: LogFile, first: int) -> "Manifest":
        """A new base that has all that came before the incremental file number `first`."""
        old = [file for file in self.incrementals if file.seq < first]
        gone = [*([self.base] if self.base else []), *old]
        history = tuple(replace(file, role=Role.HISTORY, extra=()) for file in gone)
        kept = tuple(file for file in self.incrementals if file.seq >= first)
        return Manifest(base, (*self.history, *history), kept)

    def without_history(self) -> "Manifest":
        return replace(self, history=())


def parse_manifest(data: bytes) -> Manifest:
    """Raises: ManifestError."""
    text = data.decode("utf-8", "surrogateescape")
    if not text:
        raise ManifestError("Found an empty AOF manifest")
    manifest = Manifest()
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1], 1):
        if line.startswith("#"):
            continue
        if len(line) >= LINE_MAX:
            raise ManifestError("The AOF manifest file contains too long line", number, line)
        manifest = _add(manifest, number, line.removesuffix("\r"))
    if lines[-1]:
        why = "The AOF manifest file contains too long line"
        raise ManifestError(why, len(lines), lines[-1])
    return manifest


def _add(manifest: Manifest, number: int, line: str) -> Manifest:
    try:
        return _with(manifest, _parse_line(line))
    except ValueError as error:
        raise ManifestError(str(error), number, line) from None


def _parse_line(line: str) -> LogFile:
    """Raises: ValueError."""
    words = _words(line)
    if len(words) < 6 or len(words) % 2:
        raise ValueError(FORMAT)
    name, seq, role = "", 0, None
    extra = []
    for key, value in zip(words[::2], words[1::2], strict=True):
        match key.lower():
            case "file":
                if "\0" in value:
                    raise ValueError(FORMAT)
                if "/" in value or not value:
                    raise ValueError("File can't be a path, just a filename")
                name = value
            case "seq":
                seq = _number(value)
            case "type":
                role = _role(value)
            case "startoffset" | "endoffset":
                extra.append((key.lower(), str(_number(value))))
    if not name or not seq or role is None:
        raise ValueError(FORMAT)
    return LogFile(name, seq, role, tuple(extra))


def _words(line: str) -> list[str]:
    """Raises: ValueError."""
    try:
        return split_words(line)
    except ValueError:
        raise ValueError(FORMAT) from None


def _number(text: str) -> int:
    """The number at the beginning, 0 without one, as C reads it."""
    digits = text.lstrip(" ")
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-") if digits[:1] in "+-" else digits
    end = next((i for i, c in enumerate(digits) if c not in "0123456789"), len(digits))
    return sign * int(digits[:end][:19] or "0")


def _role(text: str) -> Role:
    try:
        return Role(text[:1])
    except ValueError:
        raise ValueError("Unknown AOF file type") from None


def _with(manifest: Manifest, file: LogFile) -> Manifest:
    """Raises: ValueError."""
    if file.role is Role.BASE:
        if manifest.base:
            raise ValueError("Found duplicate base file information")
        return replace(manifest, base=file)
    if file.role is Role.HISTORY:
        return replace(manifest, history=(*manifest.history, file))
    if file.seq <= manifest.last_incremental:
        raise ValueError("Found a non-monotonic sequence number")
    return manifest.with_incremental(file)


# --- names with odd bytes ---


def _quoted(name: str) -> str:
    if all(c in PLAIN for c in name):
        return name
    shown = {"\\": "\\\\", '"': '\\"', **{value: f"\\{key}" for key, value in ESCAPES.items()}}
    return '"' + "".join(shown.get(c) or _shown_byte(c) for c in name) + '"'


def _shown_byte(c: str) -> str:
    if " " <= c <= "~":
        return c
    return "".join(f"\\x{byte:02x}" for byte in c.encode("utf-8", "surrogateescape"))
