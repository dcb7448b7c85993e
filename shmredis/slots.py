"""Which worker owns a key: CRC16 of the key or its hash tag, as the core computes it (csrc/net)."""

import binascii

__all__ = ["SLOTS", "key_slot", "slot_owner", "slot_range"]

SLOTS = 16384


def key_slot(key: bytes) -> int:
    """The slot of a key; what stands between the first { and the next } alone counts, if anything does."""
    start = key.find(b"{")
    if start >= 0 and (end := key.find(b"}", start + 1)) > start + 1:
        key = key[start + 1 : end]
    return binascii.crc_hqx(key, 0) % SLOTS


def slot_owner(slot: int, workers: int) -> int:
    """The worker that has it."""
    return slot * workers // SLOTS


def slot_range(worker: int, workers: int) -> range:
    """The slots of one worker."""
    first, end = (-(-n * SLOTS // workers) for n in (worker, worker + 1))
    return range(first, end)
