"""One append-only folder on disk: names, the manifest replaced as a whole, files that come and go.

A server of one worker has appendonlydir/ as Redis has; with several, each worker has a folder of its own
in it, worker-<n>/, which is such a folder again.
"""

import contextlib
import errno
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from shmredis.config import Config
from shmredis.faults import fault
from shmredis.persistence.aof_manifest import LogFile, Manifest, Role, parse_manifest
from shmredis.persistence.removal import remove, remove_folder

__all__ = ["Folder", "folders_in", "own_folder", "sync_file", "sync_folder"]

log = logging.getLogger(__name__)

MODE = 0o644
LENT = "for-a-backup"
WORKER_FOLDER = re.compile(r"worker-(0|[1-9][0-9]*)")


@dataclass(slots=True, frozen=True)
class Folder:
    """`path` has files whose names begin with `prefix` (appendfilename)."""

    path: Path
    prefix: str

    # --- names ---

    @property
    def manifest_path(self) -> Path:
        return self.path / f"{self.prefix}.manifest"

    def base(self, seq: int, *, rdb: bool) -> LogFile:
        return LogFile(f"{self.prefix}.{seq}.base.{'rdb' if rdb else 'aof'}", seq, Role.BASE)

    def incremental(self, seq: int) -> LogFile:
        return LogFile(f"{self.prefix}.{seq}.incr.aof", seq, Role.INCREMENTAL)

    def place(self, file: LogFile) -> Path:
        return self.path / file.name

    # --- the manifest ---

    def read(self) -> Manifest | None:
        """None: there is no log here. Raises: ManifestError, OSError."""
        try:
            data = self.manifest_path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return parse_manifest(data)

    def write(self, manifest: Manifest) -> None:
        """Replaces the manifest as a whole, for good. Raises: OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        temporary = self.path / f"temp-{self.prefix}.manifest"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)
        try:
            _write_out(fd, manifest.text.encode("utf-8", "surrogateescape"))
        except OSError:
            temporary.unlink()
            raise
        finally:
            os.close(fd)
        fault("aof.manifest.before_rename")
        temporary.rename(self.manifest_path)
        fault("aof.manifest.renamed")
        sync_folder(self.path)

    # --- a folder that is only lent to a backup: what a crash leaves in it is no log ---

    @property
    def lent_mark(self) -> Path:
        return self.path / LENT

    def lend(self) -> None:
        """Raises: OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.lent_mark.touch(mode=MODE)
        sync_folder(self.path)

    def own(self) -> None:
        """It is a log from now on. Raises: OSError."""
        if self.lent_mark.exists():
            self.lent_mark.unlink()
            sync_folder(self.path)

    def drop_lent(self) -> None:
        """Removes all of it, if it is only lent."""
        if self.lent_mark.exists():
            self.manifest_path.unlink(missing_ok=True)
            remove_folder(self.path)

    # --- files ---

    def create(self, file: LogFile | str) -> int:
        """A new, empty file to append to; its descriptor. Raises: OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        name = file if isinstance(file, str) else file.name
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        return os.open(self.path / name, flags, MODE)

    def open_to_append(self, file: LogFile) -> int:
        """Raises: OSError."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self.place(file), flags, MODE)

    def size(self, files: tuple[LogFile, ...]) -> int:
        """Bytes of all of them; those that are missing have none."""
        total = 0
        for file in files:
            with contextlib.suppress(OSError):
                total += self.place(file).stat().st_size
        return total

    def delete_history(self, manifest: Manifest) -> Manifest:
        """Deletes what a rewrite has made needless; the manifest without it. Raises: OSError."""
        for file in manifest.history:
            log.info("Removing the history file %s in the background", file.name)
            remove(self.place(file))
        manifest = manifest.without_history()
        self.write(manifest)
        return manifest

    def upgrade(self, data_dir: Path) -> None:
        """Takes in a single append-only file of a server before 7.0, if there is one. Raises: OSError."""
        old = data_dir / self.prefix
        if not old.is_file() or (old.is_symlink() and not old.exists()):
            return
        manifest = self.read()
        base = LogFile(self.prefix, 1, Role.BASE)
        if manifest is not None and (manifest.base != base or manifest.incrementals):
            return
        if self.place(base).exists():
            return
        self.path.mkdir(parents=True, exist_ok=True)
        if manifest is None:
            self.write(Manifest(base=base))
        old.rename(self.place(base))
        sync_folder(self.path)
        log.info(
            "Successfully migrated an old-style AOF file (%s) into the AOF directory (%s).",
            old.name,
            self.path.name,
        )


def _write_out(fd: int, data: bytes) -> None:
    """All of it, on disk. Raises: OSError."""
    if fault("aof.manifest.write"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    while data:
        data = data[os.write(fd, data) :]
    os.fsync(fd)


def sync_file(path: Path) -> None:
    """Has its bytes on disk. Raises: OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(fd)
    finally:
        os.close(fd)


def sync_folder(path: Path) -> None:
    """Has the names in it on disk. Raises: OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def own_folder(config: Config, index: int, count: int) -> Folder:
    """Where this worker's log is."""
    whole = Path(config["appenddirname"])
    path = whole / f"worker-{index}" if count > 1 else whole
    return Folder(path.absolute(), config["appendfilename"])


def folders_in(whole: Path, prefix: str) -> dict[int, Folder]:
    """All folders with a manifest by worker; -1 stands for that of a server of one worker."""
    numbers = [int(m[1]) for p in whole.glob("worker-*") if (m := WORKER_FOLDER.fullmatch(p.name))]
    folders = {number: Folder(whole / f"worker-{number}", prefix) for number in sorted(numbers)}
    found = {number: f for number, f in folders.items() if f.manifest_path.exists()}
    alone = Folder(whole, prefix)
    return {-1: alone} if alone.manifest_path.exists() and not found else found
