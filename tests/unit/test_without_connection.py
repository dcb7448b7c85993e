"""Commands about a connection where there is none, as in a log that somebody has written."""

import os

import posix_ipc
import pytest

from shmredis._core import ffi, lib


@pytest.mark.parametrize(
    "line",
    [
        *["MULTI", "EXEC", "DISCARD", "WATCH k", "UNWATCH", "SUBSCRIBE a b", "PSUBSCRIBE a*"],
        *["SSUBSCRIBE a", "UNSUBSCRIBE", "UNSUBSCRIBE a", "PUNSUBSCRIBE", "SUNSUBSCRIBE"],
    ],
)
def test_they_are_errors(line: str) -> None:
    name = f"/shmredis-test-{os.getpid()}-alone"
    shm = posix_ipc.SharedMemory(name, posix_ipc.O_CREX, mode=0o600)
    posix_ipc.unlink_shared_memory(name)
    engine = lib.engine_new(shm.fd, name.encode(), 64 << 20, bytes(16), 16, ffi.new("int *"))
    words = [ffi.new("char[]", word.encode()) for word in line.split()]
    sizes = [len(word) - 1 for word in words]
    n = ffi.new("size_t *")
    reply = lib.engine_execute(engine, 0, 2, len(words), words, sizes, n)
    text = bytes(ffi.buffer(reply, n[0]))
    lib.engine_delete(engine)
    assert text.startswith(b"-ERR") and text.count(b"\r\n") == 1
