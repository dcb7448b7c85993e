"""Connects and kills, and what a server of several workers must not have more of afterwards."""

import os
import random
import re
import signal
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.harness.resp import Client, encode
from tests.harness.server import Server, wait_until
from tests.workers.places import connect_to, key_of, pid_of, sure_pid_of

__all__ = ["Holdings", "churn", "holdings", "settled"]

WORKERS = 3
KEYS = [key_of(worker, prefix="churn") for worker in range(WORKERS)]


@dataclass(slots=True, frozen=True)
class Holdings:
    """What a server has of the system's: names of shared memory, processes, descriptors by kind."""

    objects: tuple[str, ...]
    processes: int
    front: Counter[str]
    workers: tuple[Counter[str], ...]


def descriptors(pid: int) -> Counter[str]:
    """How many open files of each kind the process has."""
    kinds: Counter[str] = Counter()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = str(link.readlink())
            kinds[
                re.sub(
                    r"\d+", "N", target.split(":", maxsplit=1)[0].split("/shmredis", maxsplit=1)[0]
                )
            ] += 1
    return kinds


def holdings(server: Server, watcher: Client) -> Holdings:
    # In any order: pids wrap around.
    pids = [sure_pid_of(watcher, worker) for worker in range(WORKERS)]
    return Holdings(
        tuple(sorted(path.name for path in server.shm_objects())),
        len(server.children()),
        descriptors(server.process.pid),
        tuple(map(descriptors, pids)),
    )


def settled(server: Server, watcher: Client) -> Holdings:
    """What it has when only the watcher is connected and all workers serve."""
    wait_until(lambda: all(pid_of(watcher, worker) for worker in range(WORKERS)))
    for worker in range(WORKERS):
        with connect_to(server, worker) as client:
            map_all(client)
    wait_until(lambda: b"connected_clients:1\r" in watcher.value("INFO", "clients"))
    return holdings(server, watcher)


def map_all(client: Client) -> None:
    """Its worker reads from and copies to all others: it maps their arenas at the first use."""
    for source in KEYS:
        client.call("GET", source)
        for target in KEYS:
            client.call("COPY", source, target, "REPLACE")


def churn(server: Server, watcher: Client, connects: int, kills: int, rng: random.Random) -> None:
    """So many connections of all manners come and go; so many workers die meanwhile.

    The worker of the watcher, which is number 0, lives on.
    """
    deaths = set(rng.sample(range(connects), kills))
    open_clients: list[socket.socket] = []
    for n in range(connects):
        open_clients.append(visit(server, rng))
        if n in deaths:
            kill(watcher, rng.randrange(1, WORKERS))
        while len(open_clients) > rng.randrange(30):
            leave(open_clients.pop(rng.randrange(len(open_clients))), rng)
    for sock in open_clients:
        leave(sock, rng)


def kill(watcher: Client, worker: int) -> None:
    before = sure_pid_of(watcher, worker)
    if before:  # else it has just died
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: pid_of(watcher, worker) not in (0, before))


def visit(server: Server, rng: random.Random) -> socket.socket:
    """A connection that says something whole, something in part, or nothing."""
    sock = socket.create_connection(("127.0.0.1", server.port), 20)
    pairs = [word for key in KEYS for word in (key, "value" * 50)]
    said = rng.choice(
        [
            b"",
            encode("SET", rng.choice(KEYS), "x" * rng.choice((3, 60_000))),
            encode("MSET", *pairs) + encode("MGET", *KEYS) + encode("RENAME", *KEYS[:2]),
            encode("GET", rng.choice(KEYS)) * 100,
            encode("SET", rng.choice(KEYS), "y" * 300)[: rng.randrange(200)],
        ]
    )
    with suppress(OSError):  # its worker may be dead already
        sock.sendall(said)
        if rng.random() < 0.3 and said:
            sock.settimeout(0.02)
            sock.recv(65536)
    return sock


def leave(sock: socket.socket, rng: random.Random) -> None:
    """In order, or with a reset."""
    if rng.random() < 0.5:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
