"""Records that outlive whoever has taken them: in a ring that grows, and that shrinks when it is empty."""

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from shmredis._core import ffi, lib

MIB = 1 << 20
SPACE = 1 << 30
OFFSET = 4096


class Vault:
    """A vault and what is known to be in it, oldest first."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("test-vault")
        os.ftruncate(self.fd, OFFSET + SPACE)
        os.posix_fallocate(self.fd, OFFSET, MIB)
        self.open()
        self.kept: list[tuple[Any, bytes]] = []

    def open(self) -> None:
        self.vault = lib.vault_map(self.fd, OFFSET)
        assert self.vault

    def reopen(self) -> None:
        """The next life of its worker."""
        lib.vault_unmap(self.vault)
        self.open()
        self.kept = list(zip(self.found(), [data for _, data in self.kept], strict=True))

    def keep(self, data: bytes) -> bool:
        p = lib.vault_take(self.vault, len(data))
        if not p:
            return False
        assert lib.vault_has(self.vault, p)
        ffi.memmove(p, data, len(data))
        lib.vault_keep(p)
        self.kept.append((p, data))
        return True

    def give_back(self, index: int) -> None:
        lib.vault_give_back(self.vault, self.kept.pop(index)[0])

    def found(self) -> list[Any]:
        at, n = ffi.new("uint32_t *"), ffi.new("size_t *")
        found = []
        while p := lib.vault_next(self.vault, at, n):
            found.append(p)
        return found

    def check(self) -> None:
        found = self.found()
        assert len(found) == len(self.kept)
        for p, (_, data) in zip(found, self.kept, strict=True):
            assert ffi.buffer(p, len(data))[:] == data

    @property
    def backed(self) -> int:
        return os.fstat(self.fd).st_blocks * 512


@pytest.fixture
def vault() -> Iterator[Vault]:
    one = Vault()
    yield one
    lib.vault_unmap(one.vault)
    os.close(one.fd)


@pytest.mark.parametrize("largest", [100, 20_000, 400_000, 3 * MIB])
def test_what_is_kept_is_found_in_its_order(vault: Vault, largest: int) -> None:
    chance = random.Random(largest)
    for _ in range(2000):
        if len(vault.kept) < 12 and chance.random() < 0.52:
            vault.keep(chance.randbytes(1) * chance.randint(1, largest))
        elif vault.kept:
            vault.give_back(0 if chance.random() < 0.6 else chance.randrange(len(vault.kept)))
        if chance.random() < 0.02:
            vault.reopen()
        if chance.random() < 0.1:
            vault.check()
    vault.check()
    while vault.kept:
        vault.give_back(chance.randrange(len(vault.kept)))
    assert not vault.found()
    assert vault.backed <= MIB + 64 * 1024


def test_small_records_need_no_more_than_there_is_at_first(vault: Vault) -> None:
    """Round and round, with some always there."""
    for i in range(100_000):
        assert vault.keep(b"%d" % i * 10)
        if i >= 100:
            vault.give_back(0)
    vault.check()
    assert vault.backed <= MIB + 64 * 1024


def test_what_is_too_large_or_does_not_fit_is_refused(vault: Vault) -> None:
    assert not lib.vault_take(vault.vault, SPACE)
    assert vault.keep(b"x" * 400_000)
    assert vault.keep(b"x" * 200_000)
    vault.give_back(0)
    assert vault.keep(b"y" * 300_000)
    vault.check()
