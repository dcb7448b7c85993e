"""Scripts that are known by their text and their SHA1.

Those that came with EVAL are forgotten when there are many of them, the one that was not used for the
longest time first; those of SCRIPT LOAD stay until SCRIPT FLUSH.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from shmredis.scripting.shebang import Header, read_header

__all__ = ["Script", "ScriptCache"]

EVAL_SCRIPTS = 500  # Source: Redis 7.4
OVERHEAD = 96  # bytes that a script costs beside its text, about


@dataclass(slots=True)
class Script:
    """One script, compiled."""

    sha: bytes
    text: bytes
    header: Header
    kept: bool  # by SCRIPT LOAD


class ScriptCache:
    """All scripts of a worker. `compile` raises a CommandError for a script that is none."""

    def __init__(self, compile: Callable[[Script], None], forget: Callable[[Script], None]) -> None:
        self._compile = compile
        self._forget = forget
        self.by_text: dict[bytes, Script] = {}
        self._by_sha: dict[bytes, Script] = {}
        self._passing: OrderedDict[bytes, None] = OrderedDict()  # SHA1s of those of EVAL
        self.evicted = 0
        self.publish: Callable[[Script], None] = lambda _script: None
        self.learn: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._by_sha)

    @property
    def memory_used(self) -> int:
        """Bytes, about."""
        return sum(len(text) + OVERHEAD for text in self.by_text)

    def add(self, text: bytes, *, kept: bool, told: bool = True) -> Script:
        """The script of this text; `told`: the other workers are to know it, too. Raises: CommandError."""
        script = self.by_text.get(text)
        if script is None:
            sha = hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
            script = Script(sha, text, read_header(text), kept)
            self._compile(script)
            self.by_text[text] = self._by_sha[sha] = script
            if not kept:
                self._pass(sha)
            if told:
                self.publish(script)
        if kept and not script.kept:
            script.kept = True
            self._passing.pop(script.sha, None)
            if told:
                self.publish(script)
        return script

    def _pass(self, sha: bytes) -> None:
        self._passing[sha] = None
        if len(self._passing) > EVAL_SCRIPTS:
            oldest, _ = self._passing.popitem(last=False)
            self.evicted += 1
            self._remove(oldest)

    def _remove(self, sha: bytes) -> None:
        script = self._by_sha.pop(sha)
        del self.by_text[script.text]
        self._forget(script)

    def find(self, sha: bytes) -> Script | None:
        """The script with this SHA1, in any letter case."""
        script = self._by_sha.get(sha) or self._by_sha.get(sha.lower())
        if script is None and len(sha) == 40:
            self.learn()
            script = self._by_sha.get(sha.lower())
        return script

    def clear(self) -> None:
        for sha in list(self._by_sha):
            self._remove(sha)
        self._passing.clear()
