"""Scripts and libraries of functions, in Lua 5.1."""

from shmredis.scripting.engine import Scripting

__all__ = ["Scripting"]
