"""The Lua interpreter of a worker, with the environment that scripts see.

The files of `lua/` build it, in the order of FILES; each gets two tables: `host`, with the few functions
of Python that it needs, and `lib`, where they leave what others use. Nothing of Python is ever in a
script's reach: it only gets functions of Lua that call those of the host, and between the two sides
there are only strings, numbers, booleans and nil.
"""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from lupa.lua51 import LuaRuntime

from shmredis.scripting.bytecode import keep_frames

__all__ = ["Runtime"]

FILES = (
    "sandbox",
    "replies",
    "run",
    "redis",
    "cjson",
    "cmsgpack",
    "struct",
    "bit",
    "functions",
    "seal",
)
SOURCE_NAME = b"=shmredis"


def _no_attribute(_obj: object, _name: object, _setting: bool) -> str:
    """Objects of Python are called, and nothing else."""
    raise AttributeError("there are no attributes")


class Runtime:
    """An interpreter. `host` are the functions that its Lua side calls; none may raise."""

    def __init__(self, host: dict[str, Any], memory_limit: int) -> None:
        self._lua: Any = LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=False,
            attribute_filter=_no_attribute,
            max_memory=memory_limit,
        )
        table = self._lua.table_from({name.encode(): value for name, value in host.items()})
        lib = self._lua.table()
        lib[b"keep_frames"] = keep_frames
        folder = files("shmredis.scripting") / "lua"
        for name in FILES:
            source = (folder / f"{name}.lua").read_bytes()
            self._lua.compile(source, name=SOURCE_NAME)(table, lib)
        self.compile: Callable[..., Any] = lib[b"compile"]
        self.define: Callable[..., Any] = lib[b"define"]
        self.forget: Callable[..., Any] = lib[b"forget"]
        self.run: Callable[..., Any] = lib[b"run"]
        self.load_library: Callable[..., Any] = lib[b"load_library"]
        self.call_function: Callable[..., Any] = lib[b"call_function"]
        self.collect: Callable[..., Any] = lib[b"collect"]
        self.failed: Callable[..., bytes] = lib[b"failed"]

    @property
    def memory_used(self) -> int:
        """Bytes."""
        return int(self._lua.get_memory_used())
