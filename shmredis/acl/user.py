"""One user: whether he may log in and how, and his selectors; and the modifiers that change him."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field

from shmredis.acl.errors import (
    BAD_HASH,
    NO_SUCH_PASSWORD,
    RuleError,
    UnmatchedParenthesis,
)
from shmredis.acl.selector import CommandNames, Selector

__all__ = ["User", "digest_of", "join_selectors"]

_HASH = re.compile("[0-9a-f]{64}")


def digest_of(password: str) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(password.encode("utf-8", "surrogateescape")).hexdigest()


def join_selectors(words: Iterable[str]) -> list[str]:
    """The modifiers, of which "(…)" may be spread over several words.

    Raises: UnmatchedParenthesis.
    """
    joined: list[str] = []
    parts: list[str] = []
    for word in words:
        if not parts and (word[:1] != "(" or word[-1] == ")"):
            joined.append(word)
            continue
        parts.append(word)
        if word[-1:] == ")":
            joined.append(" ".join(parts))
            parts = []
    if parts:
        raise UnmatchedParenthesis(parts[0])
    return joined


@dataclass(slots=True)
class User:
    """A user. A new one may do nothing and not log in.

    `open_channels`: acl-pubsub-default is allchannels; it says what new and reset selectors begin with.
    """

    name: str
    enabled: bool = False
    nopass: bool = False
    skips_sanitizing: bool = False
    passwords: list[str] = field(default_factory=list)  # digests
    root: Selector = field(default_factory=Selector)
    selectors: list[Selector] = field(default_factory=list)
    number: int = 0  # unlike any other's, also of one who is gone; 0: not given yet

    @classmethod
    def new(cls, name: str, *, open_channels: bool) -> "User":
        return cls(name, root=Selector(all_channels=open_channels))

    @classmethod
    def default(cls) -> "User":
        """The user of clients that do not say who they are, as a server begins with him."""
        root = Selector(all_keys=True, all_channels=True, base="+@all")
        return cls("default", enabled=True, nopass=True, root=root)

    def changed(self, rules: Iterable[str], names: CommandNames, *, open_channels: bool) -> "User":
        """A copy after these modifiers. Raises: RuleError with the rule."""
        user = deepcopy(self)
        for rule in rules:
            try:
                user._apply(rule, names, open_channels)
            except RuleError as error:
                raise RuleError(str(error), rule) from None
        return user

    def _apply(self, rule: str, names: CommandNames, open_channels: bool) -> None:
        change = _WORDS.get(rule.lower())
        if not rule:
            return
        if change:
            change(self)
        elif rule.lower() == "reset":
            fresh = User.new(self.name, open_channels=open_channels)
            for name in self.__slots__:
                if name != "number":
                    setattr(self, name, getattr(fresh, name))
        elif rule[0] in "><#!":
            self._change_passwords(rule[0], rule[1:])
        elif rule[0] == "(" and rule[-1] == ")":
            self._add_selector(rule[1:-1], names, open_channels)
        else:
            self.root.apply(rule, names)

    def _enable(self) -> None:
        self.enabled = True

    def _disable(self) -> None:
        self.enabled = False

    def _sanitize(self) -> None:
        self.skips_sanitizing = False

    def _skip_sanitizing(self) -> None:
        self.skips_sanitizing = True

    def _take_any_password(self) -> None:
        self.nopass, self.passwords = True, []

    def _reset_passwords(self) -> None:
        self.nopass, self.passwords = False, []

    def _clear_selectors(self) -> None:
        self.selectors = []

    def _change_passwords(self, sign: str, text: str) -> None:
        digest = digest_of(text) if sign in "><" else text
        if not _HASH.fullmatch(digest):
            raise RuleError(BAD_HASH)
        if sign in ">#":
            self.nopass = False
            if digest not in self.passwords:
                self.passwords.append(digest)
        elif digest not in self.passwords:
            raise RuleError(NO_SUCH_PASSWORD)
        else:
            self.passwords.remove(digest)

    def _add_selector(self, text: str, names: CommandNames, open_channels: bool) -> None:
        selector = Selector(all_channels=open_channels)
        for rule in text.split(" "):
            if rule:
                selector.apply(rule, names)
        self.selectors.append(selector)

    # --- what follows ---

    @property
    def is_free(self) -> bool:
        """Whether he may do everything."""
        return self.root.is_free

    @property
    def needs_password(self) -> bool:
        """Whether clients who do not say who they are cannot be him, if he is the default user."""
        return not (self.nopass and self.enabled)

    def admits(self, password: str) -> bool:
        """Whether he may log in with it. Takes as long whichever of his passwords it is."""
        digest, found = digest_of(password), False
        for known in self.passwords:
            found |= hmac.compare_digest(known, digest)
        return self.enabled and (self.nopass or found)

    @property
    def flags(self) -> list[str]:
        words = ["on" if self.enabled else "off"]
        if self.nopass:
            words.append("nopass")
        words.append("skip-sanitize-payload" if self.skips_sanitizing else "sanitize-payload")
        return words

    def __str__(self) -> str:
        """The line of a file that defines him."""
        digests = ["#" + digest for digest in self.passwords]
        selectors = [f"({selector})" for selector in self.selectors]
        return " ".join(["user", self.name, *self.flags, *digests, str(self.root), *selectors])


_WORDS = {
    "on": User._enable,
    "off": User._disable,
    "nopass": User._take_any_password,
    "resetpass": User._reset_passwords,
    "sanitize-payload": User._sanitize,
    "skip-sanitize-payload": User._skip_sanitizing,
    "clearselectors": User._clear_selectors,
}
