"""What other workers send: when it is read, and who is told."""

import asyncio

from shmredis._core import lib
from shmredis.worker.post import Post
from shmredis.worker.server import Server

__all__ = ["Links"]

BEAT_S = 0.1  # a worker that gives no sign of life for longer is soon taken to be stuck
LATER_S = 0.002  # how long replies may wait for those after them


class Links:
    """Does what is left to do when the core has read what others sent; engine_poll sees their rings."""

    def __init__(self, server: Server, post: Post) -> None:
        self._server = server
        self._engine = server.engine.handle
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        server.end_turn = self._end_turn
        server.attend = self._attend
        self._beat()

    def close(self) -> None:
        self._next_beat.cancel()
        if self._timer:
            self._timer.cancel()

    def _beat(self) -> None:
        """Looks at the rings, rung or not: a worker may have died, or be stuck, before it rang.

        At the start it is for a predecessor who died while it was awake.
        """
        self._end_turn()
        self._next_beat = self._loop.call_later(BEAT_S, self._beat)

    def _end_turn(self) -> None:
        """Drains when the event loop has served all that is ready: one wake-up of others for all."""
        self._loop.call_soon(self._drain)

    def _drain_late(self) -> None:
        self._timer = None
        self._drain()

    def _drain(self) -> None:
        """Handles a batch."""
        self._attend(lib.engine_drain(self._engine, False))

    def _attend(self, found: int) -> None:
        if found & lib.DRAIN_READY:
            self._server.attend_sessions()
        if found & lib.DRAIN_MAIL:
            self._post.deliver()
        if found & lib.DRAIN_RESUME:
            self._server.resume_waiting()
        if found & lib.DRAIN_MORE:
            self._loop.call_soon(self._drain)
        if found & lib.DRAIN_LATER and not self._timer:
            self._timer = self._loop.call_later(LATER_S, self._drain_late)
