"""A checker of recorded histories: could the operations have happened one after the other?

Each client's operations happened in its own order, each at one instant between its call and its
return. The search (Wing and Gong, Journal of Parallel and Distributed Computing 17, 1993) tries
orders, remembering which it has seen (Lowe, Concurrency and Computation 29, 2017).
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["UNKNOWN", "Operation", "linearizable"]


@dataclass(slots=True, frozen=True)
class Operation:
    """What was asked and answered. `result` UNKNOWN: it may have happened at any time, or never."""

    what: tuple[Any, ...]
    result: Any
    called: float
    returned: float = math.inf


# Gives the new state and the result of an operation on a state.
Model = Callable[[Any, tuple[Any, ...]], tuple[Hashable, Any]]
UNKNOWN = object()


def linearizable(clients: Sequence[Sequence[Operation]], initial: Hashable, model: Model) -> bool:
    """Whether the histories of all clients are explained by some order of their operations."""
    stack = [((0,) * len(clients), initial)]
    seen = set(stack)
    while stack:
        done, state = stack.pop()
        waiting = [
            (i, ops[n])
            for i, (n, ops) in enumerate(zip(done, clients, strict=True))
            if n < len(ops)
        ]
        if not waiting:
            return True
        deadline = min(op.returned for _, op in waiting)
        for i, op in waiting:
            if op.called > deadline:
                continue  # another one had returned before it was called
            for after in outcomes(state, op, model):
                step = (tuple(n + (j == i) for j, n in enumerate(done)), after)
                if step not in seen:
                    seen.add(step)
                    stack.append(step)
    return False


def outcomes(state: Hashable, op: Operation, model: Model) -> list[Hashable]:
    """The states that the operation may lead to, given what it returned."""
    after, result = model(state, op.what)
    if op.result is UNKNOWN:
        return [state, after]
    return [after] if result == op.result else []
