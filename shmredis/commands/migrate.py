"""MIGRATE: keys are sent to another server and, once it has them, deleted here.

It runs inside the core on the keys, so it is atomic, with several workers too; the worker waits for the
target meanwhile. What the target has said OK to is deleted even if something goes wrong later.
"""

import re
from dataclasses import dataclass

from shmredis._core import lib
from shmredis.commands.arguments import integer, shown, syntax_error, word
from shmredis.commands.inside import Call
from shmredis.commands.migrate_link import REFUSES, LinkLost, Target, keep, open_link
from shmredis.commands.registry import Flag, KeySpec, inside_command
from shmredis.commands.resp import OK, CommandError, Simple, encode

RW_ACCESS_DELETE = 1 << 1 | 1 << 4 | 1 << 7
INCOMPLETE = 1 << 9
NAMED_TWICE = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
CREDENTIALS = {"AUTH": 1, "AUTH2": 2}  # words of each
NO_TTL = -1
DEFAULT_TIMEOUT_MS = 1000
TIMEOUT_MAX_MS = 1 << 31  # beyond it the system's calls have no numbers


@dataclass(slots=True)
class Request:
    """The arguments of MIGRATE."""

    target: Target
    db: int
    timeout_s: float
    keys: list[bytes]
    copy: bool = False
    replace: bool = False


def read_arguments(argv: list[bytes]) -> Request:
    """MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH …] [AUTH2 …] [KEYS key …]

    Raises: CommandError.
    """
    keys, options = [argv[3]], set()
    credentials: tuple[bytes, ...] = ()
    at = 6
    while at < len(argv):
        option = word(argv[at])
        if option in ("COPY", "REPLACE"):
            options.add(option)
        elif option in CREDENTIALS and at + CREDENTIALS[option] < len(argv):
            credentials = tuple(argv[at + 1 : at + 1 + CREDENTIALS[option]])
            at += len(credentials)
        elif option == "KEYS":
            if argv[3]:
                raise CommandError(NAMED_TWICE)
            keys = argv[at + 1 :]
            break
        else:
            raise syntax_error()
        at += 1
    timeout_ms, db = integer(argv[5]), integer(argv[4])
    if timeout_ms <= 0:
        timeout_ms = DEFAULT_TIMEOUT_MS
    return Request(
        target=Target(shown(argv[1]), _port(argv[2]), credentials),
        db=db,
        timeout_s=min(timeout_ms, TIMEOUT_MAX_MS) / 1000,
        keys=keys,
        copy="COPY" in options,
        replace="REPLACE" in options,
    )


def _port(arg: bytes) -> int:
    """The number that the argument begins with; 0, where nobody listens, without one."""
    found = re.match(rb"\d{1,18}", arg)
    return int(found[0]) if found else 0


def _payloads(call: Call, request: Request) -> dict[bytes, tuple[bytes, ...]]:
    """For each key that is there the RESTORE that makes it at the target."""
    commands = {}
    for key in request.keys:
        head, _, payload = call.run(b"DUMP", key).partition(b"\r\n")
        if head == b"$-1":
            continue
        rest_ms = int(call.run(b"PTTL", key)[1:])
        ttl_ms = 0 if rest_ms == NO_TTL else max(1, rest_ms)
        options = (b"REPLACE",) if request.replace else ()
        commands[key] = (b"RESTORE", key, b"%d" % ttl_ms, payload[:-2], *options)
    return commands


def _restore(request: Request, commands: dict[bytes, tuple[bytes, ...]]) -> list[str]:
    """What the target says to each command. Raises: LinkLost, CommandError."""
    link = open_link(request.target, request.timeout_s)
    try:
        link.use(request.db, request.timeout_s)
        lines = link.ask(commands.values(), request.timeout_s)
    except CommandError as error:
        link.sock.close()
        if isinstance(error, LinkLost) and link.was_kept and not error.timed_out:
            return _restore(request, commands)  # the target has closed what was kept
        raise
    keep(link)
    return lines


@inside_command(
    "MIGRATE",
    arity=-6,
    flags=Flag.WRITE | Flag.MOVABLE_KEYS,
    acl="dangerous keyspace",
    group="generic",
    keys=[
        KeySpec(RW_ACCESS_DELETE, at=3),
        KeySpec(RW_ACCESS_DELETE | INCOMPLETE, begin="k", at=-2, a=-1, keyword="KEYS"),
    ],
)
def migrate(call: Call) -> bytes:
    request = read_arguments(call.argv)
    lib.call_set_limits(call.handle, lib.CALL_UNCOUNTED)
    commands = _payloads(call, request)
    if not commands:
        return encode(Simple("NOKEY"), call.resp)
    lines = _restore(request, commands)
    accepted = [key for key, line in zip(commands, lines, strict=True) if not line.startswith("-")]
    if accepted and not request.copy:
        call.run(b"DEL", *accepted)
    for line in lines:
        if line.startswith("-"):
            raise CommandError(REFUSES + line[1:])
    return encode(OK, call.resp)
