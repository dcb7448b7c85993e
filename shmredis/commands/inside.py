"""Commands of Python that run inside the core: on keys, atomically, where C would.

The core (csrc/net/inside.h) routes them, queues them and holds what has to be held; then it calls here,
in the midst of a turn. A handler gets a `Call`, runs commands by it and returns the reply. It must not
wait, and nothing else of the worker goes on meanwhile.

    @inside_command("INCRTWICE", arity=2, flags=Flag.WRITE | Flag.DENYOOM, keys=[KeySpec(RW, at=1)])
    def incr_twice(call: Call) -> bytes:
        call.run(b"INCR", call.argv[1])
        return call.run(b"INCR", call.argv[1])
"""

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from shmredis._core import ffi, lib
from shmredis.commands.context import Client, Context, Server
from shmredis.commands.everywhere import Stranger
from shmredis.commands.resp import CommandError, encode_error, encode_request, read_request
from shmredis.engine import session_info

if TYPE_CHECKING:
    from shmredis.commands.registry import CommandTable

__all__ = ["Call", "Inside", "InsideHandler"]

log = logging.getLogger(__name__)

_facts, _text = ffi.new("struct call_facts *"), ffi.new("struct text *")
_unpack, _null, _call_reply = ffi.unpack, ffi.NULL, lib.call_reply
_from_handle = ffi.from_handle
MUST_WAIT = "ERR This command has to wait and cannot be called inside of another"


class Call:
    """One command being executed inside the core; valid until its handler returns."""

    __slots__ = ("_inside", "argv", "handle", "resp")

    def __init__(
        self, inside: "Inside", handle: Any, resp: int, argv: list[bytes] | None = None
    ) -> None:
        self.handle = handle  # the struct call *
        self.resp = resp  # the RESP version that the reply is to have
        self._inside = inside
        self.argv = _long_argv(self._read()) if argv is None else argv

    @classmethod
    def of(cls, inside: "Inside", handle: Any) -> "Call":
        """One that the core executes by itself."""
        lib.call_facts(handle, _facts)
        return cls(inside, handle, _facts.resp)

    def _read(self) -> Any:
        lib.call_facts(self.handle, _facts)
        return _facts

    @property
    def server(self) -> Server:
        return self._inside.server

    @property
    def db(self) -> int:
        """The database that commands run in."""
        return int(self._read().db)

    @property
    def no_memory(self) -> bool:
        """Whether more than maxmemory is in use, and nothing can be evicted."""
        return bool(self._read().no_memory)

    @property
    def client(self) -> Client | None:
        """Whose command it is; None for a client of another worker, or none."""
        session = self._read().session
        if session == ffi.NULL:
            return None
        return self.server.clients.get(int(session_info(session).id))

    @property
    def has_written(self) -> bool:
        return bool(lib.call_has_written(self.handle))

    def limit(self, limits: int) -> None:
        """What commands may be run from now on: bits of enum call_limit."""
        lib.call_set_limits(self.handle, limits)

    def set_resp(self, version: int) -> None:
        """The RESP version of what `run` returns; 2 at first."""
        lib.call_set_resp(self.handle, version)

    def run(self, *argv: bytes) -> bytes:
        """The RESP reply of a command; an error is a reply, too."""
        return self.run_request(encode_request(argv))

    def run_request(self, request: bytes) -> bytes:
        """The same for a command that is encoded already."""
        outcome = lib.call_run(self.handle, request, len(request), _text)
        if outcome > 0:
            return self._inside.run_python(self, outcome - 1, request)
        return bytes(ffi.buffer(_text.p, _text.n))


def _long_argv(facts: Any) -> list[bytes]:
    return [bytes(ffi.buffer(text.p, text.n)) for text in facts.argv[0 : facts.argc]]


InsideHandler = Callable[[Call], bytes]


class Alone:
    """A server as its worker sees it that asks no others: who is in the midst of a turn cannot wait."""

    workers = None

    def __init__(self, server: Server) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)


class InsideContext(Context):
    """A command about the server, run by another one. With several workers it is about this one."""

    __slots__ = ("_call",)

    def __init__(self, call: Call, argv: list[bytes]) -> None:
        server = cast(Server, Alone(call.server))
        super().__init__(server, call.client or Stranger(0), argv)
        self._call = call

    @property
    def may_wait(self) -> bool:
        return False

    @property
    def resp(self) -> int:
        return 2

    @property
    def db(self) -> int:
        return self._call.db


class Inside:
    """Brings the calls of an engine to their handlers, for as long as it lives."""

    def __init__(self, server: Server, commands: "CommandTable") -> None:
        self.server = server
        self._commands = commands
        self._handlers = commands.inside
        self._self = ffi.new_handle(self)  # what the engine gives back
        lib.engine_set_inside(server.engine.handle, lib.python_inside, self._self)

    def execute(self, handle: Any, row: int, resp: int, argv: list[bytes] | None) -> None:
        """What the core calls; argv None: it is long."""
        try:
            reply = self._handlers[row](Call(self, handle, resp, argv))
        except CommandError as error:
            reply = encode_error(error.line)
        except Exception as error:
            log.error("a command inside the core failed unexpectedly", exc_info=error)
            reply = encode_error("ERR internal error")
        _call_reply(handle, reply, len(reply))

    def run_python(self, call: Call, row: int, request: bytes) -> bytes:
        """A command about the server that is run inside of another."""
        result = self._commands.execute(InsideContext(call, read_request(request)), row)
        return result if isinstance(result, bytes) else _refuse(result)


def _refuse(result: Awaitable[bytes]) -> bytes:
    if inspect.iscoroutine(result):
        result.close()
    return encode_error(MUST_WAIT)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def python_inside(
    owner: Any, handle: Any, row: int, words: Any, n: int, ends: Any, argc: int, resp: int
) -> None:
    """A command of Python is next, inside the core."""
    argv: list[bytes] | None = None
    if ends != _null:
        data, at, argv = _unpack(words, n), 0, []
        for end in _unpack(ends, argc):
            argv.append(data[at:end])
            at = end
    _from_handle(owner).execute(handle, row, resp, argv)
