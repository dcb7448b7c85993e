"""Texts that nobody means well with: configurations, users, manifests, libraries. Each is taken or refused by
the error that its reader documents, at random but always the same."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from shmredis.acl.errors import RuleError, UnmatchedParenthesis
from shmredis.acl.user import User, join_selectors
from shmredis.config import Config
from shmredis.config.parser import LineError, in_quotes
from shmredis.config.table import OPTIONS
from shmredis.config.types import ConfigError
from shmredis.persistence.aof_manifest import ManifestError, parse_manifest
from shmredis.scripting.payload import PayloadError, read_payload, write_payload
from tests.acl.test_rules import CATALOGUE
from tests.harness.server import ROOT
from tests.persistence.mutation import mutate
from tests.persistence.rdb_data import payload

VALUES = (
    *(
        "",
        " ",
        "0",
        "-1",
        "1",
        "1.5",
        "9" * 19,
        "9" * 5000,
        "-" + "9" * 5000,
        "1e400",
        "nan",
        "inf",
    ),
    *(
        "\u00b2",
        "\u0663",
        "1_0",
        "0x10",
        "+1",
        "1mb",
        "1" + "k" * 9,
        "5%",
        "101%",
        "\u00b2%",
        "yes",
    ),
    *(
        "no",
        "a\0b",
        "\0",
        "..",
        "/",
        "/nowhere",
        "\udcff",
        "a" * 5000,
        "1 2 3",
        "1 \u00b2",
        "K" * 99,
    ),
    *(
        "normal 1 2 3",
        "slave 1mb x \u00b2",
        "normal " + "9" * 5000 + " 0 0",
        "3600 1 \u00b2 1",
        "'",
    ),
    *("volatile-lru", "%", "%%", "{", "{}", "{0}", "%s %d", "7777", "99999", "127.0.0.1 *", "\r\n"),
)
LINES = (
    *('include "a\\x00b"', "include **x", "include */nowhere*", "include /", "include /nowhere"),
    *(
        "include [",
        "include *\\x00",
        "user",
        'user "" on',
        "user a on (",
        "user a ~ & % + -",
        "save",
    ),
    *("rename-command", "rename-command GET", 'rename-command GET ""', "rename-command \u00b2 x"),
    *(
        "loadmodule",
        "loadmodule /nowhere",
        "port 0 0",
        "notify-keyspace-events \u00b2",
        '"',
        "'",
        '"a',
    ),
    *(
        "bind",
        "client-output-buffer-limit",
        "oom-score-adj-values 1 2",
        "unknown 1",
        "\0",
        "\udcff x",
    ),
)
RULES = (
    *(
        "on",
        "off",
        "+get",
        "-@all",
        "+config|get",
        "+select|0",
        "+@nosuch",
        "+",
        "-",
        "@",
        "~",
        "~a*",
    ),
    *(
        "%",
        "%R",
        "%R~",
        "%RW~x",
        "%\u00b2~x",
        "&",
        "&c",
        "(",
        ")",
        "()",
        "(+get ~a)",
        "((+get))",
        "(~a",
    ),
    *(">p", "<p", "#", "!", "#" + "0" * 64, "#" + "\u00b2" * 64, "!" + "a" * 64, "nopass", "reset"),
    *(
        "+get|",
        "+|x",
        "+\0",
        "~\udcff",
        "allkeys",
        "resetkeys",
        "clearselectors",
        "sanitize-payload",
    ),
)
CONF = (ROOT / "conf/shmredis.conf").read_text()
MANIFEST = b"file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i startoffset 5\n"
LIBRARY = b"#!lua name=a\nredis.register_function('f', function() return 1 end)" * 9


@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_taken_or_refused(value: str) -> None:
    config = Config()
    for name in OPTIONS:
        with suppress(ConfigError):
            config.set([(name, value)])
        with suppress(LineError):
            config.load_text(f"{name} {in_quotes(value)}\n")
    read_all(config)


def read_all(config: Config) -> None:
    """Whatever was taken has a value."""
    for name in OPTIONS:
        _ = config[name]


def take_text(text: str) -> None:
    config = Config()
    with suppress(LineError):
        config.load_text(text)
    read_all(config)


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_taken_or_refused(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    take_text(f"{line}\n")


def damaged_conf(rng: random.Random) -> None:
    lines = rng.sample(CONF.split("\n"), 20) + rng.sample(LINES, 2)
    rng.shuffle(lines)
    data = "\n".join(line.removeprefix("# ") for line in lines).encode("utf-8", "surrogateescape")
    take_text(mutate(data, rng).decode("utf-8", "surrogateescape"))


def random_user(rng: random.Random) -> None:
    words = [rng.choice(RULES) for _ in range(rng.randrange(8))]
    if words and rng.random() < 0.5:
        at = rng.randrange(len(words))
        damaged = mutate(words[at].encode("utf-8", "surrogateescape"), rng)
        words[at] = damaged.decode("utf-8", "surrogateescape")
    with suppress(RuleError, UnmatchedParenthesis):
        user = User("u").changed(join_selectors(words), CATALOGUE, open_channels=False)
        again = User("u").changed(str(user).split(" ")[2:], CATALOGUE, open_channels=False)
        assert str(again) == str(user) or "(" in str(user)


def damaged_manifest(rng: random.Random) -> None:
    with suppress(ManifestError):
        read = parse_manifest(mutate(MANIFEST * rng.randrange(1, 3), rng))
        assert parse_manifest(read.text.encode("utf-8", "surrogateescape") or MANIFEST)


def damaged_libraries(rng: random.Random) -> None:
    whole = write_payload((LIBRARY, b"x" * rng.choice((0, 63, 64, 16383, 16384))))
    packed = b"\xf5\xc3\x05\x20" + bytes(rng.randrange(256) for _ in range(5))
    body = mutate(rng.choice((whole[:-10], packed, b"\xf5\xc0\x05\xf5\xc1\x05\x01")), rng)
    with suppress(PayloadError):
        read_payload(payload(body, rng.choice((11, 15))))
    with suppress(PayloadError):
        read_payload(mutate(whole, rng))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("text", [damaged_conf, random_user, damaged_manifest, damaged_libraries])
def test_damaged_texts(
    text: Callable[[random.Random], None],
    seed: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(seed)
    for _ in range(50):
        text(rng)
    assert not list(tmp_path.iterdir())
