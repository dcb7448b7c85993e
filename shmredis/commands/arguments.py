"""Reading arguments: numbers, option words, and the errors that go with them."""

import re

from shmredis.commands.context import Context
from shmredis.commands.resp import CommandError

__all__ = [
    "SYNTAX_ERROR",
    "integer",
    "is_on",
    "leading_number",
    "shown",
    "syntax_error",
    "word",
    "wrong_arguments",
]

SYNTAX_ERROR = "ERR syntax error"
NOT_INTEGER = "ERR value is not an integer or out of range"
_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")


def integer(
    arg: bytes, error: str = NOT_INTEGER, low: int = -(2**63), high: int = 2**63 - 1
) -> int:
    """The argument as a decimal integer in [low, high]. Raises: CommandError(error)."""
    if _INTEGER.fullmatch(arg):
        value = int(arg)
        if low <= value <= high:
            return value
    raise CommandError(error)


def leading_number(arg: bytes) -> float:
    """The number at the start of the argument, 0 without one, as C's atof reads it."""
    found = re.match(rb"\s*[+-]?(\d+\.?\d*|\.\d+)", arg)
    return float(found[0]) if found else 0.0


def is_on(arg: bytes) -> bool:
    """A 0 or 1 argument; anything that is not a number is 0."""
    return int(leading_number(arg)) != 0


def word(arg: bytes) -> str:
    """An option word in upper case."""
    return shown(arg).upper()


def shown(arg: bytes) -> str:
    """Any bytes as text that `encode` turns back into the same bytes."""
    return arg.decode("utf-8", "surrogateescape")


def syntax_error() -> CommandError:
    return CommandError(SYNTAX_ERROR)


def wrong_arguments(ctx: Context) -> CommandError:
    """The error of a subcommand that has the right number of arguments only in part."""
    name, sub = word(ctx.argv[0]), shown(ctx.argv[1][:128])
    line = f"ERR unknown subcommand or wrong number of arguments for '{sub}'. Try {name} HELP."
    return CommandError(line)
