"""A child that writes leaves the CPUs to those who serve, but is not kept from them for ever."""

import os
import signal
import subprocess
import sys

import pytest

from shmredis._core import lib
from tests.harness.processes import is_stopped
from tests.harness.server import running, wait_until
from tests.persistence.children import spare_of, writer_of

NICENESS = 10
TRY = f"""
import os
os.nice({NICENESS})
for policy in (os.SCHED_IDLE, os.SCHED_BATCH):
    os.sched_setscheduler(0, policy, os.sched_param(0))
"""


def may_leave_the_idle_class() -> bool:
    done = subprocess.run([sys.executable, "-c", TRY], capture_output=True, check=False)
    return done.returncode == 0


def usual_class() -> int:
    return os.SCHED_IDLE if may_leave_the_idle_class() else os.SCHED_BATCH


@pytest.mark.parametrize("command", ["BGSAVE", "BGREWRITEAOF"])
def test_its_class(command: str) -> None:
    usual = usual_class()
    with running("--rdbcompression", "no") as server:
        (worker,) = server.children()
        wait_until(lambda: os.sched_getscheduler(spare_of(worker)) == usual)
        with server.client() as client:
            for i in range(200):
                client.call("SET", f"key:{i}", os.urandom(65536))
            client.call("CONFIG", "SET", "rdb-key-save-delay", 20_000)
            client.call("DEBUG", "FAULT", "fork.writing:stop")
            client.call(command)
        writer = writer_of(worker)
        wait_until(lambda: is_stopped(writer))
        assert os.sched_getscheduler(writer) == usual
        assert os.getpriority(os.PRIO_PROCESS, writer) == NICENESS
        os.kill(writer, signal.SIGCONT)
        wait_until(lambda: os.sched_getscheduler(writer) == os.SCHED_BATCH)  # it gets too little
        assert os.sched_getscheduler(spare_of(worker)) == usual
        os.kill(writer, signal.SIGKILL)


def test_urgent_work_is_not_of_the_idle_class() -> None:
    share, usual = lib.wb_share_new(), usual_class()
    lib.background_try()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:

        def checked(*, urgent: bool) -> int:
            lib.background_check(share, child.pid, urgent)
            return os.sched_getscheduler(child.pid)

        def begun(*, urgent: bool) -> int:
            lib.background_watch(share, child.pid)
            return checked(urgent=urgent)

        wait_until(lambda: begun(urgent=False) == usual)
        assert begun(urgent=True) == os.SCHED_BATCH
        wait_until(lambda: begun(urgent=False) == usual)
        wait_until(lambda: checked(urgent=False) == os.SCHED_BATCH)  # it gets nothing
        child.communicate(b"\n")
    lib.background_check(share, child.pid, False)  # of one that is gone
    lib.wb_share_delete(share)
