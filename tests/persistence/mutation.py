"""Damaging bytes in ways that find holes in parsers."""

import random

__all__ = ["mutate"]

EXTREMES = (0, 1, 0x3F, 0x7F, 0x80, 0x81, 0xC0, 0xC3, 0xF0, 0xF4, 0xFE, 0xFF)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """A copy with one to four changes: flipped bits, extreme bytes, cuts, repeats, swaps."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not out:
            break
        at = rng.randrange(len(out))
        match rng.randrange(7):
            case 0 | 1:
                out[at] ^= 1 << rng.randrange(8)
            case 2:
                out[at] = rng.choice(EXTREMES)
            case 3:
                del out[at:]
            case 4:
                del out[at : at + rng.randrange(1, 9)]
            case 5:
                piece = out[at : at + rng.randrange(1, 17)]
                out[at:at] = piece
            case 6:
                other = rng.randrange(len(out))
                out[at], out[other] = out[other], out[at]
    return bytes(out)
