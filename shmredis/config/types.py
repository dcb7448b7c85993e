"""Types of directive values: each reads the words of a line and gives the text CONFIG GET shows.

`canonical` checks and normalises; `value` turns canonical text into what the program uses.
"""

import errno
import locale
import os
import re
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = [
    "Boolean",
    "ConfigError",
    "Cores",
    "Decimal",
    "Directory",
    "Enumeration",
    "EventClasses",
    "FileName",
    "Flags",
    "FolderName",
    "Integer",
    "Locale",
    "Memory",
    "MemoryOrPercent",
    "Octal",
    "OomScores",
    "OutputLimits",
    "Percentiles",
    "SavePoints",
    "ShutdownFlags",
    "Text",
    "TitleTemplate",
    "ValueType",
    "Words",
    "one_of",
]

INT64_MAX = (1 << 63) - 1


class ConfigError(ValueError):
    """A directive's value is refused; the text is the end of the error message."""


class ValueType(Protocol):
    """What a directive's type can do."""

    @property
    def words(self) -> bool:
        """Whether it takes several words, not one."""

    def canonical(self, words: list[str]) -> str:
        """The text that CONFIG GET shows. Raises: ConfigError."""

    def value(self, text: str) -> Any:
        """The program's value of canonical text."""


@dataclass(slots=True, frozen=True)
class Integer:
    """A whole number in a range; `clamp` is the narrower range that it is then brought into."""

    low: int = -INT64_MAX - 1
    high: int = INT64_MAX
    clamp: tuple[int, int] | None = None
    words: bool = False

    def canonical(self, words: list[str]) -> str:
        if not re.fullmatch(r"0|-?[1-9][0-9]{0,18}", words[0]) or abs(int(words[0])) > INT64_MAX:
            raise ConfigError("argument couldn't be parsed into an integer")
        number = self.checked(int(words[0]))
        if self.clamp:
            number = max(self.clamp[0], min(self.clamp[1], number))
        return str(number)

    def checked(self, number: int) -> int:
        if not self.low <= number <= self.high:
            raise ConfigError(f"argument must be between {self.low} and {self.high} inclusive")
        return number

    def value(self, text: str) -> int:
        return int(text)


@dataclass(slots=True, frozen=True)
class Cores:
    """How many cores to use, or "auto": half of those that this process may use, at least one."""

    high: int
    words: bool = False

    def canonical(self, words: list[str]) -> str:
        return "auto" if words[0].lower() == "auto" else Integer(1, self.high).canonical(words)

    def value(self, text: str) -> int:
        if text == "auto":
            return max(1, min(self.high, len(os.sched_getaffinity(0)) // 2))
        return int(text)


_UNITS = {
    "": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 1000**2, "mb": 1 << 20, "g": 1000**3, "gb": 1 << 30,
}  # fmt: skip


@dataclass(slots=True, frozen=True)
class Memory:
    """Bytes, with an optional unit: 100mb, 1g. Less than `clamp` becomes so many."""

    low: int = 0
    high: int = INT64_MAX
    clamp: int = 0
    words: bool = False

    def canonical(self, words: list[str]) -> str:
        match = re.fullmatch(r"([0-9]{0,20})([a-z]*)", words[0].lower())
        if not match or match[2] not in _UNITS:
            raise ConfigError("argument must be a memory value")
        number = int(match[1] or 0) * _UNITS[match[2]]
        if not self.low <= number <= self.high:
            raise ConfigError(f"argument must be between {self.low} and {self.high} inclusive")
        return str(max(number, self.clamp))

    def value(self, text: str) -> int:
        return int(text)


@dataclass(slots=True, frozen=True)
class MemoryOrPercent:
    """Bytes, or a share of maxmemory: 5%; as a value that is negative."""

    words: bool = False

    def canonical(self, words: list[str]) -> str:
        if not re.fullmatch(r"[0-9]{1,20}%", words[0]):
            try:
                return Memory().canonical(words)
            except ConfigError:
                raise ConfigError("argument must be a memory or percent value") from None
        if int(words[0][:-1]) > 100:
            raise ConfigError("percentage argument must be less or equal to 100")
        return words[0] if int(words[0][:-1]) else "0"

    def value(self, text: str) -> int:
        return -int(text[:-1]) if text.endswith("%") else int(text)


@dataclass(slots=True, frozen=True)
class Octal:
    """Permissions: 700."""

    words: bool = False

    def canonical(self, words: list[str]) -> str:
        if not re.fullmatch(r"[0-7]{1,4}", words[0]):
            raise ConfigError("argument couldn't be parsed as an octal number")
        return f"{int(words[0], 8):o}"

    def value(self, text: str) -> int:
        return int(text, 8)


@dataclass(slots=True, frozen=True)
class Boolean:
    """yes or no."""

    words: bool = False

    def canonical(self, words: list[str]) -> str:
        word = words[0].lower()
        if word not in ("yes", "no"):
            raise ConfigError("argument must be 'yes' or 'no'")
        return word

    def value(self, text: str) -> bool:
        return text == "yes"


@dataclass(slots=True, frozen=True)
class Enumeration:
    """One of some words."""

    choices: tuple[str, ...]
    words: bool = False

    def canonical(self, words: list[str]) -> str:
        for choice in self.choices:
            if words[0].lower() == choice.lower():
                return choice
        raise ConfigError(f"argument(s) must be one of the following: {', '.join(self.choices)}")

    def value(self, text: str) -> str:
        return text


def one_of(*choices: str) -> Enumeration:
    """The type of a directive that is one of these words."""
    return Enumeration(choices)


@dataclass(slots=True, frozen=True)
class Flags:
    """Some of the words; the first says that there is none and counts only when it stands alone."""

    choices: tuple[str, ...]
    words: bool = True

    def canonical(self, words: list[str]) -> str:
        chosen = {Enumeration(self.choices).canonical([word]) for word in words}
        ordered = [word for word in self.choices[1:] if word in chosen]
        return " ".join(ordered) or self.choices[0]

    def value(self, text: str) -> list[str]:
        return text.split()


@dataclass(slots=True, frozen=True)
class ShutdownFlags:
    """What a signal asks for: words of SHUTDOWN."""

    words: bool = True

    def canonical(self, words: list[str]) -> str:
        words = " ".join(words).split() or [""]
        text = Flags(("default", "save", "nosave", "now", "force")).canonical(words)
        if {"save", "nosave"} <= set(text.split()):
            raise ConfigError("shutdown options SAVE and NOSAVE can't be used simultaneously")
        return text

    def value(self, text: str) -> str:
        return text


@dataclass(slots=True, frozen=True)
class Percentiles:
    """Numbers from 0 to 100."""

    words: bool = True

    def canonical(self, words: list[str]) -> str:
        numbers = " ".join(words).split()
        try:
            good = all(0 <= float(number) <= 100 for number in numbers)
        except ValueError:
            raise ConfigError("Invalid latency-tracking-info-percentiles parameters") from None
        if not good:
            raise ConfigError(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
            )
        return " ".join(repr(float(number)).removesuffix(".0") for number in numbers)

    def value(self, text: str) -> list[float]:
        return [float(number) for number in text.split()]


@dataclass(slots=True, frozen=True)
class OomScores:
    """Three adjustments of the kernel's out-of-memory score."""

    words: bool = True

    def canonical(self, words: list[str]) -> str:
        if len(words) != 3:
            raise ConfigError("wrong number of arguments")
        try:
            return " ".join(Integer(-2000, 2000).canonical([word]) for word in words)
        except ConfigError:
            raise ConfigError(
                "Invalid oom-score-adj-values, elements must be between -2000 and 2000."
            ) from None

    def value(self, text: str) -> list[int]:
        return [int(word) for word in text.split()]


@dataclass(slots=True, frozen=True)
class Decimal:
    """A number with a fraction."""

    low: float
    high: float
    words: bool = False

    def canonical(self, words: list[str]) -> str:
        try:
            number = float(words[0])
        except ValueError:
            raise ConfigError("argument couldn't be parsed into a float") from None
        if not self.low <= number <= self.high:
            raise ConfigError(f"argument must be between {self.low:g} and {self.high:g} inclusive")
        return words[0]

    def value(self, text: str) -> float:
        return float(text)


@dataclass(slots=True, frozen=True)
class Text:
    """Any text."""

    words: bool = False

    def canonical(self, words: list[str]) -> str:
        return words[0]

    def value(self, text: str) -> str:
        return text


TITLE_VARIABLES = (
    "title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file",
)  # fmt: skip


@dataclass(slots=True, frozen=True)
class TitleTemplate:
    """proc-title-template: a text with variables in braces."""

    words: bool = False

    def canonical(self, words: list[str]) -> str:
        rest = words[0]
        for name in TITLE_VARIABLES:
            rest = rest.replace(f"{{{name}}}", "")
        if "{" in rest or not words[0]:
            raise ConfigError("template format is invalid or contains unknown variables")
        return words[0]

    def value(self, text: str) -> str:
        return text


@dataclass(slots=True, frozen=True)
class Locale:
    """The name of a locale of this system; empty is that of the environment."""

    words: bool = False

    def canonical(self, words: list[str]) -> str:
        before = locale.setlocale(locale.LC_COLLATE)
        try:
            locale.setlocale(locale.LC_COLLATE, words[0])
        except (locale.Error, ValueError):  # a zero byte, or bytes that are no text
            raise ConfigError("Invalid locale name") from None
        finally:
            locale.setlocale(locale.LC_COLLATE, before)
        return words[0]

    def value(self, text: str) -> str:
        return text


@dataclass(slots=True, frozen=True)
class FileName:
    """The name of a file in the server's directory, or nothing where there may be no file."""

    what: str
    needed: bool = False
    words: bool = False

    def canonical(self, words: list[str]) -> str:
        if self.needed and not words[0]:
            raise ConfigError(f"{self.what} can't be empty")
        if "/" in words[0]:
            raise ConfigError(f"{self.what} can't be a path, just a filename")
        return words[0]

    def value(self, text: str) -> str:
        return text


@dataclass(slots=True, frozen=True)
class FolderName:
    """The name of a folder in the server's directory, which may be emptied: never that directory itself."""

    what: str
    words: bool = False

    def canonical(self, words: list[str]) -> str:
        name = words[0]
        if not name:
            raise ConfigError(f"{self.what} can't be empty")
        if "/" in name or name in (".", ".."):
            raise ConfigError(f"{self.what} can't be a path, just a dirname")
        return name

    def value(self, text: str) -> str:
        return text


@dataclass(slots=True, frozen=True)
class Directory:
    """A directory that there is; its path is absolute, whatever was said."""

    words: bool = False

    def canonical(self, words: list[str]) -> str:
        try:
            os.close(os.open(words[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            raise ConfigError(str(error.strerror)) from None
        except ValueError:  # a zero byte is in no name
            raise ConfigError(os.strerror(errno.ENOENT)) from None
        return os.path.realpath(words[0])

    def value(self, text: str) -> str:
        return text


@dataclass(slots=True, frozen=True)
class Words:
    """Several words, kept with one space between them."""

    words: bool = True

    def canonical(self, words: list[str]) -> str:
        return " ".join(words)

    def value(self, text: str) -> list[str]:
        return text.split()


@dataclass(slots=True, frozen=True)
class SavePoints:
    """Pairs of seconds and changes; an empty word clears them."""

    words: bool = True

    def canonical(self, words: list[str]) -> str:
        text = " ".join(words)
        numbers = text.split(" ") if text else []
        if len(numbers) % 2 or not all(re.fullmatch("[0-9]{1,20}", n) for n in numbers):
            raise ConfigError("Invalid save parameters")
        if any(int(seconds) < 1 for seconds in numbers[::2]):
            raise ConfigError("Invalid save parameters")
        return " ".join(numbers)

    def value(self, text: str) -> list[tuple[int, int]]:
        numbers = [int(n) for n in text.split()]
        return list(zip(numbers[::2], numbers[1::2], strict=True))


@dataclass(slots=True, frozen=True)
class OutputLimit:
    """Bytes at which a client of a class is dropped: at once, or after `seconds` above `soft`."""

    hard: int
    soft: int
    seconds: int


CLIENT_CLASSES = {"normal": "normal", "slave": "slave", "replica": "slave", "pubsub": "pubsub"}


@dataclass(slots=True, frozen=True)
class OutputLimits:
    """client-output-buffer-limit: class, hard limit, soft limit, seconds; classes not named keep theirs."""

    words: bool = True

    def canonical(self, words: list[str]) -> str:
        parts = " ".join(words).split()
        if len(parts) % 4:
            raise ConfigError("Wrong number of arguments in buffer limit configuration.")
        given = {}
        for name, hard, soft, seconds in zip(*(parts[i::4] for i in range(4)), strict=True):
            if name.lower() not in CLIENT_CLASSES:
                raise ConfigError("Invalid client class specified in buffer limit configuration.")
            try:
                sizes = Memory().canonical([hard]), Memory().canonical([soft])
                time_s = Integer(0).canonical([seconds])
                given[CLIENT_CLASSES[name.lower()]] = (*sizes, time_s)
            except (ConfigError, ValueError):
                message = (
                    "Error in hard, soft or soft_seconds setting in buffer limit configuration."
                )
                raise ConfigError(message) from None
        return " ".join(f"{name} {' '.join(limits)}" for name, limits in given.items())

    def value(self, text: str) -> dict[str, OutputLimit]:
        parts = text.split()
        rows = zip(*(parts[i::4] for i in range(4)), strict=True)
        return {name: OutputLimit(int(h), int(s), int(t)) for name, h, s, t in rows}


# Letters of notify-keyspace-events and their bits: enum notify_class of csrc/db/engine.h.
EVENT_BITS = {
    "K": 1 << 0, "E": 1 << 1, "g": 1 << 2, "$": 1 << 3, "l": 1 << 4, "s": 1 << 5, "h": 1 << 6,
    "z": 1 << 7, "x": 1 << 8, "e": 1 << 9, "t": 1 << 10, "m": 1 << 11, "d": 1 << 13, "n": 1 << 14,
    "o": 1 << 15, "c": 1 << 16, "a": 1 << 17, "S": 1 << 18, "T": 1 << 19, "I": 1 << 20, "V": 1 << 21,
}  # fmt: skip
ALL_EVENTS = "g$lshzxetda"


@dataclass(slots=True, frozen=True)
class EventClasses:
    """notify-keyspace-events: a set of letters."""

    words: bool = False

    def canonical(self, words: list[str]) -> str:
        letters = set(words[0].replace("A", ALL_EVENTS))
        if not letters <= EVENT_BITS.keys():
            raise ConfigError("Invalid event class character. Use 'Ag$lshzxeKEtmdnocaSTIV'.")
        text = ""
        if set(ALL_EVENTS) <= letters:
            text, letters = "A", letters - set(ALL_EVENTS)
        order = "g$lshzxetdanocKEmSTIV"
        return text + "".join(letter for letter in order if letter in letters)

    def value(self, text: str) -> int:
        return sum(EVENT_BITS[letter] for letter in set(text.replace("A", ALL_EVENTS)))
