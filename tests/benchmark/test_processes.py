"""CPU time and memory of all processes of a server."""

import os

from shmredis.benchmark import processes
from tests.harness.server import Server


def test_the_tree_has_front_and_worker(shared_server: Server) -> None:
    tree = processes.tree(shared_server.process.pid)
    assert tree[0] == shared_server.process.pid
    assert set(shared_server.children()) <= set(tree)


def test_cpu_time_of_a_working_process_grows() -> None:
    before = processes.cpu_times(os.getpid())
    sum(n * n for n in range(300_000))
    assert processes.cpu_us_between(before, processes.cpu_times(os.getpid())) > 0


def test_only_time_since_the_first_look_counts() -> None:
    assert processes.cpu_us_between({1: 5_000, 3: 9_000}, {1: 7_000, 2: 1_000}) == 3.0


def test_resident_memory_includes_what_was_just_touched() -> None:
    before = processes.pss_bytes(os.getpid())
    block = b"x" * (64 << 20)
    assert processes.pss_bytes(os.getpid()) - before >= len(block) // 2


def test_a_process_that_is_gone_has_no_memory() -> None:
    assert processes.pss_bytes(1 << 30) == 0
