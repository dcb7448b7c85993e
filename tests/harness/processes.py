"""Processes below a process, as /proc shows them."""

from pathlib import Path

__all__ = ["children_named", "children_of", "is_stopped", "state_of"]


def children_of(pid: int) -> list[int]:
    """Process ids, the eldest first; none when it has ended."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def children_named(pid: int, name: str) -> list[int]:
    """Those that call themselves so."""
    return [child for child in children_of(pid) if _name(child) == name]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def state_of(pid: int) -> str:
    """A letter: T is stopped, Z has ended and nobody has asked how. Raises: OSError."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def is_stopped(pid: int) -> bool:
    return state_of(pid) == "T"
