"""What FUNCTION DUMP gives: each library as a FUNCTION record of an RDB file, a version, a CRC-64.

Source: specs of RDB strings; FUNCTION DUMP of Redis 8.10.
"""

import struct

from shmredis._core import lib

__all__ = ["PayloadError", "read_payload", "write_payload"]

FUNCTION = 0xF5
VERSION = 15  # of RDB files, the newest that is read
WRITTEN_VERSION = 11
FOOTER = struct.Struct("<HQ")
WRONG = "DUMP payload version or checksum are wrong"


class PayloadError(ValueError):
    """It is no such payload; the text is that of the error reply but for its "ERR"."""


def write_payload(codes: tuple[bytes, ...]) -> bytes:
    """FUNCTION DUMP: libraries as in an RDB file, their version and CRC behind them."""
    body = b"".join(bytes([FUNCTION]) + _length(len(code)) + code for code in codes)
    body += struct.pack("<H", WRITTEN_VERSION)
    return body + struct.pack("<Q", lib.core_crc64(0, body, len(body)))


def _length(n: int) -> bytes:
    if n < 1 << 6:
        return bytes([n])
    if n < 1 << 14:
        return struct.pack(">H", 1 << 14 | n)
    return b"\x80" + struct.pack(">I", n)


def read_payload(payload: bytes) -> list[bytes]:
    """The code of each library. Raises: PayloadError."""
    if len(payload) < FOOTER.size:
        raise PayloadError(WRONG)
    version, crc = FOOTER.unpack(payload[-FOOTER.size :])
    checked = payload[:-8]
    if version > VERSION or (crc and lib.core_crc64(0, checked, len(checked)) != crc):
        raise PayloadError(WRONG)
    return _read_records(payload[: -FOOTER.size])


def _read_records(body: bytes) -> list[bytes]:
    codes, at = [], 0
    while at < len(body):
        if body[at] != FUNCTION:
            raise PayloadError("given type is not a function")
        try:
            code, at = _read_string(body, at + 1)
        except (IndexError, struct.error, ValueError):
            raise PayloadError("Failed loading library data") from None
        codes.append(code)
    return codes


def _read_string(body: bytes, at: int) -> tuple[bytes, int]:
    if body[at] >> 6 == 3:
        return _read_encoded(body, at)
    n, at = _read_length(body, at)
    if at + n > len(body):
        raise ValueError("a string is cut off")
    return body[at : at + n], at + n


def _read_length(body: bytes, at: int) -> tuple[int, int]:
    kind = body[at] >> 6
    if kind == 0:
        return body[at] & 63, at + 1
    if kind == 1:
        return (body[at] & 63) << 8 | body[at + 1], at + 2
    if body[at] == 0x80:
        return struct.unpack_from(">I", body, at + 1)[0], at + 5
    if body[at] == 0x81:
        return struct.unpack_from(">Q", body, at + 1)[0], at + 9
    raise ValueError("not a length")


def _read_encoded(body: bytes, at: int) -> tuple[bytes, int]:
    kind = body[at] & 63
    if kind < 3:  # an integer of 1, 2 or 4 bytes
        size = 1 << kind
        number = int.from_bytes(body[at + 1 : at + 1 + size], "little", signed=True)
        return b"%d" % number, at + 1 + size
    if kind != 3:
        raise ValueError("not a string")
    packed, at = _read_length(body, at + 1)
    size, at = _read_length(body, at)
    if at + packed > len(body) or size > (packed << 8):
        raise ValueError("a compressed string is cut off")
    return _decompress(body[at : at + packed], size), at + packed


def _decompress(data: bytes, size: int) -> bytes:
    """LZF."""
    out, at = bytearray(), 0
    while at < len(data):
        control = data[at]
        at += 1
        if control < 32:
            out += data[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += data[at]
            at += 1
        start = len(out) - ((control & 31) << 8 | data[at]) - 1
        at += 1
        if start < 0 or len(out) + length + 2 > size:
            raise ValueError("a reference to nothing")
        for i in range(length + 2):
            out.append(out[start + i])
    if len(out) != size:
        raise ValueError("another size than it says")
    return bytes(out)
