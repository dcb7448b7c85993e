"""What `ps` shows of the server's processes."""

from pathlib import Path

from tests.harness.server import Server, running, wait_until


def title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()


def titles(server: Server) -> list[str]:
    """Of the front and the workers."""
    return [title(pid) for pid in (server.process.pid, *server.children())]


def test_processes_say_what_they_are_and_where_they_listen() -> None:
    with running(workers=2) as server:
        place = f"shmredis-server 127.0.0.1:{server.port}"
        assert titles(server) == [place, f"{place} worker 0", f"{place} worker 1"]
        for pid in (server.process.pid, *server.children()):
            assert Path(f"/proc/{pid}/comm").read_text() == "shmredis-server\n"


def test_the_template_can_be_changed() -> None:
    with running() as server, server.client() as client:
        assert (
            client.call("CONFIG", "SET", "proc-title-template", "{title} at {port}") == b"+OK\r\n"
        )
        text = f"shmredis-server at {server.port}"
        wait_until(lambda: titles(server) == [text, f"{text} worker 0"])
        refused = client.call("CONFIG", "SET", "proc-title-template", "{nothing}")
        assert b"template format is invalid or contains unknown variables" in refused
        assert client.value("CONFIG", "GET", "proc-title-template")[1] == b"{title} at {port}"


def test_the_command_line_may_stay() -> None:
    with running("--set-proc-title", "no") as server:
        assert f"--port\0{server.port}" in title(server.process.pid)
