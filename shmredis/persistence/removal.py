"""Removing files that may be large: the name goes at once, its blocks are given back in another thread.

Giving back the blocks of gigabytes takes a file system many milliseconds, for which no client shall wait.
A file whose name is gone lives until the last descriptor of it is closed, so that is what the thread does.
A process that is forked meanwhile closes its copies at once: it would keep the blocks as long as it lives.
"""

import contextlib
import os
import threading
from pathlib import Path

__all__ = ["remove", "remove_folder", "remove_temporaries"]

AT_ONCE = 1 << 20  # bytes that are given back as soon as a thread is made

_open: set[int] = set()  # descriptors that a thread is about to close


def remove(path: Path) -> None:
    """Raises: OSError; a file that is not there is none."""
    fd = _open_large(path)
    try:
        path.unlink(missing_ok=True)
    finally:
        if fd >= 0:
            _free_later(fd)


def _free_later(fd: int) -> None:
    _open.add(fd)
    threading.Thread(target=_free, args=(fd,), name="free file", daemon=True).start()


def _free(fd: int) -> None:
    _open.discard(fd)  # first: its number may be another file's as soon as it is closed
    os.close(fd)


def _free_copies() -> None:
    for fd in _open:
        os.close(fd)
    _open.clear()


os.register_at_fork(after_in_child=_free_copies)


def _open_large(path: Path) -> int:
    """-1: it is small, shared with another name, or not to be read; then nothing is gained."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        if found.st_size > AT_ONCE and found.st_nlink == 1:
            return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    return -1


def remove_temporaries(pid: int) -> None:
    """What a process that is about to be killed has begun to write."""
    with contextlib.suppress(OSError):
        for pattern in (f"temp-{pid}.rdb", f"temp-{pid}.*.rdb", f"temp-rewriteaof-bg-{pid}.aof"):
            for path in Path(f"/proc/{pid}/cwd").glob(pattern):
                path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """It and all that is in it, as far as that goes."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                remove_folder(path)
            else:
                remove(path)
        folder.rmdir()
