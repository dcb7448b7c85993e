"""The functions of Python that the Lua side calls. None raises, and all they take and give is plain."""

import hashlib
import math
import struct
from collections.abc import Callable
from typing import Any

from shmredis._core import ffi, lib
from shmredis.commands.version import REDIS_VERSION

__all__ = ["plain_functions", "version_number"]

ROUNDER = float(3 << 51)  # a number beside which another has no fraction left
DOUBLE, LOW_WORD = struct.Struct("<d"), struct.Struct("<I")

_text = ffi.new("char[64]")


def version_number() -> int:
    """8.10.2 as 0x00080A02."""
    major, minor, patch = (int(part) for part in REDIS_VERSION.split("."))
    return major << 16 | minor << 8 | patch


def number_text(value: float) -> bytes:
    """A number as an argument of a command."""
    if math.isnan(value):
        return b"-nan" if math.copysign(1, value) < 0 else b"nan"
    return bytes(ffi.buffer(_text, lib.core_double_text(_text, value)))


def sha1hex(text: bytes) -> bytes:
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()


def pack_double(value: float | bytes, form: bytes) -> bytes:
    """The bytes of a number, maybe as text; `form` as in Python's struct: "<d", ">f"."""
    value = float(value)
    try:
        return struct.pack(form.decode(), value)
    except OverflowError:  # too large for a float
        return struct.pack(form.decode(), math.copysign(math.inf, value))


def unpack_double(text: bytes, form: bytes) -> float:
    return float(struct.unpack(form.decode(), text)[0])


def parse_double(text: bytes) -> float | None:
    """A number of JSON, or the like of C's strtod."""
    try:
        return float.fromhex(text.decode()) if b"x" in text.lower() else float(text)
    except (ValueError, OverflowError):
        return None


def _signed(n: int) -> int:
    n &= 0xFFFFFFFF
    return n - (1 << 32) if n & 0x80000000 else n


def _bits_of(value: float) -> int:
    """The low 32 bits of a number, rounded to an integer, as they are in a sum with ROUNDER."""
    return int(LOW_WORD.unpack_from(DOUBLE.pack(value + ROUNDER))[0])


_OPERATIONS: dict[bytes, Callable[[int, int], int]] = {
    b"tobit": lambda a, _: a,
    b"bnot": lambda a, _: ~a,
    b"bswap": lambda a, _: int.from_bytes(a.to_bytes(4, "little"), "big"),
    b"band": lambda a, b: a & b,
    b"bor": lambda a, b: a | b,
    b"bxor": lambda a, b: a ^ b,
    b"lshift": lambda a, b: a << (b & 31),
    b"rshift": lambda a, b: a >> (b & 31),
    b"arshift": lambda a, b: _signed(a) >> (b & 31),
    b"rol": lambda a, b: a << (b & 31) | a >> (-b & 31),
    b"ror": lambda a, b: a >> (b & 31) | a << (-b & 31),
}


def bits(operation: bytes, a: float, b: float) -> int:
    """An operation on 32 bits, as a signed number."""
    return _signed(_OPERATIONS[operation](_bits_of(a), _bits_of(b)))


def plain_functions() -> dict[str, Any]:
    """Those that need no server."""
    functions: dict[str, Callable[..., Any]] = {
        "number_text": number_text,
        "sha1hex": sha1hex,
        "pack_double": pack_double,
        "unpack_double": unpack_double,
        "parse_double": parse_double,
        "bits": bits,
    }
    return {
        **functions,
        "version": REDIS_VERSION.encode(),
        "version_number": version_number(),
    }
