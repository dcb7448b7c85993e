"""Finding the keys among a command's arguments, from its row."""

from dataclasses import dataclass

from shmredis.commands.arguments import word
from shmredis.commands.categories import key_flags
from shmredis.commands.resp import CommandError
from shmredis.engine import CommandFacts, KeySpecFacts

__all__ = ["NOT_KEY", "FoundKey", "find_keys"]

BAD_ARGUMENTS = "ERR Invalid arguments specified for command"
NOT_KEY = 1 << 8
CONDITIONS = {"IFEQ", "IFNE", "IFDEQ", "IFDNE"}
READING_BITS = {"GET": 2, "OVERFLOW": 1}


@dataclass(slots=True, frozen=True)
class FoundKey:
    """A key and how the command uses it."""

    name: bytes
    flags: tuple[str, ...]


def find_keys(row: CommandFacts, argv: list[bytes]) -> list[FoundKey]:
    """The keys in the order of their places. Raises: CommandError when the arguments are odd."""
    found: dict[int, FoundKey] = {}
    for spec in row.keys:
        flags = _flags(row, spec, argv)
        for place in _places(spec, argv):
            found.setdefault(place, FoundKey(argv[place], flags))
    if row.name == "MIGRATE" and len(found) > 1 and not argv[row.keys[0].at]:
        del found[row.keys[0].at]  # it stands for those behind KEYS
    if row.name.startswith("GEORADIUS") and len(found) > 2:
        del found[sorted(found)[1]]  # the last target counts
    return [found[place] for place in sorted(found)]


def _places(spec: KeySpecFacts, argv: list[bytes]) -> range:
    if spec.begin == "?" and spec.keyword:
        return _sort_target(spec, argv)
    begin = _begin(spec, argv)
    if begin is None or spec.find == "?" or spec.flags & NOT_KEY:
        return range(0)
    if spec.find == "n":
        return _counted(spec, argv, begin)
    last = begin + spec.a if spec.a >= 0 else len(argv) + spec.a
    if spec.c > 1 and spec.a < 0:
        last = begin + (len(argv) - begin) // spec.c + spec.a
    uneven = spec.c > 1 and (len(argv) - begin) % spec.c  # each stream has an id behind all
    if begin >= len(argv) or last >= len(argv) or uneven:
        raise CommandError(BAD_ARGUMENTS)
    return range(begin, last + 1, spec.b)


def _sort_target(spec: KeySpecFacts, argv: list[bytes]) -> range:
    """What follows the last STORE of SORT that is an option and no operand of another one."""
    operands = {"LIMIT": 2, "GET": 1, "BY": 1, spec.keyword: 1}
    place, target = spec.at, range(0)
    while place < len(argv):
        option = word(argv[place])
        if option == spec.keyword and place + 1 < len(argv):
            target = range(place + 1, place + 2)
        place += 1 + operands.get(option, 0)
    return target


def _begin(spec: KeySpecFacts, argv: list[bytes]) -> int | None:
    """Where the keys begin, None when that cannot be known or the keyword is absent."""
    if spec.begin == "i":
        return spec.at
    if spec.begin == "k":
        forward = spec.at >= 0
        places = range(spec.at, len(argv)) if forward else range(len(argv) + spec.at, 0, -1)
        return next((i + 1 for i in places if word(argv[i]) == spec.keyword), None)
    return None


def _counted(spec: KeySpecFacts, argv: list[bytes], begin: int) -> range:
    """Keys behind the argument that says how many there are."""
    place = begin + spec.a
    if place >= len(argv) or not argv[place].isdigit() or len(argv[place]) > 10:
        raise CommandError(BAD_ARGUMENTS)
    first = begin + spec.b
    end = first + int(argv[place]) * spec.c
    if end > len(argv) or end == first:
        raise CommandError(BAD_ARGUMENTS)
    return range(first, end, spec.c)


def _flags(row: CommandFacts, spec: KeySpecFacts, argv: list[bytes]) -> tuple[str, ...]:
    """The use of the keys, which options may change."""
    options = {word(arg) for arg in argv[3:]}
    if row.name == "SET" and "GET" not in options:
        return ("RW" if options & CONDITIONS else "OW", "update")
    if row.name == "DELEX" and len(argv) == 2:
        return ("RM", "delete")
    if row.name == "BITFIELD" and not _writes_bits(argv):
        return ("RO", "access")
    hidden = ("variable_flags", "incomplete")
    return tuple(name for name in key_flags(spec.flags) if name not in hidden)


def _writes_bits(argv: list[bytes]) -> bool:
    """Whether BITFIELD does more than GET; what it does not know counts as more."""
    place = 2
    while place < len(argv):
        operands = READING_BITS.get(word(argv[place]))
        if operands is None:
            return True
        place += 1 + operands
    return False
