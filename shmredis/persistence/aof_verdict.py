"""Which parts of commands of several workers count: judged once at the start of a server, for all workers.

A worker that has its data changes its log: it cuts a torn end, says what is settled, or begins with a new
base. What its log said before could not be told any more by those that come later, so the first one that
has to know reads all logs, before it changes its own, and what it finds is kept where all find it, also
one that dies before the server has opened and is brought back.
"""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path

from shmredis.config import Config
from shmredis.faults import fault
from shmredis.persistence.aof_folder import Folder
from shmredis.persistence.aof_layout import layout_to_load
from shmredis.persistence.aof_load import manifest_of
from shmredis.persistence.aof_transactions import Parts, incomplete, parts_in

__all__ = ["Judgement", "Verdict", "read_parts"]


@dataclass(slots=True, frozen=True)
class Judgement:
    """`left_out`: ids by worker. `complete`: nothing is left out that was not before."""

    left_out: dict[int, set[str]]
    complete: bool

    def to_json(self) -> bytes:
        names = {str(worker): sorted(ids) for worker, ids in self.left_out.items()}
        return json.dumps([names, self.complete]).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> "Judgement":
        names, complete = json.loads(text)
        return cls({int(worker): set(ids) for worker, ids in names.items()}, complete)


class Verdict:
    """Made by the front before it forks; workers have the same one."""

    def __init__(self) -> None:
        self._fd = os.memfd_create("shmredis-verdict", os.MFD_CLOEXEC)

    def judge(self, config: Config) -> Judgement:
        """What the logs said when they were read first. Raises: AofError, OSError."""
        fcntl.lockf(self._fd, fcntl.LOCK_EX)
        try:
            return self._read() or self._reach(config)
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def _read(self) -> Judgement | None:
        """None: nobody has come to a verdict yet, or to its end."""
        text = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        return Judgement.from_json(text) if text.endswith(b"\n") else None

    def _reach(self, config: Config) -> Judgement:
        logs = read_parts(layout_to_load(config)[0])
        left_out = {worker: incomplete(logs, worker) for worker in logs}
        complete = all(left_out[worker] <= logs[worker].dropped for worker in logs)
        found = Judgement(left_out, complete)
        fault("verdict.reached")
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, found.to_json(), 0)
        fault("verdict.written")
        return found

    def close(self) -> None:
        os.close(self._fd)


def read_parts(folders: dict[int, Folder]) -> dict[int, Parts]:
    """What all folders say of commands of several workers. Raises: AofError, OSError."""
    return {number: parts_in(_present(folder)) for number, folder in folders.items()}


def _present(folder: Folder) -> list[Path]:
    """Files that are missing are the loader's matter. Raises: AofError."""
    manifest = manifest_of(folder)
    paths = [folder.place(file) for file in (manifest.files if manifest else ())]
    return [path for path in paths if path.exists()]
