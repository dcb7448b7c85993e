"""An engine alone, without connections, for tests of the C core."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shmredis._core import ffi, lib
from tests.harness.resp import encode, parse

ALL_EVENTS = (1 << 18) - 1


class Engine:
    """One worker's data. Its one session answers `call` as a client would see it, in RESP3."""

    def __init__(self, max_size: int = 1 << 28) -> None:
        status = ffi.new("int *")
        fd = os.memfd_create("test-engine")
        self.handle = lib.engine_new(fd, b"test", max_size, bytes(range(16)), 4, status)
        assert self.handle, lib.core_status_text(status[0])
        self.arena = lib.wb_engine_arena(self.handle)
        self.session = Session(self)
        lib.session_set_resp(self.session.handle, 3)

    def close(self) -> None:
        self.session.close()
        lib.engine_delete(self.handle)

    def call(self, *words: bytes | str | int) -> Any:
        return parse(self.session.feed(encode(*words)))

    def record(self) -> None:
        """From now on keeps what is propagated and what events are told."""
        lib.engine_set_option(self.handle, b"notify_events", ALL_EVENTS)
        lib.engine_record(self.handle, True)

    def take_recorded(self) -> bytes:
        size = ffi.new("size_t *")
        text = lib.engine_recorded(self.handle, size)
        recorded = ffi.buffer(text, size[0])[:] if size[0] else b""
        lib.engine_recorded_clear(self.handle)
        return recorded

    def check(self) -> None:
        lib.engine_check(self.handle)


class Session:
    """A connection in miniature. `outcome` is that of the last feed."""

    def __init__(self, engine: Engine, number: int = 1) -> None:
        self.handle = lib.session_new(engine.handle, -1, number)
        self.outcome = 0
        self._size = ffi.new("size_t *")

    def feed(self, data: bytes) -> bytes:
        """What is answered to these bytes, as far as they are a command's end."""
        reply = b""
        while data:
            size = self.room()
            part, data = data[:size], data[size:]
            self.put(part)
            if self.outcome & lib.FEED_OUTPUT:
                reply += self.take_output()
        return reply

    def room(self) -> int:
        """Bytes that may arrive at once."""
        lib.session_input(self.handle, self._size)
        return int(self._size[0])

    def put(self, part: bytes) -> int:
        """These bytes arrive; the outcome."""
        ffi.memmove(lib.session_input(self.handle, self._size), part, len(part))
        self.outcome = lib.session_feed(self.handle, len(part))
        return self.outcome

    def take_output(self) -> bytes:
        text = lib.session_output(self.handle, self._size)
        output = ffi.buffer(text, self._size[0])[:] if self._size[0] else b""
        lib.session_output_done(self.handle, True)
        return output

    def close(self) -> None:
        lib.session_delete(self.handle)


@contextmanager
def new_engine(max_size: int = 1 << 28) -> Iterator[Engine]:
    engine = Engine(max_size)
    try:
        yield engine
        engine.check()
    finally:
        engine.close()
