"""The append-only folders of a server, and what becomes of them when it has another number of workers.

    appendonlydir/               of one worker, as Redis has it
    appendonlydir/worker-<n>/    of several
    appendonlydir.reshape/       what workers of another number have left: all is loaded from it, until
                                 each worker has written a first base of its own

The front renames before it spawns workers, and removes when all have begun. A crash in between leaves the
old folders whole.
"""

import logging
from pathlib import Path

from shmredis.config import Config
from shmredis.faults import fault
from shmredis.persistence.aof_folder import Folder, folders_in, sync_folder
from shmredis.persistence.removal import remove_folder

__all__ = ["finish_layout", "layout_folders", "layout_to_load", "prepare_layout"]

log = logging.getLogger(__name__)


def _whole(config: Config) -> Path:
    return Path(config["appenddirname"]).absolute()


def _left(config: Config) -> Path:
    whole = _whole(config)
    return whole.with_name(whole.name + ".reshape")


def _gone(config: Config) -> Path:
    left = _left(config)
    return left.with_name(left.name + ".gone")


def layout_folders(config: Config, home: Path) -> tuple[Path, Path]:
    """Of a data directory: the one that is written to, and the one that workers of another number may
    have left."""
    return home / _whole(config).name, home / _left(config).name


def _rename(path: Path, target: Path) -> None:
    path.rename(target)
    sync_folder(target.parent)


def _fits(folders: dict[int, Folder], count: int) -> bool:
    """Whether these are the folders of so many workers; -1 stands for the one of a single worker."""
    return set(folders) == ({-1} if count == 1 else set(range(count)))


def _found(whole: Path, prefix: str) -> dict[int, Folder]:
    """The folders with a log; a single file of a server before 7.0 is taken in first."""
    folders = folders_in(whole, prefix)
    if set(folders) <= {-1}:
        Folder(whole, prefix).upgrade(whole.parent)
        folders = folders_in(whole, prefix)
    return folders


def prepare_layout(config: Config, count: int) -> None:
    """Before workers are spawned. Raises: OSError."""
    whole, left = _whole(config), _left(config)
    remove_folder(_gone(config))
    for path in (*whole.glob("worker-*"), whole):
        Folder(path, config["appendfilename"]).drop_lent()
    if left.exists():
        log.warning("The append-only files are still those of another number of workers")
        remove_folder(whole)
        if not config["appendonly"]:  # nobody is going to load them now
            _rename(left, whole)
    elif config["appendonly"]:
        folders = _found(whole, config["appendfilename"])
        if folders and not _fits(folders, count):
            text = "The append-only files are of %d workers; %d will load them"
            log.info(text, len(folders), count)
            _rename(whole, left)
    fault("layout.prepared")


def finish_layout(config: Config) -> None:
    """All workers have begun a log of their own. Raises: OSError."""
    left = _left(config)
    if not left.exists():
        return
    gone = _gone(config)
    _rename(left, gone)
    fault("layout.finished")
    remove_folder(gone)


def layout_to_load(config: Config) -> tuple[dict[int, Folder], bool]:
    """The folders with a log, by worker (-1: of a single one), and whether they fit this server."""
    left, prefix = _left(config), config["appendfilename"]
    if left.exists():
        return folders_in(left, prefix), False
    return folders_in(_whole(config), prefix), True
