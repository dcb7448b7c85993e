"""Who is let in, by the settings that workers have told until then."""

import socket
from collections.abc import Iterator
from typing import cast

import pytest

from shmredis.config import Config
from shmredis.front.acceptor import Acceptor
from shmredis.front.channel import Kind
from shmredis.front.handover import Handover
from shmredis.front.listeners import Listener


class FullHouse:
    """A Handover with one connection in it."""

    possible = True

    def __init__(self) -> None:
        self.connections = 1
        self.let_in: list[socket.socket] = []

    def add(self, _kind: Kind, sock: socket.socket) -> None:
        self.connections += 1
        self.let_in.append(sock)


@pytest.fixture
def door() -> Iterator[Listener]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        yield Listener(Kind.TCP, sock)


def arrive(door: Listener) -> socket.socket:
    return socket.create_connection(door.sock.getsockname(), 5)


def test_what_was_told_before_a_connection_came_holds_for_it(door: Listener) -> None:
    """The message lies in the channel when the connection is accepted: it must not be read later."""
    config, house = Config(), FullHouse()
    config.set([("maxclients", "1")])
    mail = [("maxclients", "3")]

    def catch_up() -> None:
        config.set(mail)

    acceptor = Acceptor(config, lambda: True, cast(Handover, house), None, catch_up)
    with arrive(door), arrive(door), arrive(door) as last:
        acceptor.accept(door)
        assert len(house.let_in) == 2
        assert acceptor.refused == 1
        assert last.recv(100) == b"-ERR max number of clients reached\r\n"
    for sock in house.let_in:
        sock.close()


def test_nobody_there_is_nothing_to_judge(door: Listener) -> None:
    def catch_up() -> None:
        raise AssertionError

    Acceptor(Config(), lambda: True, cast(Handover, FullHouse()), None, catch_up).accept(door)
