"""The object with scripts and libraries: what a crash or a changed bit leaves of it."""

import os
import random
from collections.abc import Iterator

import pytest

from shmredis.faults import arm_faults
from shmredis.scripting.store import Kind, ScriptStore

LIBRARIES = b"all of them " * 20


@pytest.fixture
def fd() -> Iterator[int]:
    number = os.memfd_create("test-scripts")
    yield number
    os.close(number)


def filled(fd: int) -> ScriptStore:
    store = ScriptStore(fd)
    store.begin_life()
    store.add(Kind.LOADED, b"return 1")
    store.add(Kind.LIBRARIES, b"old")
    store.add(Kind.LIBRARIES, LIBRARIES)
    store.add(Kind.PASSING, b"return 2")
    return store


def test_libraries_alone_outlive_a_server(fd: int) -> None:
    reader = filled(fd)
    assert len(reader.news()) == 4
    for _ in range(3):
        ScriptStore(fd).begin_life()
        assert reader.news() == [(Kind.LIBRARIES, LIBRARIES)]
    reader.add(Kind.LOADED, b"return 3")
    assert reader.news() == [(Kind.LOADED, b"return 3")]
    assert os.fstat(fd).st_size < 3 * len(LIBRARIES)


def test_who_dies_over_writing_them_anew_leaves_the_old_ones(fd: int) -> None:
    filled(fd)
    pid = os.fork()
    if pid == 0:
        arm_faults(b"scripts.written")
        ScriptStore(fd).begin_life()
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert ScriptStore(fd).libraries() == LIBRARIES


def test_damage_is_found(fd: int) -> None:
    """Of what is read, everything is as it was written."""
    filled(fd)
    whole, chance = os.pread(fd, 1 << 20, 0), random.Random(1)
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        os.pwrite(fd, data, 0)
        store = ScriptStore(fd)
        store.begin_life()
        assert store.libraries() in (None, b"old", LIBRARIES)
        os.ftruncate(fd, 0)
