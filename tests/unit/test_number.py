"""Numbers read and written as Redis 8.10.2 does.

double_texts.tsv holds doubles and what that server answered to ZSCORE, including many for which its
text is not the shortest; the other expectations were observed on the same server.
"""

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from shmredis._core import ffi, lib

INF = math.inf


def recorded_texts() -> list[tuple[float, str]]:
    with (Path(__file__).parent / "double_texts.tsv").open() as file:
        return [
            (float.fromhex(row["double"]), row["text"])
            for row in csv.DictReader(file, delimiter="\t")
        ]


def text_of_double(value: float) -> str:
    out = ffi.new("char[64]")
    n = lib.double_to_text(out, value)
    assert out[n] == b"\0"
    return ffi.buffer(out, n)[:].decode()


def text_of_integer(value: int) -> str:
    out = ffi.new("char[24]")
    n = lib.i64_to_text(out, value)
    assert out[n] == b"\0"
    return ffi.buffer(out, n)[:].decode()


def read_double(text: bytes) -> float | None:
    out = ffi.new("double *")
    return out[0] if lib.wb_str_to_double(text, len(text), out) else None


def read_integer(text: bytes) -> int | None:
    out = ffi.new("int64_t *")
    return out[0] if lib.wb_str_to_i64(text, len(text), out) else None


def long_double_sum(x: bytes, y: bytes) -> bytes | None:
    out = ffi.new("char[]", 5200)
    n = lib.wb_long_double_sum(x, len(x), y, len(y), out)
    return ffi.buffer(out, n)[:] if n else None


# --- integers ---


@given(st.integers(-(2**63), 2**63 - 1))
def test_integer_round_trip(value: int) -> None:
    assert text_of_integer(value) == str(value)
    assert read_integer(str(value).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        *[b"", b"-", b"-0", b"00", b"007", b"-01", b"+1", b" 1", b"1 ", b"1.0", b"1e3", b"0x1"],
        *[b"1\0", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551617"],
        *[b"9" * 20, b"1" * 40],
    ],
)
def test_integer_refused(text: bytes) -> None:
    assert read_integer(text) is None


@given(st.text("0123456789-+. ", max_size=22))
def test_integer_is_canonical(text: str) -> None:
    value = read_integer(text.encode())
    assert value is None or str(value) == text


# --- writing doubles ---


@pytest.mark.parametrize(("value", "text"), recorded_texts())
def test_double_text_of_redis(value: float, text: str) -> None:
    assert text_of_double(value) == text


def test_double_text_nan() -> None:
    assert text_of_double(math.nan) == "nan"


@given(st.floats(allow_nan=False))
def test_double_text_reads_back(value: float) -> None:
    text = text_of_double(value)
    digits = text.split("e")[0].replace(".", "").lstrip("-0").rstrip("0")
    assert float(text) == value
    assert math.copysign(1, float(text)) == math.copysign(1, value)
    assert len(digits) <= 17 or float(text).is_integer()
    assert read_double(text.encode()) == value


# --- reading doubles ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(b"0", 0.0), (b"5", 5.0), (b"+5", 5.0), (b"-5", -5.0), (b".5", 0.5), (b"5.", 5.0)],
        *[(b"1e5", 1e5), (b"1E+5", 1e5), (b"00012", 12.0), (b"0x10", 16.0), (b"-0x.8", -0.5)],
        *[(b"0X1P+2", 4.0), (b"0x1p-1074", 5e-324), (b"inf", INF), (b"-inf", -INF)],
        *[(b"+INF", INF), (b"-Infinity", -INF), (b"0e99999999999999999999", 0.0)],
        *[(b"0" * 600 + b"1", 1.0), (b"1" + b"0" * 400 + b"e-400", 1.0)],
        *[(b"1." + b"3" * 700, 4 / 3), (b"9007199254740993", 9007199254740992.0)],
        # too large or too small, but read by Redis's table of powers
        *[(b"1.5e309", INF), (b"15e308", INF), (b"-15e308", -INF), (b"+15e308", INF)],
        *[
            (b"9999999999999999999e308", INF),
            (b"1e-342", 0.0),
            (b"1.5e-341", 0.0),
            (b"+1e-342", 0.0),
        ],
        (b"1.000000000000000000e-324", 0.0),
    ],
)
def test_double_read(text: bytes, value: float) -> None:
    assert read_double(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *[b"", b"-", b"+", b".", b" 5", b"\t5", b"5 ", b"5\0", b"\x005", b"1e", b"1e5.5", b"--1"],
        *[b"+-5", b"1_0", b"1,5", b"1f", b"0x", b"0xg", b"0x.p1", b"infi", b"infx"],
        *[b"nan", b"-nan", b"nan(1)"],
        # too large or too small
        *[b"1e309", b"15e309", b"-1e400", b"0x1p1024", b"9" * 310, b"99999999999999999999e300"],
        *[b"1e-343", b"15e-343", b"0x1p-1075", b"1.0000000000000000000e-342"],
        *[b"0." + b"0" * 500 + b"1", b"1e99999999999999999999", b"1e-99999999999999999999"],
        *[b"1e4294967296", b"1e-4294967296"],
    ],
)
def test_double_refused(text: bytes) -> None:
    assert read_double(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 25))
def test_double_reads_any_notation(value: float, digits: int) -> None:
    text = f"{value:.{digits}e}"
    if not math.isinf(float(text)):
        assert read_double(text.encode()) == float(text)


# --- long doubles ---


@pytest.mark.parametrize(
    ("x", "y", "total"),
    [
        *[(b"10.50", b"0.1", b"10.6"), (b"5.0e3", b"2.0e2", b"5200"), (b"3", b"-3", b"0")],
        *[(b"0.1", b"0.2", b"0.3"), (b"1e-17", b"0", b"0.00000000000000001")],
        *[(b"-0.0", b"0", b"0"), (b"-1e-20", b"0", b"0"), (b"0x10", b"1", b"17")],
        (b"0", b"1e23", b"100000000000000000000000"),
        (b"9007199254740993", b"2", b"9007199254740995"),
        *[(b"0" * 5118 + b"1", b"1", b"2"), (b"inf", b"1", b"inf"), (b"-inf", b"1", b"-inf")],
    ],
)
def test_long_double_sum(x: bytes, y: bytes, total: bytes) -> None:
    assert long_double_sum(x, y) == total


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" 1",
        b"1 ",
        b"nan",
        b"1e4933",
        b"-1e4933",
        b"1e-4960",
        b"1\0",
        b"x",
        b"0" * 5119 + b"1",
    ],
)
def test_long_double_refused(text: bytes) -> None:
    assert long_double_sum(text, b"0") is None
    assert long_double_sum(b"0", text) is None


def test_long_double_largest() -> None:
    text = long_double_sum(b"1.18973149535723176502e+4932", b"0")
    assert text is not None
    assert len(text) == 4933
    assert text.startswith(b"118973149535723176502")
    assert text.isdigit()
