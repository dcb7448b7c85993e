"""The first line of a script or library: `#!lua name=… flags=no-writes,allow-oom`."""

from dataclasses import dataclass
from enum import IntFlag

from shmredis.commands.resp import CommandError
from shmredis.config.parser import split_words

__all__ = ["FLAG_NAMES", "Header", "ScriptFlag", "read_header"]


class ScriptFlag(IntFlag):
    """What a script says of itself."""

    NONE = 0
    NO_WRITES = 1
    ALLOW_OOM = 2
    ALLOW_STALE = 4
    NO_CLUSTER = 8
    ALLOW_CROSS_SLOT_KEYS = 16


FLAG_NAMES = {
    "no-writes": ScriptFlag.NO_WRITES,
    "allow-oom": ScriptFlag.ALLOW_OOM,
    "allow-stale": ScriptFlag.ALLOW_STALE,
    "no-cluster": ScriptFlag.NO_CLUSTER,
    "allow-cross-slot-keys": ScriptFlag.ALLOW_CROSS_SLOT_KEYS,
}


@dataclass(slots=True, frozen=True)
class Header:
    """`present` is False for a script without such a line, which may do what scripts always could."""

    present: bool = False
    flags: ScriptFlag = ScriptFlag.NONE
    code: bytes = b""  # what is compiled; its first line is empty if there was a header


def read_header(script: bytes) -> Header:
    """The header of an EVAL script. Raises: CommandError."""
    if not script.startswith(b"#!"):
        return Header(code=script)
    line, newline, rest = script.partition(b"\n")
    if not newline:
        raise CommandError("ERR Invalid script shebang")
    try:
        words = split_words(line.decode("utf-8", "surrogateescape"))
    except ValueError:
        raise CommandError("ERR Invalid engine in script shebang") from None
    if words[0] != "#!lua":
        raise CommandError(f"ERR Unexpected engine in script shebang: {words[0]}")
    flags = ScriptFlag.NONE
    for word in words[1:]:
        if not word.startswith("flags="):
            raise CommandError(f"ERR Unknown lua shebang option: {word}")
        flags |= _flags(word.removeprefix("flags="))
    return Header(True, flags, b"\n" + rest)


def _flags(text: str) -> ScriptFlag:
    flags = ScriptFlag.NONE
    for name in text.split(",") if text else ():
        if name not in FLAG_NAMES:
            raise CommandError(f"ERR Unexpected flag in script shebang: {name}")
        flags |= FLAG_NAMES[name]
    return flags
