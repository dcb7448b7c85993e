"""Libraries of functions: FUNCTION LOAD and what becomes of it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from shmredis._core import lib
from shmredis.commands.resp import CommandError
from shmredis.config.parser import split_words
from shmredis.scripting.payload import PayloadError, read_payload, write_payload
from shmredis.scripting.shebang import FLAG_NAMES, ScriptFlag

__all__ = ["Function", "Libraries", "Library"]

NAME = re.compile(rb"[A-Za-z0-9_]+")
BAD_NAME = (
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least "
    "one character long"
)
WRONG_POLICY = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
OVERHEAD = 200  # bytes that a library costs beside its code, about


@dataclass(slots=True, frozen=True)
class Function:
    """One function of a library; `call` is a function of Lua."""

    name: bytes
    flags: ScriptFlag
    description: bytes | None
    call: Any

    def flag_names(self) -> list[str]:
        return [name for name, flag in FLAG_NAMES.items() if flag & self.flags]


@dataclass(slots=True, frozen=True)
class Library:
    """What one FUNCTION LOAD has brought."""

    name: bytes
    code: bytes
    functions: dict[bytes, Function] = field(default_factory=dict)


class Libraries:
    """All libraries of a worker. `load_code` runs the code of one: what it registered, as Lua's list."""

    def __init__(self, load_code: Callable[[bytes], tuple[Any, ...]]) -> None:
        self._load_code = load_code
        self.all: dict[bytes, Library] = {}
        self._functions: dict[bytes, Function] = {}  # by name in lower case, as FCALL finds them
        self.changed: Callable[[], None] = lambda: None

    # --- asking ---

    def find(self, name: bytes) -> Function | None:
        return self._functions.get(name.lower())

    def sources(self) -> tuple[bytes, ...]:
        """The code of each library."""
        return tuple(library.code for library in self.all.values())

    @property
    def function_count(self) -> int:
        return len(self._functions)

    @property
    def memory_used(self) -> int:
        """Bytes, about."""
        return sum(len(code) + OVERHEAD for code in self.sources())

    def matching(self, pattern: bytes | None) -> Iterator[Library]:
        """Those whose names match a glob pattern; None: all."""
        for library in self.all.values():
            if pattern is None or _matches(pattern, library.name):
                yield library

    # --- changing ---

    def load(self, code: bytes, *, replace: bool) -> bytes:
        """The name of the library. Raises: CommandError; nothing has changed then."""
        name, body = _read_metadata(code)
        old = self.all.get(name)
        if old and not replace:
            raise CommandError(f"ERR Library '{name.decode()}' already exists")
        library = self._make(name, code, body)
        self._check_names(library, old)
        self._replace(library)
        self.changed()
        return name

    def _make(self, name: bytes, code: bytes, body: bytes) -> Library:
        ok, *found = self._load_code(body)
        if not ok:
            raise CommandError("ERR " + found[0].decode("utf-8", "surrogateescape"))
        if not found:
            raise CommandError("ERR No functions registered")
        library = Library(name, code)
        for i in range(0, len(found), 4):
            function = found[i]
            flags, description = ScriptFlag(int(found[i + 1])), found[i + 2] or None
            library.functions[function] = Function(function, flags, description, found[i + 3])
        return library

    def _check_names(self, library: Library, old: Library | None) -> None:
        given_up = {name.lower() for name in old.functions} if old else set()
        for name in library.functions:
            if name.lower() in self._functions.keys() - given_up:
                raise CommandError(f"ERR Function {name.decode()} already exists")

    def _replace(self, library: Library) -> None:
        if library.name in self.all:
            self._remove(library.name)
        self.all[library.name] = library
        for name, function in library.functions.items():
            self._functions[name.lower()] = function

    def _remove(self, name: bytes) -> None:
        for function in self.all.pop(name).functions:
            self._functions.pop(function.lower(), None)

    def delete(self, name: bytes) -> None:
        """Raises: CommandError."""
        if name not in self.all:
            raise CommandError("ERR Library not found")
        self._remove(name)
        self.changed()

    def flush(self) -> None:
        self.all.clear()
        self._functions.clear()
        self.changed()

    # --- payloads ---

    def dump(self) -> bytes:
        return write_payload(self.sources())

    def restore(self, payload: bytes, policy: str) -> None:
        """Raises: CommandError; nothing has changed then."""
        if policy not in ("FLUSH", "APPEND", "REPLACE"):
            raise CommandError(WRONG_POLICY)
        try:
            codes = read_payload(payload)
        except PayloadError as error:
            raise CommandError(f"ERR {error}") from None
        before = (dict(self.all), dict(self._functions))
        try:
            self._restore(codes, policy)
        except CommandError:
            self.all, self._functions = before
            raise
        self.changed()

    def _restore(self, codes: list[bytes], policy: str) -> None:
        if policy == "FLUSH":
            self.all.clear()
            self._functions.clear()
        for code in codes:
            name, body = _read_metadata(code)
            old = self.all.get(name)
            if old and policy == "APPEND":
                raise CommandError(f"ERR Library {name.decode()} already exists")
            library = self._make(name, code, body)
            self._check_names(library, old)
            self._replace(library)


def _matches(pattern: bytes, name: bytes) -> bool:
    return bool(lib.core_glob_match(pattern, len(pattern), name, len(name), True))


def _read_metadata(code: bytes) -> tuple[bytes, bytes]:
    """The name that the first line says, and what is to be run. Raises: CommandError."""
    if not code.startswith(b"#!"):
        raise CommandError("ERR Missing library metadata")
    line, newline, rest = code.partition(b"\n")
    if not newline:
        raise CommandError("ERR Invalid library metadata")
    try:
        words = [word.encode("latin-1") for word in split_words(line.decode("latin-1"))]
    except ValueError:
        raise CommandError("ERR Invalid library metadata") from None
    engine = words[0][2:]
    if not engine:
        raise CommandError("ERR Engine '' not found")
    name = None
    for word in words[1:]:
        if not word.lower().startswith(b"name="):
            shown = word.decode("utf-8", "surrogateescape")
            raise CommandError(f"ERR Invalid metadata value given: {shown}")
        if name is not None:
            raise CommandError("ERR Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise CommandError("ERR Library name was not given")
    if not NAME.fullmatch(name):
        raise CommandError(BAD_NAME)
    if engine.lower() != b"lua":
        shown = engine.decode("utf-8", "surrogateescape")
        raise CommandError(f"ERR Engine '{shown}' not found")
    return name, b"\n" + rest
