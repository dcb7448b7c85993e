"""The directives in force: reading, changing all or none, and saying so to those who follow them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from shmredis._core import lib
from shmredis.config.declared_modules import ModuleLine
from shmredis.config.declared_users import DeclaredUsers
from shmredis.config.parser import Line, LineError, read_lines
from shmredis.config.renames import Renames
from shmredis.config.rewrite import rewrite_file
from shmredis.config.table import ALIASES, OPTIONS, SHOWN, Option
from shmredis.config.types import ConfigError, OutputLimits, SavePoints

__all__ = ["Config", "failure"]

Applier = Callable[[Any], object]
MAX_INCLUDE_DEPTH = 16
WRONG_LINE = "Bad directive or wrong number of arguments"


class Config:
    """All directives with their values. Text is canonical: what CONFIG GET shows."""

    def __init__(self) -> None:
        self._text = {name: option.default for name, option in OPTIONS.items()}
        self._text["dir"] = str(Path.cwd())
        self._given: set[str] = set()  # set by file, command line or CONFIG SET
        self._appliers: dict[str, list[Applier]] = {}
        self._file: Path | None = None
        self.users = DeclaredUsers()
        self.renames = Renames()
        self.modules: list[ModuleLine] = []

    @property
    def path(self) -> str | None:
        """The configuration file, absolute; None if there is none."""
        return str(self._file) if self._file else None

    def __getitem__(self, name: str) -> Any:
        """A directive's value in the program's type."""
        return OPTIONS[name].type.value(self._text[name])

    def text(self, name: str) -> str:
        """A directive's value as CONFIG GET shows it."""
        return self._text[name]

    # --- start ---

    @property
    def given(self) -> bool:
        """Whether anything was said about the configuration."""
        return bool(self._given or self._file)

    def load_file(self, path: Path) -> int:
        """Reads a file; how many lines it has. Raises: LineError, OSError."""
        self._file = path.resolve()
        text = self._file.read_text(errors="surrogateescape")
        self.load_text(text)
        return len(text.splitlines())

    def load_text(self, text: str, depth: int = 0, first_line: int = 1) -> None:
        """Reads directives in redis.conf syntax. Raises: LineError."""
        fresh_saves: list[str] = []
        for line in read_lines(text, first_line):
            name = line.words[0].lower()
            if name == "include" and len(line.words) == 2:
                self._include(line, depth)
            elif name == "user" and len(line.words) > 1:
                self.users.add(line)
            elif name == "rename-command":
                self.renames.add(line)
            elif name == "loadmodule" and len(line.words) > 1:
                self.modules.append(ModuleLine(line.words[1], tuple(line.words[2:])))
            elif name == "save" and len(line.words) > 1:
                fresh_saves = self._add_save(line, fresh_saves)
            else:
                self._load_line(line)

    def _include(self, line: Line, depth: int) -> None:
        if depth >= MAX_INCLUDE_DEPTH:
            raise LineError(line.number, line.text, "Includes are nested too deeply")
        word = line.words[1]
        pattern = any(letter in word for letter in "*?[")
        place = Path("/" if word.startswith("/") else "")
        try:
            paths = sorted(place.glob(word.lstrip("/"))) if pattern else [Path(word)]
            texts = [path.read_text(errors="surrogateescape") for path in paths]
        except (OSError, ValueError) as error:  # a zero byte is in no name
            why = f"Can't open included file: {getattr(error, 'strerror', error)}"
            raise LineError(line.number, line.text, why) from error
        for text in texts:
            self.load_text(text, depth + 1)

    def _add_save(self, line: Line, earlier: list[str]) -> list[str]:
        """Lines of `save` add up; the first replaces the default, an empty one clears."""
        points = [*earlier, *line.words[1:]] if line.words[1:] != [""] else []
        self._load_line(Line(line.number, line.text, ["save", *(points or [""])]))
        return points

    def _load_line(self, line: Line) -> None:
        option = find_option(line.words[0])
        words = line.words[1:]
        if option is None:
            raise LineError(line.number, line.text, WRONG_LINE)
        if not words or (len(words) > 1 and not option.type.words) or option.lacks(words):
            raise LineError(line.number, line.text, "wrong number of arguments")
        try:
            self._text[option.name] = self._canonical(option, words, self._text)
        except ConfigError as error:
            raise LineError(line.number, line.text, str(error)) from None
        self._given.add(option.name)

    def _canonical(self, option: Option, words: list[str], others: Mapping[str, str]) -> str:
        text = option.type.canonical(words)
        if option.check:
            option.check(text, others)
        if isinstance(option.type, OutputLimits):
            parts = f"{self._text[option.name]} {text}".split()
            merged = {parts[i]: parts[i + 1 : i + 4] for i in range(0, len(parts), 4)}
            return " ".join(f"{name} {' '.join(limits)}" for name, limits in merged.items())
        return text

    # --- CONFIG ---

    def get(self, pattern: str) -> dict[str, str]:
        """Directives (under all their names) that match the glob pattern."""
        if option := find_option(pattern):  # a whole name is shown as it was asked for
            return {pattern: self._text[option.name]}
        raw = pattern.encode(errors="surrogateescape")
        names = self._matching(raw)
        return {name: self._text[ALIASES.get(name, name)] for name in names}

    def _matching(self, pattern: bytes) -> Iterator[str]:
        for name in SHOWN:
            key = name.encode()
            if lib.core_glob_match(pattern, len(pattern), key, len(key), True):
                yield name

    def set(self, pairs: list[tuple[str, str]]) -> None:
        """Changes all directives or none. Raises: ConfigError with the whole error text."""
        fresh: dict[str, str] = {}
        for name, value in pairs:
            option = self._settable(name)
            if option.name in fresh:
                raise ConfigError(failure(name, "duplicate parameter"))
            try:
                several = option.type.words and not isinstance(option.type, SavePoints)
                words = value.split() or [""] if several else [value]
                fresh[option.name] = self._canonical(option, words, self._text | fresh)
            except ConfigError as error:
                raise ConfigError(failure(name, str(error))) from None
        self._apply(fresh)

    def _settable(self, name: str) -> Option:
        option = find_option(name)
        if option is None:
            raise ConfigError(f"Unknown option or number of arguments for CONFIG SET - '{name}'")
        if not option.mutable:
            raise ConfigError(failure(name, "can't set immutable config"))
        if option.protected and self["enable-protected-configs"] == "no":
            raise ConfigError(failure(name, "can't set protected config"))
        return option

    def _apply(self, fresh: dict[str, str]) -> None:
        before = {name: self._text[name] for name in fresh}
        self._text.update(fresh)
        try:
            for name in fresh:
                self._tell(name)
        except (OSError, ValueError, ConfigError) as error:
            self._text.update(before)
            for old in before:
                self._tell(old)
            raise ConfigError(failure(name, str(error))) from error
        self._given |= fresh.keys()

    def follow(self, name: str, applier: Applier) -> None:
        """Calls `applier` with the value now and at every change; it may raise to refuse one."""
        self.watch(name, applier)
        applier(self[name])

    def watch(self, name: str, applier: Applier) -> None:
        """The same, but not now."""
        self._appliers.setdefault(name, []).append(applier)

    def _tell(self, name: str) -> None:
        for applier in self._appliers.get(name, ()):
            applier(self[name])

    def rewrite(self, lines: Mapping[str, list[str]], *, everything: bool = False) -> None:
        """Writes the values in force into the file, and these lines of directives that are no values.

        With `everything` also directives that are at their defaults. Raises: OSError.
        """
        if self._file is None:
            raise FileNotFoundError("The server is running without a config file")
        changed = {name for name, text in self._text.items() if text != OPTIONS[name].default}
        rewrite_file(self._file, self._text, set(self._text) if everything else changed, lines)


def find_option(name: str) -> Option | None:
    """The directive of this name or alias, any letter case."""
    lower = name.lower()
    return OPTIONS.get(ALIASES.get(lower, lower))


def failure(name: str, why: str) -> str:
    """The text of a refused CONFIG SET."""
    return f"CONFIG SET failed (possibly related to argument '{name}') - {why}"
