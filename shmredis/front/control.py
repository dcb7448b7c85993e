"""What several workers share beside their arenas: the control memory and a wake-up eventfd for each."""

import os

from shmredis._core import ffi, lib
from shmredis.front.shm import control_name, create_object, remove_object

__all__ = ["ControlMemory"]


class ControlMemory:
    """Made by the front before it forks; workers inherit the file descriptors."""

    def __init__(self, base_name: str, workers: int) -> None:
        """Raises: ShmInUse, OSError."""
        self.workers = workers
        self.name = control_name(base_name)
        self.fd = create_object(self.name)
        self.wake_fds: list[int] = []
        try:
            self._map = self._format()
            for _ in range(workers):
                self.wake_fds.append(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
        except BaseException:
            self._close_fds()
            remove_object(self.name)
            raise

    def _format(self) -> object:
        if status := lib.control_format(self.fd, self.workers):
            why = ffi.string(lib.core_status_text(status)).decode().removeprefix("ERR ")
            size = lib.control_bytes(self.workers)
            raise OSError(
                f"Shared memory {self.name} cannot be used ({why}). {self.workers} workers need "
                f"{size} bytes for it. Make /dev/shm larger: docker run --shm-size=4g, or "
                "mount -o remount,size=4g /dev/shm"
            )
        control: object = lib.control_open(self.fd)
        if control == ffi.NULL:
            raise OSError(f"Shared memory {self.name} cannot be mapped")
        return control

    def new_epoch(self, worker: int) -> None:
        """Before each spawn: what the worker's predecessor held is given up."""
        lib.control_new_epoch(self._map, worker)

    def close(self) -> None:
        """Ends the front's part; the object's name is gone afterwards."""
        lib.control_close(self._map)
        self._close_fds()
        remove_object(self.name)

    def _close_fds(self) -> None:
        for fd in (self.fd, *self.wake_fds):
            os.close(fd)
