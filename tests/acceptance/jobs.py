"""What the queues of the tests execute."""

__all__ = ["add", "fail"]


def add(a: int, b: int) -> int:
    return a + b


def fail(text: str) -> None:
    raise ValueError(text)
