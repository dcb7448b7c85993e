"""The users of all workers: a journal of changes in anonymous shared memory.

The front makes it before it forks, and every worker follows it: at its start, a worker that takes the
place of a dead one included, and when another one says that there is more. Whoever changes a user
holds the lock meanwhile, so there is one order of changes. The kernel drops the lock of a process that
dies; what it had not finished to write is not in the journal.

    head   which body is in use, whether the default user is nopass, the body's generation, the bytes
           that it has and those that it was begun with, the last number of a user
    body   records, each a length and a pickle: all processes are forks of one, nobody else can write

A journal that has grown far beyond what it says is written anew into the other body.
"""

import fcntl
import os
import pickle
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from shmredis.acl.errors import UsersBusy
from shmredis.acl.user import User

__all__ = ["AllUsers", "DroppedUsers", "Record", "SetUser", "UserJournal"]

_HEAD = struct.Struct("<IIQQQQ")
_LENGTH = struct.Struct("<I")
LOCK_S, LOCK_PAUSE_S = 1.0, 0.0002
ROOM = 1 << 20  # bytes that a body may have in any case
GROWTH = 4  # and beyond that, so many times of what it had when it was begun


@dataclass(slots=True, frozen=True)
class SetUser:
    """A user is new, or has changed."""

    user: User


@dataclass(slots=True, frozen=True)
class DroppedUsers:
    """Users are gone."""

    names: list[str]


@dataclass(slots=True, frozen=True)
class AllUsers:
    """These are all users there are."""

    users: dict[str, User]


Record = SetUser | DroppedUsers | AllUsers


class UserJournal:
    """Descriptors that all processes share, and how far this process has read."""

    def __init__(self) -> None:
        """Raises: OSError."""
        self._head = os.memfd_create("shmredis-users", os.MFD_CLOEXEC)
        self._bodies = [os.memfd_create(f"shmredis-users.{i}", os.MFD_CLOEXEC) for i in (0, 1)]
        self._generation, self._at = 0, 0
        self._write_head(_Head(body=0, nopass=1, generation=0, end=0, begun=0, number=0))

    def close(self) -> None:
        for fd in (self._head, *self._bodies):
            os.close(fd)

    @property
    def default_is_nopass(self) -> bool:
        """Whether anybody may be the default user; read by the front."""
        return bool(self._read_head().nopass)

    def _read_head(self) -> "_Head":
        return _Head(*_HEAD.unpack(os.pread(self._head, _HEAD.size, 0)))

    def _write_head(self, head: "_Head") -> None:
        os.pwrite(self._head, _HEAD.pack(*head), 0)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else reads or changes it meanwhile. Raises: UsersBusy."""
        self._lock()
        try:
            yield
        finally:
            fcntl.lockf(self._head, fcntl.LOCK_UN)

    def _lock(self) -> None:
        """Others hold it for less than a millisecond, unless they are stopped just then."""
        deadline_s = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.lockf(self._head, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                if time.monotonic() > deadline_s:
                    raise UsersBusy from None
                time.sleep(LOCK_PAUSE_S)
            else:
                return

    # --- while it is held ---

    @property
    def is_empty(self) -> bool:
        return self._read_head().end == 0

    def news(self) -> list[Record]:
        """What this process has not read yet."""
        head = self._read_head()
        if head.generation != self._generation:  # begins with all users
            self._generation, self._at = head.generation, 0
        data = os.pread(self._bodies[head.body], head.end - self._at, self._at)
        self._at = head.end
        return list(_records(data))

    def new_number(self) -> int:
        """For a user."""
        head = self._read_head()
        self._write_head(head._replace(number=head.number + 1))
        return head.number + 1

    def add(self, record: Record, everybody: dict[str, User]) -> None:
        """Appends a record, having read all; `everybody` is who there is after it."""
        head, data = self._read_head(), _packed(record)
        if head.end + len(data) > ROOM + GROWTH * head.begun:
            data = _packed(AllUsers(everybody))
            generation = head.generation + 1
            head = _Head(1 - head.body, 0, generation, 0, len(data), head.number)
            os.ftruncate(self._bodies[head.body], 0)
        written = 0
        while written < len(data):
            written += os.pwrite(self._bodies[head.body], data[written:], head.end + written)
        end = head.end + len(data)
        self._write_head(head._replace(end=end, nopass=int(everybody["default"].nopass)))
        self._generation, self._at = head.generation, end


class _Head(NamedTuple):
    body: int
    nopass: int
    generation: int
    end: int
    begun: int
    number: int


def _packed(record: Record) -> bytes:
    data = pickle.dumps(record)
    return _LENGTH.pack(len(data)) + data


def _records(data: bytes) -> Iterator[Record]:
    at = 0
    while at < len(data):
        (n,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        record: Record = pickle.loads(data[at : at + n])
        yield record
        at += n
