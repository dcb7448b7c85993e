"""Processes below a process, as /proc shows them."""

from pathlib import Path

__all__ = ["children_named", "children_of"]


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
