"""Commands, keys and channels that are allowed together: one selector of a user, and its modifiers."""

from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING, Protocol

from shmredis.acl.errors import (
    CHANNELS_AFTER_ALL,
    FIRST_ARG_OF_SUBCOMMAND,
    KEYS_AFTER_ALL,
    SYNTAX,
    UNKNOWN_COMMAND,
    RuleError,
)

if TYPE_CHECKING:
    from shmredis.acl.catalogue import Catalogue

__all__ = ["Allowed", "CommandNames", "KeyPattern", "Permission", "Selector", "has_space"]


class Permission(IntFlag):
    """What may be done to keys that match a pattern; enum acl_permission of csrc/core_session.h."""

    NONE = 0
    READ = 1
    WRITE = 2
    BOTH = 3


_PREFIXES = {Permission.BOTH: "~", Permission.READ: "%R~", Permission.WRITE: "%W~"}
_LETTERS = {"r": Permission.READ, "w": Permission.WRITE}


def has_space(text: str) -> bool:
    """Whether it would not be one word in a file."""
    return any(char in " \t\n\v\f\r\0" for char in text)


class CommandNames(Protocol):
    """Which commands and categories there are; acl/catalogue.py says what the answers mean."""

    def command(self, name: str) -> int: ...

    def category(self, name: str) -> int | None: ...

    def has_subcommands(self, name: str) -> bool: ...


@dataclass(slots=True)
class KeyPattern:
    """Keys, and what may be done to them."""

    permission: Permission
    text: str

    def __str__(self) -> str:
        return _PREFIXES[self.permission] + self.text


@dataclass(slots=True)
class Allowed:
    """What follows from rules on commands: bits by row, and words that argv[1] must be by row."""

    bits: int
    first_args: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True)
class Selector:
    """What is allowed together. `rules` are on commands, after `base`, the last one on each wins."""

    all_keys: bool = False
    all_channels: bool = False
    base: str = "-@all"
    rules: list[str] = field(default_factory=list)
    keys: list[KeyPattern] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)

    # --- modifiers ---

    def apply(self, rule: str, names: CommandNames) -> None:
        """Raises: RuleError, having changed nothing."""
        change = _WORDS.get(rule.lower())
        if change:
            change(self)
        elif rule[:1] in ("~", "%"):
            self._add_keys(rule)
        elif rule[:1] == "&":
            self._add_channels(rule[1:])
        elif rule[:1] in ("+", "-"):
            self._add_command_rule(rule[0], rule[1:].lower(), names)
        else:
            raise RuleError(SYNTAX)

    def _allow_keys(self) -> None:
        self.all_keys, self.keys = True, []

    def _reset_keys(self) -> None:
        self.all_keys, self.keys = False, []

    def _allow_channels(self) -> None:
        self.all_channels, self.channels = True, []

    def _reset_channels(self) -> None:
        self.all_channels, self.channels = False, []

    def _allow_commands(self) -> None:
        self.base, self.rules = "+@all", []

    def _refuse_commands(self) -> None:
        self.base, self.rules = "-@all", []

    def _add_keys(self, rule: str) -> None:
        if self.all_keys:
            raise RuleError(KEYS_AFTER_ALL)
        permission, pattern = _split_key_rule(rule)
        if has_space(pattern):
            raise RuleError(SYNTAX)
        for known in self.keys:
            if known.text == pattern:
                known.permission |= permission
                return
        self.keys.append(KeyPattern(permission, pattern))

    def _add_channels(self, pattern: str) -> None:
        if self.all_channels:
            raise RuleError(CHANNELS_AFTER_ALL)
        if has_space(pattern):
            raise RuleError(SYNTAX)
        if pattern not in self.channels:
            self.channels.append(pattern)

    def _add_command_rule(self, sign: str, name: str, names: CommandNames) -> None:
        if name[:1] == "@":
            if names.category(name[1:]) is None:
                raise RuleError(UNKNOWN_COMMAND)
        elif not names.command(name):
            _check_first_arg(sign, name, names)
        self.rules = [old for old in self.rules if not _replaces(name, old[1:])]
        self.rules.append(sign + name)

    # --- what follows ---

    def compiled(self, catalogue: "Catalogue") -> Allowed:
        """The rules in their order, as bits; those on commands that are gone do nothing."""
        allowed = Allowed(catalogue.everything if self.base == "+@all" else 0)
        for rule in self.rules:
            name = rule[1:]
            known = catalogue.category(name[1:]) if name[0] == "@" else catalogue.command(name)
            if not known and name[0] != "@":
                command, _, word = name.partition("|")
                row = catalogue.row(command)
                if row is not None and word:
                    allowed.first_args.append((row, word))
                continue
            bits = known or 0
            allowed.bits = allowed.bits | bits if rule[0] == "+" else allowed.bits & ~bits
            kept = [(row, word) for row, word in allowed.first_args if not bits >> row & 1]
            allowed.first_args = kept
        return allowed

    @property
    def is_free(self) -> bool:
        """Whether it allows everything, and commands that are yet to come."""
        commands = self.base == "+@all" and not any(rule[0] == "-" for rule in self.rules)
        return commands and self.all_keys and self.all_channels

    @property
    def commands_text(self) -> str:
        return " ".join([self.base, *self.rules])

    @property
    def keys_text(self) -> str:
        return "~*" if self.all_keys else " ".join(map(str, self.keys))

    @property
    def channels_text(self) -> str:
        return "&*" if self.all_channels else " ".join("&" + name for name in self.channels)

    def __str__(self) -> str:
        """The modifiers that make it out of a new one."""
        channels = (
            self.channels_text if self.all_channels else f"resetchannels {self.channels_text}"
        )
        return " ".join(
            part for part in (self.keys_text, channels.rstrip(), self.commands_text) if part
        )


_WORDS = {
    "allkeys": Selector._allow_keys,
    "~*": Selector._allow_keys,
    "resetkeys": Selector._reset_keys,
    "allchannels": Selector._allow_channels,
    "&*": Selector._allow_channels,
    "resetchannels": Selector._reset_channels,
    "allcommands": Selector._allow_commands,
    "+@all": Selector._allow_commands,
    "nocommands": Selector._refuse_commands,
    "-@all": Selector._refuse_commands,
}


def _split_key_rule(rule: str) -> tuple[Permission, str]:
    """ "~a", "%R~a", "%RW~a"; Redis takes a permission without a pattern for one of the empty key.

    Raises: RuleError.
    """
    if rule[0] == "~":
        return Permission.BOTH, rule[1:]
    permission = Permission.NONE
    for i, letter in enumerate(rule[1:].lower(), 1):
        if letter == "~" and permission:
            return permission, rule[i + 1 :]
        added = _LETTERS.get(letter, Permission.NONE)
        if not added or added & permission:
            raise RuleError(SYNTAX)
        permission |= added
    if not permission:
        raise RuleError(SYNTAX)
    return permission, ""


def _check_first_arg(sign: str, name: str, names: CommandNames) -> None:
    """Whether "select|0" can be allowed: a word behind a command without subcommands, but for DEBUG.

    Raises: RuleError.
    """
    command, bar, word = name.partition("|")
    if not bar or sign == "-" or not names.command(command):
        raise RuleError(UNKNOWN_COMMAND)
    if not word:
        raise RuleError(SYNTAX)
    if names.has_subcommands(command):
        sub, bar, _ = word.partition("|")
        known = bar and names.command(f"{command}|{sub}")
        raise RuleError(FIRST_ARG_OF_SUBCOMMAND if known else UNKNOWN_COMMAND)
    if "|" in word:
        raise RuleError(UNKNOWN_COMMAND)
    if has_space(word):
        raise RuleError(SYNTAX)


def _replaces(name: str, old: str) -> bool:
    """Whether a rule on `name` makes one on `old` needless: the same, or a part of it."""
    return old == name or old.startswith(name + "|")
