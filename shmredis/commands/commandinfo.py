"""COMMAND: the command table as clients see it."""

import functools
from collections import defaultdict

from shmredis._core import lib
from shmredis.commands.arguments import shown, syntax_error, word
from shmredis.commands.categories import categories_of, flags_of, key_flags, key_range
from shmredis.commands.context import Context
from shmredis.commands.docs import CommandDoc, command_docs
from shmredis.commands.keys import NOT_KEY, FoundKey, find_keys
from shmredis.commands.registry import Flag, command
from shmredis.commands.resp import CommandError, Raw, Reply, Set, Simple, encode
from shmredis.commands.syntax import Argument
from shmredis.engine import CommandFacts, Engine, KeySpecFacts

ANYTIME = Flag.LOADING | Flag.STALE


class Table:
    """All rows, containers with their subcommands. Their counts are not up to date."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        every = engine.commands()
        taken = {row.name for row in every if engine.is_taken_away(row.row)}
        self.rows = [row for row in every if row.name.partition("|")[0] not in taken]
        self._rows = {row.row: row for row in self.rows}
        self.by_name = {row.name: row for row in self.rows}
        self.top = [row for row in self.rows if "|" not in row.name]
        self.subcommands: dict[str, list[CommandFacts]] = defaultdict(list)
        for row in self.rows:
            if "|" in row.name:
                self.subcommands[row.name.partition("|")[0]].append(row)

    def find(self, name: bytes) -> CommandFacts | None:
        """The command that a client means by a name, "config|get" for a subcommand."""
        first, mark, sub = name.partition(b"|")
        row = self._rows.get(self._engine.typed_command(first))
        return self.by_name.get(row.name + word(mark + sub)) if row else None


@functools.lru_cache(maxsize=2)
def _table(engine: Engine, version: int) -> Table:
    """The table as long as no row comes or goes."""
    del version  # a key of the cache
    return Table(engine)


def table_of(ctx: Context) -> Table:
    return _table(ctx.engine, ctx.engine.command_version)


@functools.lru_cache(maxsize=4)
def _all_infos(table: Table, resp: int) -> bytes:
    return encode([_info(table, row) for row in table.top], resp)


@functools.lru_cache(maxsize=4)
def _all_docs(table: Table, resp: int) -> bytes:
    return encode({row.name.lower(): _doc(table, row) for row in table.top}, resp)


# --- COMMAND, COMMAND INFO ---


def _tags(names: list[str]) -> Set:
    return Set([Simple(name) for name in names])


def _info(table: Table, row: CommandFacts) -> Reply:
    doc = command_docs().get(row.name)
    subcommands = [_info(table, sub) for sub in table.subcommands.get(row.name, [])]
    return [
        row.name.lower(),
        row.arity,
        _tags(flags_of(row)),
        *key_range(row),
        _tags([f"@{name}" for name in categories_of(row)]),
        Set(list(doc.tips)) if doc else Set([]),
        Set([_spec(spec) for spec in row.keys]),
        subcommands or Set([]),
    ]


def _spec(spec: KeySpecFacts) -> Reply:
    kinds = {"i": "index", "k": "keyword", "r": "range", "n": "keynum", "?": "unknown"}
    begin: dict[str, Reply] = {}
    if spec.begin == "i":
        begin = {"index": spec.at}
    elif spec.begin == "k":
        begin = {"keyword": spec.keyword, "startfrom": spec.at}
    find: dict[str, Reply] = {}
    if spec.find == "r":
        find = {"lastkey": spec.a, "keystep": spec.b, "limit": spec.c}
    elif spec.find == "n":
        find = {"keynumidx": spec.a, "firstkey": spec.b, "keystep": spec.c}
    return {
        "flags": _tags(key_flags(spec.flags)),
        "begin_search": {"type": kinds[spec.begin], "spec": begin},
        "find_keys": {"type": kinds[spec.find], "spec": find},
    }


@command("COMMAND", arity=-1, flags=ANYTIME | Flag.CONTAINER, acl="connection")
def command_all(ctx: Context) -> Reply:
    return Raw(_all_infos(table_of(ctx), ctx.resp))


@command("COMMAND INFO", arity=-2, flags=ANYTIME, acl="connection")
def command_info(ctx: Context) -> Reply:
    names = ctx.argv[2:]
    if not names:
        return command_all(ctx)
    table = table_of(ctx)
    return [_info(table, row) if (row := table.find(name)) else None for name in names]


@command("COMMAND COUNT", arity=2, flags=ANYTIME, acl="connection")
def command_count(ctx: Context) -> Reply:
    return len(table_of(ctx).top)


# --- COMMAND DOCS ---


def _doc(table: Table, row: CommandFacts) -> Reply:
    doc = command_docs().get(row.name)
    reply: dict[str, Reply] = {"summary": doc.summary if doc else ""}
    reply["since"] = doc.since if doc else ""
    reply["group"] = row.group
    if doc and doc.module:
        reply["module"] = doc.module
    if doc:
        if doc.complexity:
            reply["complexity"] = doc.complexity
        reply |= _doc_flags(doc)
        if arguments := doc.arguments():
            reply["arguments"] = [_argument(argument) for argument in arguments]
    if subcommands := table.subcommands.get(row.name):
        reply["subcommands"] = {sub.name.lower(): _doc(table, sub) for sub in subcommands}
    return reply


def _doc_flags(doc: CommandDoc) -> dict[str, Reply]:
    if doc.deprecated:
        since, replacement = doc.deprecated
        flags = _tags(["deprecated"])
        return {"doc_flags": flags, "deprecated_since": since, "replaced_by": replacement}
    return {"doc_flags": _tags(["syscmd"])} if doc.syscmd else {}


def _argument(argument: Argument) -> Reply:
    reply: dict[str, Reply] = {"name": argument.name, "type": argument.type}
    if not argument.arguments:
        reply["display_text"] = argument.shown or argument.name
    if argument.type == "key" or argument.spec:
        reply["key_spec_index"] = argument.spec
    if argument.token:
        reply["token"] = argument.token.strip('"')
    if argument.since:
        reply["since"] = argument.since
    names = ("optional", "multiple", "multiple_token")
    if flags := [name for name in names if getattr(argument, name)]:
        reply["flags"] = _tags(flags)
    if argument.arguments:
        reply["arguments"] = [_argument(inner) for inner in argument.arguments]
    return reply


@command("COMMAND DOCS", arity=-2, flags=ANYTIME, acl="connection")
def command_docs_reply(ctx: Context) -> Reply:
    table, names = table_of(ctx), ctx.argv[2:]
    if not names:
        return Raw(_all_docs(table, ctx.resp))
    rows = [row for name in names if (row := table.find(name))]
    return {row.name.lower(): _doc(table, row) for row in rows}


# --- COMMAND LIST ---


@command("COMMAND LIST", arity=-2, flags=ANYTIME, acl="connection")
def command_list(ctx: Context) -> Reply:
    table = table_of(ctx)
    args = ctx.argv[2:]
    if not args:
        return [row.name.lower() for row in table.rows]
    if len(args) != 3 or word(args[0]) != "FILTERBY":
        raise syntax_error()
    return [row.name.lower() for row in table.rows if _passes(row, word(args[1]), args[2])]


def _passes(row: CommandFacts, by: str, value: bytes) -> bool:
    if by == "PATTERN":
        name = row.name.encode()
        return bool(lib.core_glob_match(value, len(value), name, len(name), True))
    if by == "ACLCAT":
        return shown(value).lower() in categories_of(row)
    if by == "MODULE":
        doc = command_docs().get(row.name)
        return doc is not None and doc.module != "" and doc.module.encode() == value
    raise syntax_error()


# --- COMMAND GETKEYS ---


def _keys(ctx: Context) -> list[FoundKey]:
    argv = ctx.argv[2:]
    row = _resolve(table_of(ctx), argv)
    if row is None:
        raise CommandError("ERR Invalid command specified")
    if all(spec.flags & NOT_KEY for spec in row.keys):
        raise CommandError("ERR The command has no key arguments")
    if len(argv) != row.arity if row.arity > 0 else len(argv) < -row.arity:
        raise CommandError("ERR Invalid number of arguments specified for command")
    try:
        return find_keys(row, argv)
    except CommandError:
        if row.flags & Flag.NO_MANDATORY_KEYS:
            return []
        raise


def _resolve(table: Table, argv: list[bytes]) -> CommandFacts | None:
    row = table.find(argv[0])
    if row and row.flags & Flag.CONTAINER and len(argv) > 1:
        return table.find(argv[0] + b"|" + argv[1])
    return row


@command("COMMAND GETKEYS", arity=-3, flags=ANYTIME, acl="connection")
def command_getkeys(ctx: Context) -> Reply:
    return [key.name for key in _keys(ctx)]


@command("COMMAND GETKEYSANDFLAGS", arity=-3, flags=ANYTIME, acl="connection")
def command_getkeysandflags(ctx: Context) -> Reply:
    return [[key.name, _tags(list(key.flags))] for key in _keys(ctx)]
