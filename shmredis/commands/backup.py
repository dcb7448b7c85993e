"""BACKUP: an online backup as an append-only folder (persistence/backup.py)."""

from collections.abc import Awaitable

from shmredis.commands.context import Context
from shmredis.commands.registry import Flag, command, container
from shmredis.commands.resp import OK, Reply
from shmredis.persistence.backup import Backups, BackupStatus

container("BACKUP", arity=2)

CHANGES = Flag.ADMIN | Flag.NOSCRIPT
LOOKS = Flag.ADMIN | Flag.STALE


@command("BACKUP START", arity=2, flags=CHANGES)
async def backup_start(ctx: Context) -> Reply:
    """The reply comes before the base is there: STATUS tells when."""
    await ctx.server.backups.start()
    return OK


@command("BACKUP SEAL", arity=2, flags=CHANGES)
async def backup_seal(ctx: Context) -> Reply:
    """The reply comes when all files are on disk."""
    await ctx.server.backups.seal()
    return OK


@command("BACKUP ABORT", arity=2, flags=CHANGES)
async def backup_abort(ctx: Context) -> Reply:
    await ctx.server.backups.abort()
    return OK


@command("BACKUP CLEANUP", arity=2, flags=CHANGES)
async def backup_cleanup(ctx: Context) -> Reply:
    await ctx.server.backups.cleanup()
    return OK


@command("BACKUP STATUS", arity=2, flags=LOOKS)
def backup_status(ctx: Context) -> Reply | Awaitable[Reply]:
    backups = ctx.server.backups
    return _told(backups.told()) if backups.leads else _status_elsewhere(backups)


def _told(status: BackupStatus) -> Reply:
    state, error, start_s, end_s = status
    return {"state": state, "error": error, "start_time": start_s, "end_time": end_s}


async def _status_elsewhere(backups: Backups) -> Reply:
    return _told(await backups.status())


@command("BACKUP LIST", arity=2, flags=LOOKS)
def backup_list(ctx: Context) -> Reply | Awaitable[Reply]:
    backups = ctx.server.backups
    return _listed(backups.pinned_files()) if backups.leads else _list_elsewhere(backups)


def _listed(paths: list[str]) -> Reply:
    return [*paths]


async def _list_elsewhere(backups: Backups) -> Reply:
    return _listed(await backups.pinned())
