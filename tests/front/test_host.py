"""CPUs, out-of-memory scores and supervisors: what the system is told."""

import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from shmredis.front.host import cpus_of, tell_supervisor
from shmredis.log import Syslog
from tests.harness.server import running


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0", {0}), ("0-3", {0, 1, 2, 3}), ("0-7:2", {0, 2, 4, 6}), ("1,3,5-6", {1, 3, 5, 6})],
)
def test_lists_of_cpus(text: str, cpus: set[int]) -> None:
    assert cpus_of(text) == cpus


@pytest.mark.parametrize("text", ["", "a", "1-", "1,,2", "0-3:x"])
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        cpus_of(text)


def test_all_processes_run_on_the_cpus_given() -> None:
    cpu = min(os.sched_getaffinity(0))
    with running("--server-cpulist", str(cpu), workers=2) as server:
        for pid in (server.process.pid, *server.children()):
            assert os.sched_getaffinity(pid) == {cpu}


def test_scores_hold_for_all_processes() -> None:
    with running(
        "--oom-score-adj", "absolute", "--oom-score-adj-values", "300", "400", "500"
    ) as server:
        files = [
            Path(f"/proc/{pid}/oom_score_adj") for pid in (server.process.pid, *server.children())
        ]
        assert [file.read_text() for file in files] == ["300\n", "300\n"]


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        path = str(tmp_path / "notify")
        listener.bind(path)
        listener.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        tell_supervisor("no")
        tell_supervisor("systemd")
        assert b"READY=1\n" in listener.recv(4096)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.recv(4096)


def test_upstart_sees_the_process_stop() -> None:
    code = "from shmredis.front.host import tell_supervisor; tell_supervisor('upstart')"
    environment = os.environ | {"UPSTART_JOB": "shmredis"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 0


def test_without_upstart_nothing_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPSTART_JOB", raising=False)
    tell_supervisor("upstart")


def test_syslog_lines(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "log"))
        listener.settimeout(10)
        handler = Syslog("redis", "local3").handler(str(tmp_path / "log"))
        handler.handle(logging.makeLogRecord({"msg": "hello", "levelname": "WARNING"}))
        line = listener.recv(4096)
        handler.close()
    assert line.startswith(b"<%d>redis[%d]: hello" % (19 << 3 | 4, os.getpid()))
