"""A little chart of characters: one column a value, four rows, a label below each column."""

__all__ = ["sparkline"]

ROWS = 4
MARKS = "_o#"  # from low to high within one row


def sparkline(points: list[tuple[int, str]], columns: int) -> str:
    """The chart of (value, label) pairs, broken into charts of at most so many columns."""
    charts = [points[i : i + columns] for i in range(0, len(points), columns)]
    low = min((value for value, _ in points), default=0)
    high = max((value for value, _ in points), default=0)
    return "\n".join(_chart(chart, low, high) for chart in charts)


def _chart(points: list[tuple[int, str]], low: int, high: int) -> str:
    steps = [_step(value, low, high) for value, _ in points]
    rows = ["".join(_mark(step, row) for step in steps) for row in reversed(range(ROWS))]
    rows.append(" " * len(points))
    height = max(len(label) for _, label in points)
    for i in range(height):
        rows.append("".join(label[i] if i < len(label) else " " for _, label in points))
    return "".join(row + "\n" for row in rows)


def _step(value: int, low: int, high: int) -> int:
    """Height of a column in steps, len(MARKS) steps to a row."""
    if high == low:
        return 0
    steps = ROWS * len(MARKS)
    return min(steps - 1, int(steps * (value - low) / (high - low) + 0.5))


def _mark(step: int, row: int) -> str:
    """The character of a column in a row, row 0 at the bottom."""
    within = step - row * len(MARKS)
    if within < 0:
        return " "
    return MARKS[within] if within < len(MARKS) else "|"
