"""Commands over all workers: run in each, run at the owner of a key, or told from the figures of all.

Decorators of handlers; a server of one worker runs the handler and nothing else:

    @command("SLOWLOG RESET", ...)
    @everywhere()
    def slowlog_reset(ctx): ...

Questions travel pickled: both ends are forks of one process, and nobody else can write to the rings.
"""

import logging
import pickle
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from shmredis.commands.context import Context, NoAnswer, Server, Workers
from shmredis.commands.figures import PARTS, Figures, Part
from shmredis.commands.resp import CommandError, Reply
from shmredis.slots import key_slot, slot_owner

__all__ = [
    "Handler",
    "Run",
    "answer_others",
    "at_owner",
    "elsewhere",
    "everywhere",
    "from_figures",
    "settled",
]

log = logging.getLogger(__name__)

Handler = Callable[[Context], Reply | Awaitable[Reply]]
Run = Callable[[Context], Any]
Merge = Callable[[Context, list[Any]], Reply | Awaitable[Reply]]

RUN_S = 60.0  # that a worker may take over what it was asked to do; the death of one ends the wait

_runs: dict[str, Run] = {}  # what others may ask us to run, by name


def first(_ctx: Context, results: list[Any]) -> Reply:
    """All workers say the same."""
    reply: Reply = results[0]
    return reply


def everywhere(merge: Merge = first) -> Callable[[Run], Handler]:
    """The function runs in every worker with the same arguments; `merge` makes one reply of the results.

    The result of this worker is the first. An error here is the reply, and so is one elsewhere if all
    are to say the same; a `merge` of different results gets those that are none.
    """

    def decorate(run: Run) -> Handler:
        name = _remember(run)

        def handler(ctx: Context) -> Reply | Awaitable[Reply]:
            workers = ctx.server.workers
            if workers is None:
                return merge(ctx, [run(ctx)])
            answers = workers.ask_all("run", _errand(ctx, name), RUN_S)
            return _merged(ctx, merge, _attempt(run, ctx), answers)

        return handler

    return decorate


def _attempt(run: Run, ctx: Context) -> Any:
    """The function's result, or the error that it raises."""
    try:
        return run(ctx)
    except Exception as error:
        return error


async def _merged(ctx: Context, merge: Merge, own: Any, answers: Awaitable[list[bytes]]) -> Reply:
    results = [pickle.loads(answer) for answer in await answers]
    if isinstance(own, Exception):
        raise own
    errors = [result for result in results if isinstance(result, CommandError)]
    if errors and merge is first:
        raise errors[0]
    reply = merge(ctx, [own, *(r for r in results if not isinstance(r, CommandError))])
    return await reply if isinstance(reply, Awaitable) else reply


def elsewhere(run: Run) -> Callable[[Context], Awaitable[list[CommandError]]]:
    """The function that has all other workers run this one, and waits until they have; who refuses.

    It is called where modules are loaded, so that all workers know the function.
    """
    name = _remember(run)

    async def tell(ctx: Context) -> list[CommandError]:
        if ctx.server.workers is None:
            return []
        answers = await ctx.server.workers.ask_all("run", _errand(ctx, name), RUN_S)
        results = [pickle.loads(answer) for answer in answers]
        return [result for result in results if isinstance(result, CommandError)]

    return tell


def at_owner(place: int) -> Callable[[Run], Handler]:
    """The function runs in the worker that owns the key which is the argument at `place`."""

    def decorate(run: Run) -> Handler:
        name = _remember(run)

        def handler(ctx: Context) -> Reply | Awaitable[Reply]:
            workers = ctx.server.workers
            if workers is not None:
                owner = slot_owner(key_slot(ctx.argv[place]), workers.count)
                if owner != workers.index:
                    return _asked(ctx, workers, owner, name)
            reply: Reply = run(ctx)
            return reply

        return handler

    return decorate


async def _asked(ctx: Context, workers: Workers, owner: int, name: str) -> Reply:
    try:
        answer = await workers.ask(owner, "run", _errand(ctx, name), RUN_S)
        reply: Reply = pickle.loads(answer)
    except NoAnswer as silence:
        raise CommandError(f"ERR {silence}") from None
    return reply


def from_figures(*parts: Part[Any]) -> Callable[[Callable[[Context], Reply]], Handler]:
    """The function finds these parts of all workers' figures in ctx.figures."""
    names = pickle.dumps([part.name for part in parts])

    def decorate(tell: Callable[[Context], Reply]) -> Handler:
        def handler(ctx: Context) -> Reply | Awaitable[Reply]:
            workers = ctx.server.workers
            if workers is None:
                return tell(ctx)
            return _told(ctx, tell, workers.ask_all("figures", names))

        return handler

    return decorate


async def _told(
    ctx: Context, tell: Callable[[Context], Reply], answers: Awaitable[list[bytes]]
) -> Reply:
    others = [pickle.loads(answer) for answer in await answers]
    ctx.figures = Figures(ctx.server, others)
    return tell(ctx)


# --- at the other end ---


@dataclass(slots=True, frozen=True)
class Errand:
    """A call of a function in another worker, and who is behind it."""

    run: str
    argv: list[bytes]
    db: int
    resp: int
    client_id: int


class Stranger:
    """A client of another worker. Implements commands.context.Client as far as errands go."""

    def __init__(self, number: int) -> None:
        self.id = number
        self.session: Any = None
        self.addr = self.laddr = ""
        self.name = self.lib_name = self.lib_ver = b""
        self.user = "default"
        self.read_events = 0
        self.is_subscriber = False
        self.waiting: Any = None

    def close(self) -> None:
        """Its own worker closes it."""


class ErrandContext(Context):
    """The call as its own worker would see it."""

    __slots__ = ("_errand",)

    def __init__(self, server: Server, errand: Errand) -> None:
        super().__init__(server, Stranger(errand.client_id), errand.argv)
        self._errand = errand

    @property
    def resp(self) -> int:
        return self._errand.resp

    @property
    def db(self) -> int:
        return self._errand.db


def _remember(run: Run) -> str:
    name = f"{run.__module__}.{run.__qualname__}"
    _runs[name] = run
    return name


def _be_asked(_ctx: Context) -> None:
    """Who answers has taken what was sent to it before."""


settled = everywhere()(_be_asked)  # done when all workers know what they were told before


def _errand(ctx: Context, name: str) -> bytes:
    return pickle.dumps(Errand(name, ctx.argv, ctx.db, ctx.resp, ctx.client.id))


def answer_others(server: Server, workers: Workers) -> None:
    """Lets other workers ask this one."""

    def run(question: bytes) -> bytes:
        errand = pickle.loads(question)
        try:
            result = _runs[errand.run](ErrandContext(server, errand))
        except CommandError as error:
            result = error
        return pickle.dumps(result)

    def figures(question: bytes) -> bytes:
        names: Iterable[str] = pickle.loads(question)
        return pickle.dumps({name: PARTS[name].read(server) for name in names})

    workers.handle("run", run)
    workers.handle("figures", figures)
