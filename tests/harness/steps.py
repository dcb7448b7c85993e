"""Files of steps: one a line, and indented below each what a real server did then; an empty line ends a case.

The recorders of tools/ write the indented lines, and leave all others as they are.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

__all__ = ["cases", "is_comment", "read_steps", "text_of"]

INDENT = "    "


class Recorded(Protocol):
    """A step: its line, and what was recorded."""

    line: str
    recorded: list[str]


StepT = TypeVar("StepT", bound=Recorded)


def is_comment(item: object) -> bool:
    return isinstance(item, str) and item.startswith("#")


def read_steps(lines: Iterable[str], step_of: Callable[[str], StepT]) -> list[StepT | str]:
    """Steps, and between them comments and empty lines as they are."""
    found: list[StepT | str] = []
    for line in lines:
        if line.startswith(INDENT):
            step = found[-1]
            assert not isinstance(step, str)
            step.recorded.append(line.strip())
        else:
            found.append(line if not line or is_comment(line) else step_of(line))
    return found


def cases(items: Iterable[StepT | str]) -> Iterator[list[StepT | str]]:
    """Steps and comments between empty lines; there is at least one step in each."""
    case: list[StepT | str] = []
    for item in [*items, ""]:
        if item != "":
            case.append(item)
            continue
        if not all(map(is_comment, case)):
            yield case
        case = []


def text_of(items: Iterable[Recorded | str]) -> str:
    """The file again."""
    lines: list[str] = []
    for item in items:
        if isinstance(item, str):
            lines.append(item)
        else:
            lines += [item.line, *(INDENT + text for text in item.recorded)]
    return "\n".join(lines) + "\n"
