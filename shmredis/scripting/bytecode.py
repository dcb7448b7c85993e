"""Compiled chunks whose calls of our functions leave the caller's frame where it is.

`return redis.call(…)` is a tail call: Lua gives the frame away, and when the command fails nobody knows
the line any more. Redis has no such trouble, since its redis.call is a C function. Here the instruction
of such a call is turned into an ordinary one (OP_TAILCALL and OP_CALL have the same operands, and a
RETURN of all results follows). Ours are those that are fields of tables or globals, which scripts cannot
make; calls of a script's own local functions stay what they are. Only chunks that Lua has just compiled
come here, so their form is not doubted.

Source: lopcodes.h, lundump.c of Lua 5.1.5.
"""

import struct

__all__ = ["keep_frames"]

HEADER_BYTES = 12
SIZE = struct.Struct("<Q")
INT = struct.Struct("<i")
MOVE, GETGLOBAL, GETTABLE, CALL, TAILCALL, CLOSURE = 0, 5, 6, 28, 29, 36
SETTERS = frozenset([*range(0, 7), *range(10, 22), CALL, CLOSURE, 37])


def keep_frames(dump: bytes) -> bytes:
    """The chunk with calls of our functions that return to their callers."""
    patched = bytearray(dump)
    _Walk(patched).function(HEADER_BYTES)
    return bytes(patched)


class _Walk:
    """Goes through a dump, function by function."""

    def __init__(self, data: bytearray) -> None:
        self._data = data

    def _int(self, at: int) -> int:
        return int(INT.unpack_from(self._data, at)[0])

    def _skip_string(self, at: int) -> int:
        return at + 8 + int(SIZE.unpack_from(self._data, at)[0])

    def function(self, at: int) -> int:
        """Patches the function that begins there; where it ends."""
        at = self._skip_string(at) + 12
        code, count = at + 4, self._int(at)
        at = self._skip_constants(code + 4 * count)
        self._patch(code, count)
        nested, at = self._int(at), at + 4
        for _ in range(nested):
            at = self.function(at)
        return self._skip_debug(at)

    def _skip_constants(self, at: int) -> int:
        count, at = self._int(at), at + 4
        for _ in range(count):
            kind, at = self._data[at], at + 1
            at = self._skip_string(at) if kind == 4 else at + {0: 0, 1: 1, 3: 8}[kind]
        return at

    def _skip_debug(self, at: int) -> int:
        at += 4 + 4 * self._int(at)
        for trailer in (8, 0):  # local variables with their scopes, names of upvalues
            count, at = self._int(at), at + 4
            for _ in range(count):
                at = self._skip_string(at) + trailer
        return at

    def _patch(self, code: int, count: int) -> None:
        words = list(struct.unpack_from(f"<{count}I", self._data, code))
        for i, word in enumerate(words):
            if word & 63 == TAILCALL and _is_ours(words[:i], word >> 6 & 255):
                struct.pack_into("<I", self._data, code + 4 * i, word & ~63 | CALL)


def _is_ours(before: list[int], register: int) -> bool:
    """Whether the register was loaded from a field or a global, maybe by way of a local variable."""
    for i in range(len(before) - 1, -1, -1):
        word = before[i]
        if word >> 6 & 255 == register and word & 63 in SETTERS:
            if word & 63 == MOVE:
                return _is_ours(before[:i], word >> 23)
            return word & 63 in (GETGLOBAL, GETTABLE)
    return False
