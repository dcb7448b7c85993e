"""From a file to a module, and from a module to rows of the command table."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from shmredis.commands.categories import MODULE_GROUP
from shmredis.commands.docs import CommandDoc, command_docs
from shmredis.commands.inside import Call
from shmredis.commands.registry import CommandTable, Flag, Row
from shmredis.commands.resp import CommandError, Special, encode
from shmredis.module.context import Context, log
from shmredis.module.declaration import Command, Module, ModuleError

__all__ = ["introduce", "read_module", "take_back"]


def read_module(path: Path) -> Module:
    """Executes the file. Raises: ModuleError."""
    if path.suffix != ".py":
        raise ModuleError(f"{path} is no Python file: only modules in Python can be loaded")
    name = f"shmredis_module_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModuleError(f"{path} cannot be imported")
    namespace = importlib.util.module_from_spec(spec)
    sys.modules[name] = namespace  # dataclasses and pickle look there
    try:
        spec.loader.exec_module(namespace)
    except BaseException as error:
        del sys.modules[name]
        raise ModuleError(f"{path}: {describe(error)}") from error
    found = {id(v): v for v in vars(namespace).values() if isinstance(v, Module)}
    if len(found) != 1:
        raise ModuleError(f"{path} has {len(found)} objects of shmredis.module.Module, not one")
    return next(iter(found.values()))


def describe(error: BaseException) -> str:
    """What happened, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def introduce(module: Module, args: Sequence[str], commands: CommandTable) -> list[int]:
    """Registers the commands and calls `on_load`: all or nothing. The rows. Raises: ModuleError."""
    rows: list[int] = []
    try:
        for command in module.commands:
            rows.append(commands.add(row_of(module, command)))
            command_docs()[command.name] = doc_of(module, command)
        if module.load_hook:
            module.load_hook(list(args))
        elif args:
            raise ModuleError("it takes no arguments")
    except ModuleError:
        take_back(module, rows, commands)
        raise
    except BaseException as error:
        take_back(module, rows, commands)
        raise ModuleError(describe(error)) from error
    return rows


def take_back(module: Module, rows: Sequence[int], commands: CommandTable) -> None:
    """Removes the rows that were registered."""
    for command, row in zip(module.commands, rows, strict=False):
        commands.remove(row)
        command_docs().pop(command.name, None)


def row_of(module: Module, command: Command) -> Row:
    flags = command.flags | Flag.INSIDE
    handler = Execution(module.name, command).run
    return Row(
        command.name, MODULE_GROUP, command.arity, flags, command.acl, command.keys, None, handler
    )


def doc_of(module: Module, command: Command) -> CommandDoc:
    return CommandDoc(
        name=command.name,
        group=MODULE_GROUP,
        since=command.since,
        syntax=f"{command.name} {command.syntax}".strip(),
        summary=command.summary,
        tips=(),
        deprecated=None,
        syscmd=False,
        module=module.name,
    )


class Execution:
    """Calls the handler of one command; whatever it does, the core gets one reply."""

    def __init__(self, module: str, command: Command) -> None:
        self._module = module
        self._command = command

    def run(self, call: Call) -> bytes:
        """Raises: CommandError."""
        resp = call.resp
        ctx = Context(call, self._module)
        try:
            reply = self._command.handler(ctx)
            if isinstance(reply, Special) and reply is not Special.NULL_ARRAY:
                raise TypeError("a command has to reply")
            return encode(reply, resp)
        except CommandError:
            raise
        except BaseException as error:
            log.warning("%s of module %s failed", self._command.name, self._module, exc_info=error)
            raise CommandError(f"ERR module '{self._module}': {describe(error)}") from error
        finally:
            ctx.end()
