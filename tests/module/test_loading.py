"""Modules come and go: at the start, while the server runs, and with workers that die."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.ports import free_port
from tests.harness.server import ROOT, Server, wait_until
from tests.module.conftest import SOURCE
from tests.workers.places import key_of

Start = Callable[..., Server]


def write_module(path: Path, name: str, *commands: str, body: str = "return 1") -> Path:
    lines = ["from shmredis.module import Context, Module", f"module = Module({name!r})"]
    for command in commands:
        lines += [f"@module.command({command!r}, arity=1)", "def run(ctx):", f"    {body}"]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_load_and_unload(start: Start) -> None:
    server = start()
    with server.client() as client:
        assert client.value("MODULE", "LIST") == []
        assert b"unknown command" in client.call("SAMPLE.GREET")
        assert client.call("MODULE", "LOAD", str(SOURCE), "a", "b") == b"+OK\r\n"
        assert client.value("SAMPLE.GREET") == b"a b"
        facts = [
            b"name",
            b"sample",
            b"ver",
            7,
            b"path",
            str(SOURCE).encode(),
            b"args",
            [b"a", b"b"],
        ]
        assert client.value("MODULE", "LIST") == [facts]
        for worker in range(3):  # each of them knows it, and it can be asked for by any key
            key = key_of(worker)
            client.call("SET", key, 3)
            assert client.value("SAMPLE.SUM", 1, key) == 3
        client.call("MULTI")
        client.call("SAMPLE.GREET")
        with server.client() as other:
            assert other.call("MODULE", "UNLOAD", "sample") == b"+OK\r\n"
            assert b"unknown command" in other.call("SAMPLE.GREET")
        assert "unknown command" in str(client.value("EXEC"))
        assert client.call("MODULE", "UNLOAD", "sample").startswith(
            b"-ERR Error unloading module: no such"
        )
        assert client.call("MODULE", "LOADEX", str(SOURCE), "ARGS", "again") == b"+OK\r\n"
        assert client.value("SAMPLE.GREET") == b"again"


def test_users_may_use_what_comes_later(start: Start) -> None:
    server = start()
    with server.client() as client:
        client.call("ACL", "SETUSER", "all", "on", "nopass", "+@all", "-@dangerous", "allkeys")
        client.call("MODULE", "LOAD", str(SOURCE))
        client.call("ACL", "SETUSER", "one", "on", "nopass", "+sample.greet")
    for user, allowed in (("all", True), ("one", True)):
        with server.client() as client:
            client.call("AUTH", user, "x")
            assert (client.value("SAMPLE.GREET") == b"hello") == allowed
            assert client.call("SAMPLE.KEEP").startswith(b"+OK") == (user == "all")


def test_not_without_leave(start_server: Start) -> None:
    with start_server().client() as client:
        for words in (["LOAD", str(SOURCE)], ["UNLOAD", "x"], ["LOADEX", str(SOURCE)]):
            assert client.call("MODULE", *words).startswith(b"-ERR MODULE command not allowed.")


BROKEN = {
    "a syntax error": "def",
    "an exception": "1 / 0",
    "no module": "x = 1",
    "two modules": "from shmredis.module import Module\na, b = Module('a'), Module('b')",
    "a name that is taken": "from shmredis.module import *\nm = Module('m')\n"
    "@m.command('GET', arity=2)\ndef get(ctx): return 1",
    "half of it": "from shmredis.module import *\nm = Module('m')\n"
    "@m.command('HALF', arity=2)\ndef half(ctx): return 1\n"
    "@m.command('SET', arity=2)\ndef get(ctx): return 1",
    "no category": "from shmredis.module import *\nm = Module('m')\n"
    "@m.command('X', arity=2, acl='nonsense')\ndef x(ctx): return 1",
    "a coroutine": "from shmredis.module import *\nm = Module('m')\n"
    "@m.command('X', arity=2)\nasync def x(ctx): return 1",
    "an end": "raise SystemExit",
}


def test_what_cannot_be_loaded_changes_nothing(start: Start, tmp_path: Path) -> None:
    server = start()
    with server.client() as client:
        count = client.value("COMMAND", "COUNT")
        for i, source in enumerate(BROKEN.values()):
            path = tmp_path / f"broken{i}.py"
            path.write_text(source)
            assert client.call("MODULE", "LOAD", str(path)).startswith(b"-ERR Error loading"), (
                source
            )
        for words in ((str(SOURCE), "refuse"), (str(tmp_path / "none.py"),), ("/bin/true",)):
            assert client.call("MODULE", "LOAD", *words).startswith(b"-ERR Error loading")
        assert client.value("COMMAND", "COUNT") == count
        assert client.value("MODULE", "LIST") == []
        assert b"unknown command" in client.call("HALF", "x")
        assert client.call("MODULE", "LOAD", str(SOURCE)) == b"+OK\r\n"
        assert client.call("MODULE", "LOAD", str(SOURCE)).startswith(b"-ERR Error loading")
    assert "refused on purpose" in server.log()
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_server_does_not_start_without_its_module(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "broken.py"
    path.write_text("1 / 0")
    argv = [sys.executable, "-m", "shmredis.front.main", "--port", str(free_port()), "--bind"]
    argv += [
        "127.0.0.1",
        "--dir",
        str(tmp_path),
        "--workers",
        str(workers),
        "--loadmodule",
        str(path),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        argv, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 1
    assert f"Can't load module from {path}: {path}: ZeroDivisionError" in done.stdout + done.stderr


def test_a_worker_that_is_brought_back_has_it(start: Start, tmp_path: Path) -> None:
    extra = write_module(tmp_path / "extra.py", "extra", "EXTRA.PING", body="return 'pong'")
    server = start("--loadmodule", str(SOURCE), "first")
    with server.client() as client:
        assert client.call("MODULE", "LOAD", str(extra)) == b"+OK\r\n"
    before = server.children()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: len(server.children()) == len(before) and not {*before} & {*server.children()}
    )
    wait_until(server.answers)
    with server.client() as client:
        for worker in range(3):
            assert client.value("SAMPLE.SUM", 1, key_of(worker)) == 0
        assert client.value("SAMPLE.GREET") == b"first"
        assert client.value("EXTRA.PING") == b"pong"
        client.call("MODULE", "UNLOAD", "sample")
        assert [facts[1] for facts in client.value("MODULE", "LIST")] == [b"extra"]


def test_config_rewrite_names_them(start_server: Start, tmp_path: Path) -> None:
    config = tmp_path / "conf"
    gone = write_module(tmp_path / "gone.py", "gone", "GONE")
    config.write_text(f"enable-module-command yes\nsave ''\nloadmodule {gone}\n# end\n")
    server = start_server(config=config)
    with server.client() as client:
        client.call("MODULE", "LOAD", str(SOURCE), "two words")
        client.call("MODULE", "UNLOAD", "gone")
        assert client.call("CONFIG", "REWRITE") == b"+OK\r\n"
    lines = config.read_text().splitlines()
    assert [line for line in lines if line.startswith("loadmodule")] == [
        f'loadmodule {SOURCE} "two words"'
    ]


def test_what_it_changes_is_logged_as_one(start: Start) -> None:
    server = start("--loadmodule", str(SOURCE), "--appendonly", "yes", "--warm-restart", "no")
    keys = [key_of(worker) for worker in range(3)]
    with server.client() as client:
        client.call("SET", keys[0], 10)
        client.call("SAMPLE.MOVE", keys[0], keys[0] + "{" + keys[0] + "}", 3)
        client.call("SAMPLE.MOVE", keys[0], keys[1], 3)
        client.call("SAMPLE.FAIL", keys[2], "exception")
        before = client.value("DEBUG", "DIGEST")
        assert client.call("DEBUG", "LOADAOF") == b"+OK\r\n"
        assert client.value("DEBUG", "DIGEST") == before
        assert client.value("GET", keys[0]) == b"4"
        assert client.value("GET", keys[2]) == b"written"
    logs = b"".join(path.read_bytes() for path in server.dir.rglob("*.incr.aof"))
    assert b"SAMPLE" not in logs
    assert b"MULTI" in logs
