"""The listening sockets while the server runs: `bind`, `port` and `tls-port` can be changed."""

import logging
import selectors
from collections.abc import Callable
from functools import partial

from shmredis.config import Config
from shmredis.front.listeners import (
    Listener,
    ListenError,
    Place,
    close_all,
    open_places,
    wanted_places,
)

__all__ = ["Listening"]

log = logging.getLogger(__name__)


class Listening:
    """Has connections accepted on all listening sockets, and on others after a change."""

    def __init__(
        self,
        config: Config,
        listeners: list[Listener],
        selector: selectors.BaseSelector,
        accept: Callable[[Listener], None],
    ) -> None:
        self._config = config
        self._listeners = listeners
        self._selector = selector
        self._accept = accept

    @property
    def labels(self) -> list[str]:
        """What kinds of connections are accepted."""
        return sorted({listener.kind.name.lower() for listener in self._listeners})

    def begin(self) -> None:
        for listener in self._listeners:
            self._watch(listener)

    def _watch(self, listener: Listener) -> None:
        accept = partial(self._accept, listener)
        self._selector.register(listener.sock, selectors.EVENT_READ, accept)

    def close(self) -> None:
        close_all(self._listeners)

    def follow(self) -> None:
        """Listens where the configuration says now; if that cannot be, where it was.

        Sockets of the same address and port stay as they are. Raises: ListenError.
        """
        wanted = wanted_places(self._config)
        left = [one for one in self._listeners if one.place and one.place not in wanted]
        known = {listener.place for listener in self._listeners}
        self._leave(left)
        try:
            fresh = self._open([place for place in wanted if place not in known])
        except ListenError:
            self._return([listener.place for listener in left if listener.place])
            raise
        self._take(fresh)

    def _open(self, places: list[Place]) -> list[Listener]:
        return open_places(places, self._config["tcp-backlog"])

    def _take(self, fresh: list[Listener]) -> None:
        self._listeners += fresh
        for listener in fresh:
            self._watch(listener)

    def _leave(self, left: list[Listener]) -> None:
        """What has arrived there is still let in."""
        for listener in left:
            self._accept(listener)
            self._selector.unregister(listener.sock)
            self._listeners.remove(listener)
            listener.close()

    def _return(self, places: list[Place]) -> None:
        for place in places:
            try:
                self._take(self._open([place]))
            except ListenError as error:
                log.warning("The server does not listen there any more: %s", error)
