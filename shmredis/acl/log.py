"""What was refused of late, for ACL LOG: alike refusals within a minute are one entry."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

__all__ = ["AclLog", "Entry", "gather"]

ALIKE_NS = 60 * 1_000_000_000
TEXT_MAX = 4096  # bytes that are kept of a key or name


@dataclass(slots=True)
class Entry:
    """Refusals with the same reason, context, object and user."""

    reason: str  # "command", "key", "channel", "auth"
    context: str  # "toplevel", "multi", "lua"
    object: bytes
    username: str
    client: bytes = b""  # as CLIENT LIST shows it, at the last one
    id: int = 0
    created_ns: int = 0
    updated_ns: int = 0
    count: int = 1

    def alike(self, other: "Entry") -> bool:
        mine = (self.reason, self.context, self.object, self.username)
        return mine == (other.reason, other.context, other.object, other.username)


@dataclass(slots=True)
class AclLog:
    """The log of one worker, newest first. Numbers of `count` workers do not meet."""

    limit: Callable[[], int]
    index: int = 0
    count: int = 1
    entries: list[Entry] = field(default_factory=list)
    _next: int = 0

    def add(self, entry: Entry, now_ns: int) -> None:
        """Puts it first; if there is one like it of late, the two are one that counts more."""
        entry.object = entry.object[:TEXT_MAX]
        entry.username = entry.username[:TEXT_MAX]
        entry.created_ns = entry.updated_ns = now_ns
        for i, old in enumerate(self.entries):
            if old.alike(entry) and now_ns - old.updated_ns <= ALIKE_NS:
                del self.entries[i]
                entry.id, entry.created_ns, entry.count = old.id, old.created_ns, old.count + 1
                break
        else:
            entry.id = self._next * self.count + self.index
            self._next += 1
        self.entries.insert(0, entry)
        self.trim()

    def trim(self) -> None:
        del self.entries[self.limit() :]


def gather(logs: Iterable[list[Entry]]) -> list[Entry]:
    """One log out of those of several workers."""
    found: list[Entry] = []
    for entry in sorted((e for log in logs for e in log), key=lambda e: e.updated_ns):
        for i, old in enumerate(found):
            if old.alike(entry) and entry.created_ns - old.updated_ns <= ALIKE_NS:
                found[i] = _joined(old, entry)
                break
        else:
            found.append(entry)
    return sorted(found, key=lambda e: e.updated_ns, reverse=True)


def _joined(old: Entry, new: Entry) -> Entry:
    first = min(old, new, key=lambda e: e.created_ns)
    return replace(new, id=first.id, created_ns=first.created_ns, count=old.count + new.count)
