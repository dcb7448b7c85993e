"""CLIENT TRACKING and what goes with it: client-side caching. The tables are the core's."""

from collections.abc import Awaitable
from dataclasses import dataclass, field

from shmredis._core import lib
from shmredis.commands.arguments import integer, shown, syntax_error, word
from shmredis.commands.client import SELF
from shmredis.commands.context import Context
from shmredis.commands.everywhere import everywhere, settled
from shmredis.commands.registry import command
from shmredis.commands.resp import OK, CommandError, Reply, Set
from shmredis.engine import session_prefixes, session_tracking

CACHING_WITHOUT_MODE = (
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
    "OPTOUT mode enabled"
)
NO_TARGET = "ERR The client ID you want redirect to does not exist"
SWITCH = (
    "ERR You can't switch {} before disabling tracking for this client, and then re-enabling it "
    "with a different mode."
)
MODES = {
    "BCAST": lib.TRACKING_BCAST,
    "OPTIN": lib.TRACKING_OPTIN,
    "OPTOUT": lib.TRACKING_OPTOUT,
    "NOLOOP": lib.TRACKING_NOLOOP,
}
EITHER = lib.TRACKING_OPTIN | lib.TRACKING_OPTOUT
HERE = 0  # the only worker


@dataclass(slots=True)
class Wish:
    """What a client asks for; `error`: what is wrong with the options, or those behind REDIRECT."""

    flags: int = 0
    redirect: int | None = None
    prefixes: list[bytes] = field(default_factory=list)
    error: CommandError | None = None


def parse_tracking(args: list[bytes]) -> Wish:
    """The options behind ON or OFF."""
    wish = Wish()
    try:
        _take_options(wish, args)
    except CommandError as error:
        wish.error = error
    return wish


def _take_options(wish: Wish, args: list[bytes]) -> None:
    rest = iter(args)
    for arg in rest:
        option = word(arg)
        if option in MODES:
            wish.flags |= MODES[option]
        elif option == "REDIRECT" and (value := next(rest, None)) is not None:
            if wish.redirect is not None:
                raise CommandError("ERR A client can only redirect to a single other client")
            wish.redirect = integer(value)
        elif option == "PREFIX" and (value := next(rest, None)) is not None:
            wish.prefixes.append(value)
        else:
            raise syntax_error()


# --- whether it may be ---


def _check_modes(wish: Wish, before: int) -> None:
    """Raises: CommandError."""
    if wish.prefixes and not wish.flags & lib.TRACKING_BCAST:
        raise CommandError("ERR PREFIX option requires BCAST mode to be enabled")
    if before and (before ^ wish.flags) & lib.TRACKING_BCAST:
        raise CommandError(SWITCH.format("BCAST mode on/off"))
    if wish.flags & lib.TRACKING_BCAST and wish.flags & EITHER:
        raise CommandError("ERR OPTIN and OPTOUT are not compatible with BCAST")
    if wish.flags & EITHER == EITHER:
        raise CommandError("ERR You can't specify both OPTIN mode and OPTOUT mode")
    if before & EITHER and wish.flags & EITHER & ~before:
        raise CommandError(SWITCH.format("OPTIN/OPTOUT mode"))


def _overlap(a: bytes, b: bytes) -> bool:
    return a.startswith(b) or b.startswith(a)


def _check_prefixes(prefixes: list[bytes], before: list[bytes]) -> None:
    """Raises: CommandError."""
    for i, prefix in enumerate(prefixes):
        for kind, others in (("an existing", before), ("another provided", prefixes[i + 1 :])):
            for other in others:
                if _overlap(prefix, other):
                    raise CommandError(
                        f"ERR Prefix '{shown(prefix)}' overlaps with {kind} prefix "
                        f"'{shown(other)}'. Prefixes for a single client must not overlap."
                    )


# --- other workers ---


def _worker_of(_ctx: Context, found: list[int]) -> Reply:
    """Which worker has the client; -1: none."""
    return max(found)


def _pin_target(ctx: Context) -> int:
    """Our number if the client that messages are to go to is here, where it then stays."""
    redirect = parse_tracking(ctx.argv[3:]).redirect
    client = ctx.server.clients.get(redirect) if redirect else None
    if client is None:
        return -1
    lib.session_pin(client.session)
    return ctx.server.workers.index if ctx.server.workers else HERE


_find_target = everywhere(_worker_of)(_pin_target)


# --- commands ---


@command("CLIENT TRACKING", arity=-3, flags=SELF, acl="connection", group="connection")
def client_tracking(ctx: Context) -> Reply | Awaitable[Reply]:
    wish = parse_tracking(ctx.argv[3:])
    if wish.redirect is None:
        return _apply(ctx, wish, HERE)
    found = _find_target(ctx)
    return (
        _apply_found(ctx, wish, found) if isinstance(found, Awaitable) else _apply(ctx, wish, found)
    )


async def _apply_found(ctx: Context, wish: Wish, found: Awaitable[Reply]) -> Reply:
    reply = _apply(ctx, wish, await found)
    return await reply if isinstance(reply, Awaitable) else reply


def _apply(ctx: Context, wish: Wish, worker: Reply) -> Reply | Awaitable[Reply]:
    assert isinstance(worker, int)
    if worker < 0:
        raise CommandError(NO_TARGET)
    if wish.error:
        raise wish.error
    state = word(ctx.argv[2])
    if state not in ("ON", "OFF"):
        raise syntax_error()
    if state == "OFF":
        lib.session_untrack(ctx.session)
        return OK
    return _turn_on(ctx, wish, worker)


def _turn_on(ctx: Context, wish: Wish, worker: int) -> Reply | Awaitable[Reply]:
    session = ctx.session
    before, _ = session_tracking(session)
    _check_modes(wish, before)
    _check_prefixes(wish.prefixes, session_prefixes(session))
    caching = before & lib.TRACKING_CACHING
    lib.session_track(session, wish.flags | caching, wish.redirect or 0, worker)
    if not wish.flags & lib.TRACKING_BCAST:
        return OK
    for prefix in wish.prefixes or [b""]:
        lib.session_track_prefix(session, prefix, len(prefix))
    told = settled(ctx)
    return _acknowledge(told) if isinstance(told, Awaitable) else OK


async def _acknowledge(told: Awaitable[Reply]) -> Reply:
    await told
    return OK


@command("CLIENT GETREDIR", arity=2, flags=SELF, acl="connection", group="connection")
def client_getredir(ctx: Context) -> Reply:
    flags, redirect = session_tracking(ctx.session)
    return redirect if flags else -1


def _flag_names(flags: int) -> list[Reply]:
    caching = flags & lib.TRACKING_CACHING
    names = {
        "bcast": flags & lib.TRACKING_BCAST,
        "optin": flags & lib.TRACKING_OPTIN,
        "caching-yes": flags & lib.TRACKING_OPTIN and caching,
        "optout": flags & lib.TRACKING_OPTOUT,
        "caching-no": flags & lib.TRACKING_OPTOUT and caching,
        "noloop": flags & lib.TRACKING_NOLOOP,
        "broken_redirect": flags & lib.TRACKING_BROKEN,
    }
    return ["on" if flags else "off", *(name for name, on in names.items() if on)]


@command("CLIENT TRACKINGINFO", arity=2, flags=SELF, acl="connection", group="connection")
def client_trackinginfo(ctx: Context) -> Reply:
    flags, redirect = session_tracking(ctx.session)
    return {
        "flags": Set(_flag_names(flags)),
        "redirect": redirect if flags else -1,
        "prefixes": list[Reply](session_prefixes(ctx.session)),
    }


@command("CLIENT CACHING", arity=3, flags=SELF, acl="connection", group="connection")
def client_caching(ctx: Context) -> Reply:
    flags, _ = session_tracking(ctx.session)
    answer = word(ctx.argv[2])
    modes = {"YES": ("OPTIN", lib.TRACKING_OPTIN), "NO": ("OPTOUT", lib.TRACKING_OPTOUT)}
    if not flags or (answer not in modes and not flags & EITHER):
        raise CommandError(CACHING_WITHOUT_MODE)
    if answer not in modes:
        raise syntax_error()
    name, mode = modes[answer]
    if not flags & mode:
        raise CommandError(
            f"ERR CLIENT CACHING {answer} is only valid when tracking is enabled in {name} mode."
        )
    lib.session_set_caching(ctx.session)
    return OK
