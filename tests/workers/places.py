"""Keys and connections that belong to a certain worker."""

import re
from itertools import count

from shmredis.slots import key_slot, slot_owner
from tests.harness.resp import Client
from tests.harness.server import Server, wait_until

__all__ = ["connect_to", "key_of", "pid_of", "sure_pid_of", "worker_lines"]


def key_of(worker: int, workers: int = 3, prefix: str = "key") -> str:
    """A key that this worker owns."""
    names = (f"{prefix}:{i}" for i in count())
    return next(k for k in names if slot_owner(key_slot(k.encode()), workers) == worker)


def connect_to(server: Server, worker: int, workers: int = 3) -> Client:
    """A connection that the front hands to this worker, because its first key is there."""
    client = server.client()
    try:
        assert client.call("EXISTS", key_of(worker, workers, "no")) == b":0\r\n"
    except BaseException:
        client.close()
        raise
    return client


def worker_lines(client: Client) -> list[dict[str, str]]:
    """INFO Workers: a worker's fields a line."""
    text = client.value("INFO", "workers").decode()
    lines = re.findall(r"^worker\d+:(\S+)", text, re.MULTILINE)
    return [dict(pair.split("=") for pair in line.split(",")) for line in lines]


def pid_of(client: Client, worker: int) -> int:
    """Its process, as INFO Workers says; 0: it does not answer now."""
    text = client.value("INFO", "workers").decode()
    found = re.search(rf"^worker{worker}:(?:\S*,)?pid=(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


def sure_pid_of(client: Client, worker: int) -> int:
    """As soon as it answers: signals to process 0 would go to the tests themselves."""
    found: list[int] = []

    def answers() -> bool:
        found.append(pid_of(client, worker))
        return found[-1] > 0

    wait_until(answers)
    return found[-1]
