"""What tests of the C core need to handle arenas."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shmredis._core import ffi, lib

MIB = 1 << 20
PAGE = 1 << 16
OWNERS = range(1, 15)


@contextmanager
def new_arena(max_size: int) -> Iterator[Any]:
    """An arena on an unnamed object, whose heap is checked at the end."""
    arena = lib.wb_arena_new(max_size)
    assert arena
    try:
        yield arena
        lib.heap_check(arena)
    finally:
        lib.wb_arena_delete(arena)


@dataclass(slots=True, frozen=True)
class Stats:
    used: int
    peak: int
    committed: int
    object: int
    blocks: int
    by_owner: list[int]
    moved: int
    trimmed: int


def heap_stats(arena: Any) -> Stats:
    out = ffi.new("uint64_t[23]")
    lib.wb_heap_stats(arena, out)
    return Stats(*out[0:5], list(out[5:21]), out[21], out[22])


def backed_bytes(arena: Any) -> int:
    """What the kernel says that the object takes."""
    return os.fstat(lib.wb_arena_fd(arena)).st_blocks * 512


def write_block(arena: Any, ref: int, data: bytes) -> None:
    ffi.memmove(lib.wb_arena_ptr(arena, ref), data, len(data))


def read_block(arena: Any, ref: int, size: int) -> bytes:
    return ffi.buffer(lib.wb_arena_ptr(arena, ref), size)[:]


def status_name(status: int) -> str:
    return ffi.string(lib.core_status_name(status)).decode()


def create(fd: int, max_size: int) -> tuple[Any, str]:
    status = ffi.new("int *")
    arena = lib.wb_arena_create(fd, max_size, status)
    return arena, status_name(status[0])


def attach(fd: int) -> tuple[Any, str]:
    status = ffi.new("int *")
    arena = lib.wb_arena_attach(fd, status)
    return arena, status_name(status[0])


@dataclass(slots=True, frozen=True)
class Super:
    """The superblock as tools read it."""

    magic: int
    layout: int
    busy: int
    slot_first: int
    slot_last: int
    generation: int
    size: int
    max_size: int
    seed: bytes


def superblock(arena: Any) -> Super:
    raw = read_block(arena, 0, 56)
    return Super(*struct.unpack("<QIIHHIQQ16s", raw))
