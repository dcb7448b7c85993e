"""Runs scripts: EVAL and its kind, and functions of libraries."""

import logging
from collections.abc import Callable
from typing import Any

import lupa.lua51
from lupa.lua51 import LuaError

from shmredis._core import ffi, lib
from shmredis.commands.arguments import integer
from shmredis.commands.inside import Call
from shmredis.commands.resp import CommandError
from shmredis.scripting.busy import Host, Watch
from shmredis.scripting.cache import Script, ScriptCache
from shmredis.scripting.functions import Libraries
from shmredis.scripting.host import plain_functions
from shmredis.scripting.runtime import Runtime
from shmredis.scripting.shebang import ScriptFlag
from shmredis.scripting.store import Kind, ScriptStore

__all__ = ["Scripting"]

log = logging.getLogger(__name__)

MEMORY_LIMIT = 512 << 20  # bytes that a script may have
HARD_LIMIT = 4  # times as much as that is what Lua can get at all
LEVELS = ("debug", "verbose", "notice", "warning")
SMALL = {b"%d" % n: n for n in range(100)}  # numbers of keys
SHA_LENGTH = 40
NOT_INTEGER = "ERR value is not an integer or out of range"
INTERNAL_ERROR = b"-ERR internal error\r\n"
NO_COMMAND = {-1: b"Invalid command passed to", -2: b"Wrong number of args for"}
NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL."
READ_ONLY_COMMAND = "ERR Can not execute a script with write flag using *_ro command."
NO_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."

ONE_LINE = bytes.maketrans(b"\r\n", b"  ")

_text = ffi.new("struct text *")


class Scripting:
    """One worker's interpreter, and what it has been given to run."""

    def __init__(self, log_line: Callable[[str, str], None], host: Host) -> None:
        self._log_line = log_line
        self._host = host
        self._lua: Runtime | None = None  # made when the first script comes
        self._store: ScriptStore | None = None
        self.watch = Watch(host)
        self.cache = ScriptCache(self._compile, self._forget)
        self.libraries = Libraries(self._load_library)

    # --- what other workers know ---

    def share(self, store: ScriptStore) -> None:
        """Scripts are shared with other workers, and with this one's next life."""
        self._store = store
        self.cache.publish = self._publish
        self.cache.learn = self._learn

    def _publish(self, script: Script) -> None:
        kind = Kind.LOADED if script.kept else Kind.PASSING
        self._add(kind, script.text)

    def _add(self, kind: Kind, data: bytes) -> None:
        if self._store is None:
            return
        try:
            self._store.add(kind, data)
        except OSError as error:
            log.warning("Other workers do not learn of a script: %s", error)

    def _learn(self) -> None:
        """Takes over what is new. It was compiled by others, so it is sound."""
        for kind, data in self._store.news() if self._store else ():
            if kind is Kind.FLUSH:
                self.cache.clear()
            elif kind is not Kind.LIBRARIES:
                self.cache.add(data, kept=kind is Kind.LOADED, told=False)

    def flush(self, *, told: bool) -> None:
        """SCRIPT FLUSH; `told`: it is this worker's client who wants it."""
        self.cache.clear()
        if told:
            self._add(Kind.FLUSH, b"")

    def bring_libraries(self, *, from_files: bool) -> None:
        """When the data are there: those libraries that belong to them, from now on kept in the store.

        `from_files`: they were loaded with the data; otherwise they are those of the store.
        """
        stored = None if from_files or self._store is None else self._store.libraries()
        if stored is not None:
            try:
                self.libraries.restore(stored, "FLUSH")
            except CommandError as error:
                log.warning("Libraries of functions cannot be taken over: %s", error)
        else:
            self._keep_libraries()
        self.libraries.changed = self._keep_libraries

    def load_found(self, code: bytes) -> None:
        """A library that was in a file."""
        self.replay(0, [b"FUNCTION", b"LOAD", b"REPLACE", code])

    def replay(self, _db: int, argv: list[bytes]) -> None:
        """A command of Python that was in a log: of those, FUNCTION and SCRIPT matter."""
        name, verb = argv[0].upper(), b"".join(argv[1:2]).upper()
        try:
            if name == b"FUNCTION":
                self._replay_function(verb, argv[2:])
            elif name == b"SCRIPT":
                self._replay_script(verb, argv[2:])
        except (CommandError, IndexError) as error:
            kind = "script" if name == b"SCRIPT" else "library of functions"
            log.warning("A %s in a file is left out: %s", kind, error)

    def _replay_script(self, verb: bytes, arguments: list[bytes]) -> None:
        """Redis logged scripts until 7.0, for EVALSHA to come. Raises: CommandError."""
        if verb == b"LOAD":
            self.cache.add(arguments[0], kept=True)
        elif verb == b"FLUSH":
            self.flush(told=False)

    def _replay_function(self, verb: bytes, arguments: list[bytes]) -> None:
        """Raises: CommandError."""
        if verb == b"LOAD":
            self.libraries.load(arguments[-1], replace=len(arguments) > 1)
        elif verb == b"DELETE":
            self.libraries.delete(arguments[0])
        elif verb == b"FLUSH":
            self.libraries.flush()
        elif verb == b"RESTORE":
            policy = (
                arguments[1].decode("utf-8", "replace").upper() if len(arguments) > 1 else "APPEND"
            )
            self.libraries.restore(arguments[0], policy)

    def _keep_libraries(self) -> None:
        lib.engine_forget_reach(self._host.engine.handle)
        self._add(Kind.LIBRARIES, self.libraries.dump())

    # --- the interpreter ---

    @property
    def lua(self) -> Runtime:
        """Made when it is used first."""
        if self._lua is None:
            host = {
                **plain_functions(),
                "call": self._run_command,
                "log": self._log,
                "setresp": self._set_resp,
                "set_repl": self._set_propagated,
                "acl_check_cmd": self._check_command,
                "tick": self.watch.tick,
                "over": self.watch.over,
                "attach": self._attach,
                "memory_limit": MEMORY_LIMIT >> 10,
            }
            self._lua = Runtime(host, HARD_LIMIT * MEMORY_LIMIT)
        return self._lua

    def _attach(self, thread: bytes) -> bool:
        """Lets the core use the interpreter by itself; `thread` is what tostring() says of one."""
        _, _, address = thread.partition(b": ")
        engine, library = self._host.engine.handle, lupa.lua51.__file__
        try:
            return bool(lib.engine_set_lua(engine, library.encode(), int(address, 16)))
        except ValueError:  # it is told of in another way
            return False

    @property
    def memory_used(self) -> int:
        """Bytes of the interpreter; 0 before the first script."""
        return self._lua.memory_used if self._lua else 0

    def _compile(self, script: Script) -> None:
        """Raises: CommandError."""
        name = b"@user_script"
        f = self.lua.compile(script.header.code, name)
        if isinstance(f, tuple):
            problem = f[1].decode("utf-8", "surrogateescape")
            raise CommandError(f"ERR Error compiling script (new function): {problem}")
        self.lua.define(script.sha, f, None if script.header.present else script.text)

    def _forget(self, script: Script) -> None:
        self.lua.forget(script.sha, script.text)

    def _load_library(self, code: bytes) -> tuple[Any, ...]:
        self.watch.begin_load()
        try:
            found = self.lua.load_library(code)
        except LuaError as error:
            self.lua.collect()
            return False, str(error).encode()
        finally:
            self.watch.end_load()
        return found if isinstance(found, tuple) else (found,)

    # --- commands ---

    def eval(self, call: Call, *, read_only: bool) -> bytes:
        """EVAL and EVAL_RO."""
        argv = call.argv
        keys = SMALL.get(argv[2])
        if keys is None or keys > len(argv) - 3:
            keys = count_keys(argv)
        script = self.cache.by_text.get(argv[1])
        if script is None:
            script = self.cache.add(argv[1], kept=False)
        return self._run(call, script, keys, read_only)

    def eval_sha(self, call: Call, *, read_only: bool) -> bytes:
        """EVALSHA and EVALSHA_RO."""
        argv = call.argv
        keys = count_keys(argv) if len(argv[1]) == SHA_LENGTH else 0
        script = self.cache.find(argv[1])
        if script is None:
            raise CommandError(NO_SCRIPT)
        return self._run(call, script, keys, read_only)

    def _run(self, call: Call, script: Script, keys: int, read_only: bool) -> bytes:
        header = script.header
        if header.present or read_only:
            limits = _limits(call, header.flags, header.present, read_only)
            lib.call_set_limits(call.handle, limits)
        return self._execute(self.lua.run, script.sha, call.resp, keys, *call.argv[3:])

    def call_function(self, call: Call, *, read_only: bool) -> bytes:
        """FCALL and FCALL_RO."""
        argv = call.argv
        function = self.libraries.find(argv[1])
        if function is None:
            raise CommandError("ERR Function not found")
        keys = count_keys(argv, "ERR Bad number of keys provided")
        lib.call_set_limits(call.handle, _limits(call, function.flags, True, read_only))
        run, self.watch.function = self.lua.call_function, function.name
        try:
            return self._execute(run, function.call, function.name, call.resp, keys, *call.argv[3:])
        finally:
            self.watch.function = None

    def _execute(self, run: Callable[..., Any], *arguments: Any) -> bytes:
        try:
            reply = run(*arguments)
        except LuaError as error:
            reply = (None, self.lua.failed(str(error or "not enough memory").encode()))
        return reply if isinstance(reply, bytes) else b"-%b\r\n" % reply[1].translate(ONE_LINE)

    # --- what the Lua side calls ---

    def _run_command(self, request: bytes) -> bytes | bool:
        """The RESP reply; False: the script is going to be run again, and has to stop."""
        try:
            handle = self._innermost()
            outcome = lib.call_run(handle, request, len(request), _text)
            if outcome > 0:
                return Call.of(self._host.inside, handle).run_request(request)
            if outcome < 0 and not lib.call_has_written(handle):
                return False
            return bytes(ffi.buffer(_text.p, _text.n))
        except Exception:
            log.exception("a command of a script failed unexpectedly")
            return INTERNAL_ERROR

    def _innermost(self) -> Any:
        """The call that runs a script now; NULL: none does."""
        return lib.engine_inside_last(self._host.engine.handle)

    def _log(self, level: float, text: bytes) -> None:
        try:
            self._log_line(LEVELS[int(level)], text.decode("utf-8", "replace"))
        except Exception:
            log.exception("a script cannot log")

    def _set_resp(self, version: float) -> None:
        if handle := self._innermost():
            lib.call_set_resp(handle, int(version))

    def _set_propagated(self, on: bool) -> None:
        if handle := self._innermost():
            lib.call_set_silent(handle, not on)

    def _check_command(self, request: bytes) -> bool | bytes:
        """Whether the user may run it; or what is wrong with it."""
        handle = self._innermost()
        answer = lib.call_may(handle, request, len(request)) if handle else -1
        return NO_COMMAND[answer] if answer < 0 else bool(answer)


def count_keys(argv: list[bytes], not_integer: str = NOT_INTEGER) -> int:
    """The argument that says how many keys follow. Raises: CommandError."""
    keys = integer(argv[2], not_integer)
    if keys > len(argv) - 3:
        raise CommandError("ERR Number of keys can't be greater than number of args")
    if keys < 0:
        raise CommandError("ERR Number of keys can't be negative")
    return keys


def _limits(call: Call, flags: ScriptFlag, declared: bool, read_only: bool) -> int:
    """What its commands may do: bits of enum call_limit. Raises: CommandError.

    `declared`: the script says by flags what it does, so it is refused before it begins.
    """
    limits = lib.CALL_SCRIPT
    writes = declared and not flags & ScriptFlag.NO_WRITES
    if read_only and writes:
        raise CommandError(READ_ONLY_COMMAND)
    if writes and not flags & ScriptFlag.ALLOW_OOM and call.no_memory:
        raise CommandError(NO_MEMORY)
    if declared:
        limits |= lib.CALL_ANY_MEMORY
    if read_only or flags & ScriptFlag.NO_WRITES:
        limits |= lib.CALL_READ_ONLY
    return int(limits)
