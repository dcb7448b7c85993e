"""Messages between real processes over rings: order, wrapping, pieces, a full ring, deaths at either end."""

import hashlib
import multiprocessing
import os
import secrets
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shmredis._core import ffi, lib
from shmredis.faults import arm_faults

RING_BYTES = 256 * 1024
SENDER, TAKER = 0, 1
DEADLINE_S = 20.0


class Wires:
    """Control memory of two workers and their eventfds, for all processes of a test."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("test-links")
        assert lib.control_format(self.fd, 2) == 0
        self.wake = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]

    def close(self) -> None:
        for fd in (self.fd, *self.wake):
            os.close(fd)

    @contextmanager
    def open(self, index: int) -> Iterator["End"]:
        end = End(self, index)
        try:
            yield end
        finally:
            lib.links_close(end.links)


class End:
    """One worker's end."""

    def __init__(self, wires: Wires, index: int) -> None:
        status = ffi.new("int *")
        fds = ffi.new("int[]", wires.wake)
        self.links: Any = lib.wb_links_open(wires.fd, index, fds, status)
        assert self.links, status[0]
        self.other = 1 - index
        self._wake_fd = wires.wake[index]
        self._n = ffi.new("size_t *")

    def send(self, message: bytes) -> None:
        lib.wb_links_send(self.links, self.other, message, len(message))
        lib.links_wake(self.links)

    def take(self) -> bytes | None:
        """The oldest message, done with; None if there is none."""
        text = lib.wb_links_peek(self.links, self.other, self._n)
        if text == ffi.NULL:
            lib.links_give_room(self.links, self.other)
            lib.links_wake(self.links)
            return None
        message = bytes(ffi.buffer(text, self._n[0]))
        lib.links_done(self.links, self.other)
        return message

    def rest(self) -> None:
        """Sleeps as a worker does: until it is rung."""
        if lib.links_may_sleep(self.links):
            ready = select.select([self._wake_fd], [], [], DEADLINE_S)[0]
            assert ready, "nobody has rung"
            lib.links_awake(self.links)
        lib.links_pump(self.links)
        lib.links_wake(self.links)

    def take_all(self, count: int) -> list[bytes]:
        found: list[bytes] = []
        while len(found) < count:
            message = self.take()
            if message is None:
                self.rest()
            else:
                found.append(message)
        return found

    def push_out(self) -> None:
        """Until all that was sent is in the ring."""
        while lib.wb_links_waiting(self.links):
            lib.links_pump(self.links)
            lib.links_wake(self.links)
            if lib.wb_links_waiting(self.links):
                self.rest()


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


def child(run: Callable[[], None]) -> int:
    """A process that runs this; its pid."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            run()
            status = 0
        finally:
            os._exit(status)
    return pid


def end_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def message(number: int, size: int) -> bytes:
    head = b"%d:" % number
    return head + bytes([number % 251]) * max(0, size - len(head))


SIZES = {
    "small": [8 + n % 40 for n in range(40_000)],  # several times around the ring
    "every alignment": list(range(700)) * 3,
    "pieces": [RING_BYTES // 4 - 40 + n for n in range(80)],  # around the largest whole message
    "huge": [3_000_000, 1, 5_000_000, 0, RING_BYTES],
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_all_arrive_in_order_and_whole(wires: Wires, sizes: list[int]) -> None:
    messages = [message(n, size) for n, size in enumerate(sizes)]

    def send() -> None:
        with wires.open(SENDER) as end:
            for one in messages:
                end.send(one)
            end.push_out()

    pid = child(send)
    with wires.open(TAKER) as end:
        for number, got in enumerate(end.take_all(len(messages))):
            assert got == messages[number]
        assert end_of(pid) == 0
        assert end.take() is None


def test_a_full_ring_waits_for_room_and_both_sides_sleep(wires: Wires) -> None:
    """The taker is slow: the sender fills the ring, sleeps, and is rung when there is room."""
    messages = [message(n, 9000) for n in range(200)]
    filled = multiprocessing.Event()

    def send() -> None:
        with wires.open(SENDER) as end:
            for one in messages:
                end.send(one)
            assert lib.wb_links_waiting(end.links) > 1_000_000
            filled.set()
            end.push_out()

    pid = child(send)
    with wires.open(TAKER) as end:
        got = []
        assert filled.wait(DEADLINE_S)
        for _ in messages:
            got += end.take_all(1)
            if len(got) % 20 == 0:
                time.sleep(0.001)  # the taker's own business
    assert got == messages
    assert end_of(pid) == 0


def test_both_directions_at_once(wires: Wires) -> None:
    """Each echoes with what it has got; digests agree at the end."""
    count = 3000

    def run(index: int) -> bytes:
        digest = hashlib.sha1()
        with wires.open(index) as end:
            for n in range(count):
                end.send(message(n, 500 + n % 3000))
                end.push_out()
                digest.update(end.take_all(1)[0])
        return digest.digest()

    read, write = os.pipe()
    pid = child(lambda: [os.write(write, run(SENDER)), None][1])
    own = run(TAKER)
    assert end_of(pid) == 0
    assert os.read(read, 100) == own
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("which", [1, 2, 50])
@pytest.mark.parametrize("point", ["ring.filled", "ring.sent", "links.before_bell", "links.piece"])
def test_a_sender_may_die(wires: Wires, point: str, which: int) -> None:
    """What it had sent arrives; half a message is none; its successor's come after."""
    sizes = [20, 70_000, 9000, 300_000] * 20

    def send() -> None:
        with wires.open(SENDER) as end:
            arm_faults(b"%b:kill:%d" % (point.encode(), which))
            for n, size in enumerate(sizes):
                end.send(message(n, size))
            end.push_out()

    pid = child(send)
    with wires.open(TAKER) as end:
        got: list[bytes] = []
        dead = False
        while True:
            one = end.take()
            if one is not None:
                got.append(one)
            elif dead:
                break
            else:
                dead = os.waitpid(pid, os.WNOHANG)[0] != 0
        with wires.open(SENDER) as successor:
            numbered = lib.links_sent(successor.links, TAKER)
            successor.send(b"successor")
        assert end.take_all(1) == [b"successor"]
    assert [got[n] == message(n, sizes[n]) for n in range(len(got))] == [True] * len(got)
    assert numbered in (len(got), len(got) + 1)  # with the one of which there is a beginning


@pytest.mark.parametrize("which", [1, 3, 8])
@pytest.mark.parametrize("point", ["ring.begun", "ring.before_take", "ring.before_starved"])
def test_a_taker_may_die(wires: Wires, point: str, which: int) -> None:
    """Its successor goes on behind the message that it had begun with, and says how many that were."""
    messages = [message(n, size) for n, size in enumerate([30, 4000, 70_000, 500] * 30)]
    read, write = os.pipe()

    def take() -> None:
        with wires.open(TAKER) as end:
            arm_faults(b"%b:kill:%d" % (point.encode(), which))
            while True:
                one = end.take()
                if one is None:
                    end.rest()
                else:
                    os.write(write, b"%d\n" % len(one))

    pid = child(take)
    with wires.open(SENDER) as sender:
        for one in messages:
            sender.send(one)
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            lib.links_pump(sender.links)
            lib.links_wake(sender.links)
        os.close(write)
        with os.fdopen(read) as report:
            done = len(report.readlines())
        with wires.open(TAKER) as successor:
            begun = lib.links_abandon(successor.links, SENDER)
            assert begun in (done, done + 1)
            rest = []
            while len(rest) < len(messages) - begun:
                lib.links_pump(sender.links)
                if (one := successor.take()) is not None:
                    rest.append(one)
            assert rest == messages[begun:]
            assert successor.take() is None
        assert lib.links_sent(sender.links, TAKER) == len(messages)


def test_both_may_die_again_and_again(wires: Wires) -> None:
    """Numbers go on over all lives; whoever comes last gets what is sent last, whole."""
    for life in range(12):
        seed = secrets.randbelow(20) + 1

        def send(seed: int = seed, life: int = life) -> None:
            with wires.open(SENDER) as end:
                arm_faults(b"ring.sent:kill:%d" % (seed + life))
                for n in range(200):
                    end.send(message(n, 5000))
                os.kill(os.getpid(), signal.SIGKILL)  # the ring was full, and its taker dead

        def take(seed: int = seed) -> None:
            with wires.open(TAKER) as end:
                lib.links_abandon(end.links, SENDER)
                arm_faults(b"ring.before_take:kill:%d" % seed)
                while True:
                    if end.take() is None:
                        lib.links_pump(end.links)

        sender, taker = child(send), child(take)
        assert end_of(sender) == -signal.SIGKILL
        os.kill(taker, signal.SIGKILL)
        assert end_of(taker) == -signal.SIGKILL
    with wires.open(SENDER) as sender_end, wires.open(TAKER) as end:
        taken = lib.links_abandon(end.links, SENDER)
        left = 0
        while end.take() is not None:
            left += 1
        assert lib.links_sent(sender_end.links, TAKER) == taken + left
        for size in (10, 400_000):
            sender_end.send(message(7, size))
            got = None
            while got is None:
                lib.links_pump(sender_end.links)
                got = end.take()
            assert got == message(7, size)
