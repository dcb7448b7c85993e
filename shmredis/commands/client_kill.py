"""CLIENT KILL: by address, or by filters of which all must match."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shmredis._core import lib
from shmredis.commands.arguments import integer, shown, syntax_error, word
from shmredis.commands.client import OTHERS, kind_of, parse_kind
from shmredis.commands.context import Client, Context
from shmredis.commands.everywhere import everywhere
from shmredis.commands.registry import command
from shmredis.commands.resp import OK, CommandError, Reply
from shmredis.engine import session_info

Test = Callable[[Client], bool]


@dataclass(slots=True)
class KillFilter:
    """Which clients to kill: those for which all tests hold."""

    tests: list[Test] = field(default_factory=list)
    skip_me: bool = True

    def matches(self, client: Client) -> bool:
        return all(test(client) for test in self.tests)


def parse_filter(args: list[bytes]) -> KillFilter:
    """Options in pairs. Raises: CommandError."""
    chosen = KillFilter()
    for i in range(0, len(args), 2):
        if i + 1 == len(args):
            raise syntax_error()
        option, value = word(args[i]), args[i + 1]
        if option == "SKIPME":
            chosen.skip_me = _parse_yes(value)
        elif option in _TESTS:
            chosen.tests.append(_TESTS[option](value))
        else:
            raise syntax_error()
    return chosen


def _parse_yes(value: bytes) -> bool:
    if word(value) not in ("YES", "NO"):
        raise syntax_error()
    return word(value) == "YES"


def _by_id(value: bytes) -> Test:
    wanted = integer(value, "ERR client-id should be greater than 0", low=1)
    return lambda client: client.id == wanted


def _by_type(value: bytes) -> Test:
    kind = parse_kind(value)
    return lambda client: kind_of(client) == kind


def _by_user(value: bytes) -> Test:
    wanted = shown(value)
    return lambda client: client.user == wanted


def _by_address(value: bytes) -> Test:
    wanted = shown(value)
    return lambda client: client.addr == wanted


def _by_local_address(value: bytes) -> Test:
    wanted = shown(value)
    return lambda client: client.laddr == wanted


def _by_age(value: bytes) -> Test:
    age = integer(value, "ERR maxage is not an integer or out of range")
    if age <= 0:
        raise CommandError("ERR maxage should be greater than 0")
    return lambda client: time.time() - session_info(client.session).created_ms / 1000 >= age


_TESTS: dict[str, Callable[[bytes], Test]] = {
    "ID": _by_id,
    "TYPE": _by_type,
    "USER": _by_user,
    "ADDR": _by_address,
    "LADDR": _by_local_address,
    "MAXAGE": _by_age,
}


def _check_users(ctx: Context) -> None:
    """Raises: CommandError for a user who does not exist."""
    for option, value in zip(ctx.argv[2::2], ctx.argv[3::2], strict=False):
        if word(option) == "USER" and ctx.server.users.get(shown(value)) is None:
            raise CommandError(f"ERR No such user '{shown(value)}'")


def _kill(ctx: Context, chosen: KillFilter) -> int:
    victims = [client for client in ctx.server.clients.values() if chosen.matches(client)]
    if chosen.skip_me:
        victims = [client for client in victims if client is not ctx.client]
    for client in victims:
        if client is ctx.client:
            lib.session_set_flag(ctx.session, lib.SESSION_CLOSING, True)
        else:
            client.close()
    return len(victims)


def _tell_killed(ctx: Context, counts: list[int]) -> Reply:
    if len(ctx.argv) > 3:
        return sum(counts)
    if not any(counts):
        raise CommandError("ERR No such client")
    return OK


@command("CLIENT KILL", arity=-3, flags=OTHERS, acl="connection", group="connection")
@everywhere(_tell_killed)
def client_kill(ctx: Context) -> int:
    if len(ctx.argv) == 3:
        return _kill(ctx, KillFilter([_by_address(ctx.argv[2])], skip_me=False))
    chosen = parse_filter(ctx.argv[2:])
    _check_users(ctx)
    return _kill(ctx, chosen)
