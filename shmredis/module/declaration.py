"""What a module says of itself: its name, its commands with their rows, what to do when it comes and goes."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, TypeVar

from shmredis.commands.categories import CATEGORIES
from shmredis.commands.registry import Flag, KeySpec
from shmredis.commands.resp import Reply
from shmredis.module.context import Context

__all__ = ["Command", "CountedKeys", "Handler", "KeyUse", "Keys", "Module", "ModuleError"]

Handler = Callable[[Context], Reply]
AnyHandler = TypeVar("AnyHandler", bound=Callable[[Context], Any])
Hook = TypeVar("Hook", bound=Callable[..., None])

NAME = re.compile(r"[A-Za-z0-9_.\-]{1,63}")
OWN_FLAGS = (
    Flag.WRITE | Flag.READ | Flag.DENYOOM | Flag.ADMIN | Flag.NOSCRIPT | Flag.FAST
    | Flag.SKIP_MONITOR | Flag.SKIP_SLOWLOG | Flag.DANGEROUS
)  # fmt: skip


class ModuleError(Exception):
    """A module cannot be loaded or unloaded; the text says why. `on_load` may raise it, too."""


class KeyUse(IntFlag):
    """What a command does with keys; the flags of COMMAND INFO follow."""

    READ = 1 << 0 | 1 << 4  # RO access
    CHANGE = 1 << 1 | 1 << 4 | 1 << 5  # RW access update
    INSERT = 1 << 1 | 1 << 6  # RW insert
    REPLACE = 1 << 2 | 1 << 5  # OW update
    REMOVE = 1 << 3 | 1 << 7  # RM delete


@dataclass(slots=True, frozen=True)
class Keys:
    """Arguments `first` to `last` (negative: counted from the end), every `step`, are keys.

    `use` None: CHANGE in commands that write, else READ.
    """

    first: int = 1
    last: int | None = None  # None: the first is the only one
    step: int = 1
    use: KeyUse | None = None

    def spec(self, usual: KeyUse) -> KeySpec:
        last = self.first if self.last is None else self.last
        span = last if last < 0 else last - self.first
        if self.first < 1 or self.step < 1 or 0 <= last < self.first:
            raise ModuleError(f"no keys: first {self.first}, last {last}, step {self.step}")
        return KeySpec(int(self.use or usual), at=self.first, a=span, b=self.step)


@dataclass(slots=True, frozen=True)
class CountedKeys:
    """The argument at `at` is a number of keys; they follow it."""

    at: int
    use: KeyUse | None = None

    def spec(self, usual: KeyUse) -> KeySpec:
        if self.at < 1:
            raise ModuleError(f"no number of keys at {self.at}")
        return KeySpec(int(self.use or usual), find="n", at=self.at, a=0, b=1, c=1)


@dataclass(slots=True, frozen=True)
class Command:
    """One command as it was declared."""

    name: str
    handler: Handler
    arity: int
    flags: Flag
    keys: tuple[KeySpec, ...]
    acl: str
    summary: str
    syntax: str
    since: str


@dataclass(slots=True)
class Module:
    """A module; its file has exactly one of these at its top level."""

    name: str
    version: int = 1
    commands: list[Command] = field(default_factory=list, init=False)
    load_hook: Callable[[list[str]], None] | None = field(default=None, init=False)
    unload_hook: Callable[[], None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ModuleError(f"'{self.name}' is no name of a module")

    def command(
        self,
        name: str,
        *,
        arity: int,
        flags: Flag = Flag.READ,
        keys: Keys | CountedKeys | tuple[Keys | CountedKeys, ...] = (),
        acl: str = "",
        summary: str = "",
        syntax: str = "",
        since: str = "1.0.0",
    ) -> Callable[[AnyHandler], AnyHandler]:
        """Declares the decorated function as a command.

        `arity` counts the name; negative: at least so many. `acl`: categories beside those that the
        flags imply, such as "string hash". `syntax`: arguments as in COMMAND DOCS, "key [COUNT count]".
        Raises: ModuleError.
        """
        checked_name = _checked(name, arity, flags, acl)
        groups = keys if isinstance(keys, tuple) else (keys,)
        usual = KeyUse.CHANGE if flags & Flag.WRITE else KeyUse.READ
        specs = tuple(group.spec(usual) for group in groups)

        def declare(handler: AnyHandler) -> AnyHandler:
            if inspect.iscoroutinefunction(handler):
                raise ModuleError(f"{name} is a coroutine function: a command cannot wait")
            said = summary or (inspect.getdoc(handler) or "").partition("\n")[0]
            self.commands.append(
                Command(checked_name, handler, arity, flags, specs, acl, said, syntax, since)
            )
            return handler

        return declare

    def on_load(self, hook: Hook) -> Hook:
        """The decorated function is called with the arguments of `loadmodule`, in every worker."""
        self.load_hook = hook
        return hook

    def on_unload(self, hook: Hook) -> Hook:
        """The decorated function is called when the module goes."""
        self.unload_hook = hook
        return hook


def _checked(name: str, arity: int, flags: Flag, acl: str) -> str:
    """The name in upper case. Raises: ModuleError."""
    if not NAME.fullmatch(name):
        raise ModuleError(f"'{name}' is no name of a command")
    if arity == 0:
        raise ModuleError(f"{name}: the arity counts the name, so it is not 0")
    if flags & ~OWN_FLAGS:
        raise ModuleError(f"{name}: flags {Flag(flags & ~OWN_FLAGS)!r} are not for modules")
    if unknown := set(acl.split()) - set(CATEGORIES):
        raise ModuleError(f"{name}: no ACL category {', '.join(sorted(unknown))}")
    return name.upper()
