"""Command arguments as COMMAND DOCS tells them, read from one line of syntax.

GETEX key [EX seconds | PX milliseconds | PERSIST]
<a | b> is one of several, [x] is optional, [x ...] repeats what stands before it, (a b) belongs together.

What cannot be seen from that is noted; `usage_of` leaves the notes out:
name:<a | b>, name:(a b), name:TOKEN   the name of an argument that is not a word of the syntax
name=shown                             a word that is shown otherwise
name/type, name/key1                   a type that the name does not suggest; a key of the second key spec
name@1.2.3, name@1.2.3:<a | b>         since which version
"""

import re
from dataclasses import dataclass, field

__all__ = ["Argument", "parse_syntax", "usage_of"]

_LEXEMES = re.compile(r"[\[\]<>()|]|\.\.\.|[^\s\[\]<>()|]+")
_BRACKETS = ("[", "]", "<", ">", "(", ")", "|", "...")
_NAMED = re.compile(r"([a-z0-9_-]+)(?:@([\d.]+))?:(.*)")  # a name that was given to what follows
_NOTES = (
    (re.compile(r"[a-z0-9_-]+(@[\d.]+)?:(?=[<(\"*=~$A-Z])"), ""),
    (re.compile(r"[a-z0-9_-]+=(?=\S)"), ""),
    (re.compile(r"/(key|string|integer|double|pattern|unix-time)\d?\b"), ""),
    (re.compile(r"@\d[\d.]*"), ""),
    (re.compile(r"[()]"), ""),
    (re.compile(r"\[<([^<>\[\]]*)>\]"), r"[\1]"),
)
_TYPES = {
    "pattern": "pattern",
    "score": "double",
    "weight": "double",
    "increment": "integer",
    "timestamp": "unix-time",
}
# fmt: off
_INTEGERS = (
    "count", "numkeys", "numfields", "seconds", "milliseconds", "start", "stop", "end", "index",
    "offset", "db", "cursor", "timeout", "decrement", "ttl", "idle-time", "client-id", "maxage",
    "limit", "rank", "len", "maxlen", "size", "version", "year", "bits", "element-index",
    "index1", "index2",
)
# fmt: on


@dataclass(slots=True)
class Argument:
    """One argument; a "block" has several in a row, a "oneof" has alternatives."""

    name: str
    type: str
    token: str = ""
    shown: str = ""  # if not the name
    since: str = ""
    spec: int = 0  # which key spec a key belongs to
    optional: bool = False
    multiple: bool = False
    multiple_token: bool = False
    arguments: "list[Argument]" = field(default_factory=list)


def parse_syntax(text: str) -> list[Argument]:
    """The arguments of a line of syntax that does not have the command's name.

    Raises: ValueError.
    """
    parser = _Parser(_LEXEMES.findall(text))
    arguments = parser.sequence()
    if parser.peek():
        raise ValueError(f"unbalanced syntax: {text}")
    return arguments


def usage_of(text: str) -> str:
    """The syntax as users read it."""
    for note, instead in _NOTES:
        text = note.sub(instead, text)
    return text


class _Parser:
    def __init__(self, lexemes: list[str]) -> None:
        self._lexemes = lexemes
        self._at = 0

    def peek(self) -> str:
        return self._lexemes[self._at] if self._at < len(self._lexemes) else ""

    def _next(self) -> str:
        self._at += 1
        return self._lexemes[self._at - 1] if self._at <= len(self._lexemes) else ""

    def _expect(self, lexeme: str) -> None:
        if self._next() != lexeme:
            raise ValueError(f"expected {lexeme} in {' '.join(self._lexemes)}")

    def sequence(self) -> list[Argument]:
        """Arguments up to a closing lexeme or the end."""
        items: list[Argument] = []
        while self.peek() not in ("", "]", ">", ")", "|"):
            if self._repeats():
                self._mark_multiple(items)
            else:
                items.append(self._item())
        return items

    def _repeats(self) -> bool:
        """Whether `[... ...]` or `<... ...> ...` comes next: a repetition of what came before."""
        if self.peek() == "...":
            return True
        if self.peek() not in ("[", "<"):
            return False
        depth = 0
        for i in range(self._at, len(self._lexemes)):
            lexeme = self._lexemes[i]
            depth += (lexeme in "[<(") - (lexeme in "]>)")
            if not depth:
                return self._lexemes[i - 1] == "..."
        return False

    def _mark_multiple(self, items: list[Argument]) -> None:
        """Reads a repetition and folds the arguments that it repeats into one."""
        start = self._at
        if self._next() != "...":
            depth = 1
            while depth:
                lexeme = self._next()
                depth += (lexeme in ("[", "<", "(")) - (lexeme in ("]", ">", ")"))
        repeated = [x for x in self._lexemes[start : self._at] if x not in _BRACKETS]
        count = len(items)
        for n in range(1, len(items) + 1):
            words = [name for item in items[-n:] for name in _words(item)]
            if words == repeated or len(words) >= len(repeated):
                count = n
                break
        folded = items[-count] if count == 1 else _block(items[-count:])
        if folded.token and repeated[:1] == [folded.token]:
            folded.multiple_token = True
        folded.multiple = True
        items[-count:] = [folded]

    def _item(self) -> Argument:
        lexeme = self._next()
        if lexeme == "[":
            argument = self._choice("]")
            argument.optional = True
            return argument
        if lexeme in ("<", "("):
            return self._group(lexeme)
        if _is_token(lexeme):
            return self._token(lexeme)
        named = _NAMED.fullmatch(lexeme)
        if named and (not named[3] or _is_token(named[3])):
            return self._named(*named.groups(default=""))
        return _leaf(lexeme)

    def _named(self, name: str, since: str, token: str) -> Argument:
        """What has its name before it: a token alone, or a group."""
        if token:
            return Argument(name, "pure-token", token=token, since=since)
        argument = self._group(self._next())
        argument.name, argument.since = name, since
        return argument

    def _group(self, bracket: str) -> Argument:
        if bracket == "<":
            return self._choice(">")
        items = self.sequence()
        self._expect(")")
        return _block(items)

    def _token(self, lexeme: str) -> Argument:
        """A keyword and the one value after it, if there is one."""
        token, _, since = lexeme.partition("@")
        following = self.peek()
        named = _NAMED.fullmatch(following)
        if following in ("<", "(") or (named and not named[3]):
            argument = self._item()
            argument.token = token
            argument.name = argument.name if argument.name != "choice" else token.lower()
            return argument
        alone = following in ("", *_BRACKETS) or _is_token(following) or (named and named[3])
        if not alone or (named and not _is_token(named[3])):
            argument = _leaf(self._next())
            argument.token = token
            return argument
        return Argument(token.lower().strip('"') or "empty", "pure-token", token=token, since=since)

    def _choice(self, closing: str) -> Argument:
        alternatives = [self.sequence()]
        while self.peek() == "|":
            self._next()
            alternatives.append(self.sequence())
        self._expect(closing)
        members = [items[0] if len(items) == 1 else _block(items) for items in alternatives]
        if len(members) == 1:
            return members[0]
        return Argument("choice", "oneof", arguments=members)


def _words(argument: Argument) -> list[str]:
    """The words of syntax that an argument was read from."""
    if argument.type == "pure-token":
        return [argument.token]
    inner = [word for item in argument.arguments for word in _words(item)]
    own = inner if argument.arguments else [argument.shown or argument.name]
    return [argument.token, *own] if argument.token else own


def _block(items: list[Argument]) -> Argument:
    if not items:
        raise ValueError("an empty group")
    token = items[0].token if items[0].type == "pure-token" else ""
    return Argument(token.lower() or "data", "block", arguments=items)


def _leaf(lexeme: str) -> Argument:
    """A value: name[=shown][/type][@since]."""
    text, _, since = lexeme.partition("@")
    text, _, kind = text.partition("/")
    name, _, shown = text.partition("=")
    spec = int(kind[-1]) if kind[-1:].isdigit() else 0
    kind = kind.rstrip("0123456789") or _type_of(name)
    return Argument(name, kind, shown=shown, since=since, spec=spec)


def _is_token(lexeme: str) -> bool:
    return lexeme == lexeme.upper() and any(c.isalpha() or c in '"~=*$' for c in lexeme)


def _type_of(name: str) -> str:
    if name.startswith("key") or name in ("source", "destination", "newkey", "dst-key"):
        return "key"
    if name.startswith("unix-time"):
        return "unix-time"
    return _TYPES.get(name, "integer" if name in _INTEGERS else "string")
