"""DEBUG: looking into the server's inside. What needs the data is in csrc/cmd/debug.c."""

import hashlib
import re
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shmredis._core import lib
from shmredis.commands.arguments import integer, is_on, leading_number, shown, word, wrong_arguments
from shmredis.commands.context import Context
from shmredis.commands.debug_crash import fail_assertion, leak, panic, run_out_of_memory, segfault
from shmredis.commands.debug_data import (
    at_key_owner,
    digest,
    digest_values,
    in_core,
    populate,
    replicate,
    tables,
)
from shmredis.commands.debug_files import (
    crash_and_recover,
    reload,
    restart,
    rewrite_all,
    skip_checksums,
)
from shmredis.commands.debug_inspect import client_eviction, script
from shmredis.commands.everywhere import Handler, everywhere
from shmredis.commands.helptext import help_reply
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import OK, CommandError, Raw, Reply, Set, Simple, Verbatim, encode
from shmredis.commands.settings import setting
from shmredis.faults import arm_faults
from shmredis.persistence.aof_load import AofError

NOT_ALLOWED = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can '
    "run it from a local connection, otherwise you need to set this option in the configuration "
    "file, and then restart the server."
)
MANY = 1 << 20  # arguments: however many there are
BAD_THRESHOLD = "ERR argument must be a memory value bigger than 1 and smaller than 4gb"
BAD_PROTOCOL = (
    "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|"
    "null|array|set|map|attrib|push|verbatim|true|false"
)
UNITS = {"": 1, "b": 1, "k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}


@dataclass(slots=True, frozen=True)
class Subcommand:
    """One subcommand with its number of arguments."""

    usage: str
    summary: str
    least: int
    most: int
    run: Handler

    @property
    def name(self) -> str:
        return self.usage.split()[0]


@command(
    "DEBUG",
    arity=-2,
    flags=Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.LAST,
)
def debug(ctx: Context) -> Reply | Awaitable[Reply]:
    _check_allowed(ctx)
    sub = SUBCOMMANDS.get(word(ctx.argv[1]))
    if sub is None or not sub.least <= len(ctx.argv) - 2 <= sub.most:
        raise wrong_arguments(ctx)
    return sub.run(ctx)


def _check_allowed(ctx: Context) -> None:
    """Raises: CommandError unless enable-debug-command lets this client."""
    allowed = setting(ctx, "enable-debug-command")
    local = ctx.client.addr.startswith(("127.", "/", "::1:", "[::1]:"))
    if not (allowed == "yes" or (allowed == "local" and local)):
        raise CommandError(NOT_ALLOWED)


# --- subcommands ---


def _help(ctx: Context) -> Reply:
    subs = sorted(SUBCOMMANDS.values(), key=lambda sub: sub.name)
    return help_reply("DEBUG", [(s.usage, s.summary) for s in subs if s.name != "HELP"])


@everywhere()
def _sleep(ctx: Context) -> Reply:
    """Blocks all workers, as it is meant to."""
    time.sleep(max(0.0, leading_number(ctx.argv[2])))
    return OK


def _error(ctx: Context) -> Reply:
    raise CommandError(shown(ctx.argv[2]))


def _log(ctx: Context) -> Reply:
    ctx.server.log("warning", f"DEBUG LOG: {shown(ctx.argv[2])}")
    return OK


def _fault(ctx: Context) -> Reply:
    """In this worker only: the client is connected to the one that it means."""
    if any(one.count(b":") > 2 for one in ctx.argv[2].split(b",")):
        raise CommandError("ERR a token is for the environment, not for clients")
    try:
        arm_faults(ctx.argv[2])
    except ValueError:
        raise CommandError("ERR syntax error") from None
    return OK


@everywhere()
def _change_repl_id(ctx: Context) -> Reply:
    """The new id is made of the old one, so that all workers have the same."""
    facts = ctx.server.facts
    facts.replication_id = hashlib.sha1(facts.replication_id.encode()).hexdigest()
    return OK


@everywhere()
def _set_active_expire(ctx: Context) -> Reply:
    ctx.engine.set_option("active_expire", int(is_on(ctx.argv[2])))
    return OK


async def _load_aof(ctx: Context) -> Reply:
    """Each worker loads its own log; several only if there is one to load for each."""
    for each in (_find_log, _load_log) if ctx.server.workers else (_load_log,):
        done = each(ctx)
        if isinstance(done, Awaitable):
            await done
    return OK


@everywhere()
def _find_log(ctx: Context) -> Reply:
    with _logs_are_there(ctx):
        ctx.server.append_log.find(*_place(ctx))
    return OK


@everywhere()
def _load_log(ctx: Context) -> Reply:
    with _logs_are_there(ctx):
        ctx.server.append_log.reload(*_place(ctx))
    ctx.server.snapshots.note_loaded()
    ctx.server.log("notice", "Append Only File loaded by DEBUG LOADAOF")
    return OK


def _place(ctx: Context) -> tuple[int, int]:
    """Which worker this is, and how many there are."""
    workers = ctx.server.workers
    return (workers.index, workers.count) if workers else (0, 1)


@contextmanager
def _logs_are_there(ctx: Context) -> Iterator[None]:
    """Raises: CommandError if they are not, or cannot be read."""
    try:
        yield
    except (AofError, OSError) as error:
        ctx.server.log("warning", str(error))
        raise CommandError("ERR Error trying to load the AOF files, check server logs.") from None


@everywhere()
def _aof_flush_sleep(ctx: Context) -> Reply:
    ctx.engine.set_option("aof_flush_sleep_us", max(0, int(leading_number(ctx.argv[2]))))
    return OK


@everywhere()
def _pause_cron(ctx: Context) -> Reply:
    ctx.server.cron_paused = is_on(ctx.argv[2])
    return OK


def _packed_threshold(ctx: Context) -> Reply:
    """Checked only: whether an element is packed depends on list-max-listpack-size alone."""
    found = re.fullmatch(r"(\d+)([a-z]*)", shown(ctx.argv[2]).lower())
    unit = UNITS.get(found[2]) if found else None
    if found is None or unit is None or int(found[1]) * unit >= 4 * 2**30:
        raise CommandError(BAD_THRESHOLD)
    return OK


def _reply_buffer(ctx: Context) -> Reply:
    """Checked only: connections share one reply buffer, none is resized."""
    option = word(ctx.argv[2])
    if option == "PEAK-RESET-TIME":
        if word(ctx.argv[3]) not in ("NEVER", "RESET"):
            integer(ctx.argv[3])
    elif option != "RESIZING":
        raise wrong_arguments(ctx)
    return OK


def _match_strings(_ctx: Context) -> Reply:
    """A pattern that takes exponential time where each star tries all places again."""
    pattern, text = b"a*" * 16 + b"c", b"a" * 4096
    assert not lib.core_glob_match(pattern, len(pattern), text, len(text), False)
    return Simple("Apparently the server did not crash: test passed")


def _no_secret(_ctx: Context) -> Reply:
    raise CommandError("ERR Internal secret is missing")


def _cache_hits(_ctx: Context) -> Reply:
    """The defragmenter asks the heap itself how full a page is: there is no cache."""
    return Simple("defrag_frag_cache_hits:0")


def _accepted(ctx: Context) -> Reply:
    """For switches of mechanisms that this server does not have."""
    return OK


# --- PROTOCOL ---

_ATTRIBUTE = b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
_BIG_NUMBER = b"1234567999999999999999999999999999999"
_SAMPLES: dict[str, Reply] = {
    "STRING": "Hello World",
    "INTEGER": 12345,
    "DOUBLE": 3.141,
    "NULL": None,
    "ARRAY": [0, 1, 2],
    "SET": Set([0, 1, 2]),
    "MAP": {0: False, 1: True, 2: False},
    "VERBATIM": Verbatim(b"This is a verbatim\nstring"),
    "TRUE": True,
    "FALSE": False,
}


def _protocol(ctx: Context) -> Reply:
    kind = word(ctx.argv[2])
    if kind in _SAMPLES:
        return _SAMPLES[kind]
    if kind == "BIGNUM":
        return Raw(b"(%b\r\n" % _BIG_NUMBER) if ctx.resp > 2 else _BIG_NUMBER
    if kind == "ATTRIB":
        reply = encode("Some real reply following the attribute", ctx.resp)
        return Raw(_ATTRIBUTE + reply if ctx.resp > 2 else reply)
    if kind == "PUSH":
        if ctx.resp < 3:
            raise CommandError("ERR RESP2 is not supported by this command")
        reply = encode("Some real reply following the push reply", 3)
        return Raw(reply + b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n")
    raise CommandError(BAD_PROTOCOL)


SUBCOMMANDS = {
    sub.name: sub
    for sub in (
        Subcommand(
            "AOF-FLUSH-SLEEP <microsec>",
            "Sleeps before each write to the AOF.",
            1,
            1,
            _aof_flush_sleep,
        ),
        Subcommand(
            "ASSERT", "Crashes the worker as a failed assertion does.", 0, 0, fail_assertion
        ),
        Subcommand(
            "CONFIG-REWRITE-FORCE-ALL",
            "Writes all directives into the configuration file, also those at their defaults.",
            0,
            0,
            rewrite_all,
        ),
        Subcommand("CHANGE-REPL-ID", "Takes a new replication id.", 0, 0, _change_repl_id),
        Subcommand(
            "CRASH-AND-RECOVER [<ms>]",
            "Kills all workers and starts again.",
            0,
            1,
            crash_and_recover,
        ),
        Subcommand(
            "CLIENT-EVICTION", "How many clients there are of each size.", 0, 0, client_eviction
        ),
        Subcommand("DEFRAG-FRAG-CACHE-STATS", "Hits of a cache; there is none.", 0, 0, _cache_hits),
        Subcommand("DICT-RESIZING <0|1>", "Accepted; tables resize always.", 1, 1, _accepted),
        Subcommand("DIGEST", "Digest of all data; equal data, equal digests.", 0, 0, digest),
        Subcommand(
            "DIGEST-VALUE <key> [<key> ...]", "Digest of each value.", 0, MANY, digest_values
        ),
        Subcommand("ERROR <string>", "Replies with this error.", 1, 1, _error),
        Subcommand("FAULT <plan>", "Has this worker die at named points.", 1, 1, _fault),
        Subcommand("HELP", "Lists the subcommands.", 0, 0, _help),
        Subcommand("HTSTATS <dbid> [full]", "Figures of a database's table.", 1, MANY, tables),
        Subcommand(
            "HTSTATS-KEY <key>", "Figures of a value that is a table.", 1, MANY, at_key_owner
        ),
        Subcommand("INTERNAL_SECRET", "The secret of a cluster.", 0, 0, _no_secret),
        Subcommand("KEYSIZES-HIST-ASSERT <0|1>", "Accepted.", 1, 1, _accepted),
        Subcommand("LEAK <string>", "Keeps the string's memory for ever.", 1, 1, leak),
        Subcommand("LISTPACK <key>", "Prints a listpack's figures on stdout.", 1, 1, at_key_owner),
        Subcommand("LOADAOF", "Empties the data and loads the AOF.", 0, MANY, _load_aof),
        Subcommand("LOG <message>", "Writes a line to the log.", 1, 1, _log),
        Subcommand("OBJECT <key>", "Where and how a value is stored.", 1, 1, at_key_owner),
        Subcommand("OOM", "Crashes the worker as a lack of memory does.", 0, 0, run_out_of_memory),
        Subcommand("PANIC", "Crashes the worker as an impossible state does.", 0, 0, panic),
        Subcommand("PAUSE-CRON <0|1>", "Stops background work.", 1, 1, _pause_cron),
        Subcommand("POPULATE <count> [<prefix>] [<size>]", "Makes string keys.", 1, 3, populate),
        Subcommand("PROTOCOL <type>", "Replies with a sample of a type.", 1, 1, _protocol),
        Subcommand(
            "QUICKLIST <key> [<0|1>]", "Prints a list's figures on stdout.", 1, 2, at_key_owner
        ),
        Subcommand(
            "QUICKLIST-PACKED-THRESHOLD <size>", "Accepted; checked only.", 1, 1, _packed_threshold
        ),
        Subcommand("REPLICATE <command> [<argument> ...]", "Logs a command.", 1, MANY, replicate),
        Subcommand("REPLY-COPY-AVOIDANCE <0|1>", "Accepted; it is always on.", 1, 1, _accepted),
        Subcommand(
            "REPLYBUFFER <PEAK-RESET-TIME|RESIZING> <value>",
            "Accepted; checked only.",
            2,
            2,
            _reply_buffer,
        ),
        Subcommand("RELOAD [MERGE] [NOFLUSH] [NOSAVE]", "Saves and loads dump.rdb.", 0, 3, reload),
        Subcommand("RESTART [<ms>]", "Saves, ends and starts again.", 0, 1, restart),
        Subcommand("SEGFAULT", "Crashes the worker.", 0, MANY, segfault),
        Subcommand("SCRIPT <LIST|<sha>>", "Writes scripts into the log.", 1, 1, script),
        Subcommand(
            "SDSLEN <key>", "Lengths and blocks of a key and its string.", 1, 1, at_key_owner
        ),
        Subcommand("SET-ACTIVE-EXPIRE <0|1>", "Stops active expiry.", 1, 1, _set_active_expire),
        Subcommand("SET-DISABLE-DENY-SCRIPTS <0|1>", "Accepted, without effect.", 1, 1, _accepted),
        Subcommand(
            "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
            "Payloads of RESTORE are not checked.",
            1,
            1,
            skip_checksums,
        ),
        Subcommand("SLEEP <seconds>", "Stops the worker for a while.", 1, 1, _sleep),
        Subcommand("STRINGMATCH-TEST", "Matches a malicious pattern.", 0, 0, _match_strings),
        Subcommand("STRUCTSIZE", "Sizes of structures in shared memory.", 0, 0, in_core),
    )
}
