"""Users in files and in the configuration, bad ones too; and hostile clients."""

import os
import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.test_config import refused
from tests.harness.resp import Client, encode
from tests.harness.server import Server, running

StartServer = Callable[..., Server]
DEFAULT = b"user default on nopass sanitize-payload ~* &* +@all"


def listed(client: Client) -> list[bytes]:
    return list(client.value("ACL", "LIST"))


@pytest.mark.parametrize("workers", [1, 3])
def test_users_come_from_a_file_and_go_there(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "users.acl"
    path.write_text("# people\n\n   #x\nuser ann on >pw ~* +@all &a\nuser bob  off (+get ~x ) \r\n")
    with ExitStack() as stack:
        server = stack.enter_context(running("--aclfile", str(path), workers=workers))
        admin, ann, eve = (stack.enter_context(server.client()) for _ in range(3))
        assert [line.split()[1] for line in listed(admin)] == [b"ann", b"bob", b"default"]
        assert ann.call("AUTH", "ann", "pw") == b"+OK\r\n"
        ann.call("SUBSCRIBE", "a")
        admin.call("ACL", "SETUSER", "eve", "on", "nopass", "+@all", "~*")
        assert eve.call("AUTH", "eve", "x") == b"+OK\r\n"
        admin.call("ACL", "SETUSER", "ann", ">other")
        assert admin.call("ACL", "LOAD") == b"+OK\r\n"
        assert ann.call("PING") == b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
        with pytest.raises(ConnectionError):
            eve.call("PING")
        admin.call("ACL", "SETUSER", "zoe", "on", ">z", "%R~a", "(+get ~b)")
        admin.call("ACL", "DELUSER", "bob")
        assert admin.call("ACL", "SAVE") == b"+OK\r\n"
        saved = path.read_bytes().splitlines()
        assert saved == listed(admin)
        assert admin.call("ACL", "LOAD") == b"+OK\r\n"
        assert listed(admin) == saved
        path.write_text("user ann on >pw ~* +@all &b\n")
        admin.call("ACL", "LOAD")
        with pytest.raises(ConnectionError):  # the channel is no longer hers
            ann.call("PING")
        assert stat.S_ISREG(path.stat().st_mode)


def test_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    path.write_text("user ann on\n")
    with running("--aclfile", str(path)) as server, server.client() as admin:
        before = listed(admin)
        path.write_text(
            "user a on >x +nosuch foo\nuser b on\nuser b on\nuser\nUSER e on\nuser f #zz (+get\n"
            "user g on\t~x\n"
        )
        where = str(path)
        assert admin.call("ACL", "LOAD").decode() == (
            f"-ERR {where}:1: Error in applying operation '+nosuch': Unknown command or category name "
            f"in ACL. {where}:1: Syntax error. WARNING: Duplicate user 'b' found on line 3. "
            f"{where}:4 should start with user keyword followed by the username. "
            f"{where}:5 should start with user keyword followed by the username. "
            f"{where}:6: Unmatched parenthesis in selector definition. {where}:7: Syntax error. "
            "WARNING: ACL errors detected, no change to the previously active ACL rules was "
            "performed\r\n"
        )
        path.unlink()
        assert admin.call("ACL", "LOAD").decode() == (
            f"-ERR Error loading ACLs, opening file '{where}': No such file or directory\r\n"
        )
        path.mkdir()
        assert admin.call("ACL", "SAVE") == (
            b"-ERR There was an error trying to save the ACLs. Please check the server logs for more "
            b"information\r\n"
        )
        assert listed(admin) == before
        assert [entry.name for entry in tmp_path.iterdir()] == ["users.acl"]


def test_without_a_file_there_is_nothing_to_load_or_save(client: Client) -> None:
    for words in ("LOAD", "SAVE"):
        assert client.call("ACL", words).startswith(
            b"-ERR This Redis instance is not configured to use an ACL file. You may want to specify"
        )


@pytest.mark.parametrize("workers", [1, 3])
def test_users_of_the_configuration(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "shmredis.conf"
    path.write_text(
        '# head\nsave ""\nuser zed on >x ~a +get\nrequirepass foo\nuser bob off nopass (+get ~x) &c\n'
        "# tail\n"
    )
    with running(config=path, workers=workers) as server, server.client() as admin:
        assert admin.call("AUTH", "foo") == b"+OK\r\n"
        assert [line.split()[1] for line in listed(admin)] == [b"bob", b"default", b"zed"]
        assert server.log().count("The user 'bob' is disabled (there is no 'on' modifier") == 1
        admin.call("ACL", "SETUSER", "new", "on", ">p", "(+set ~y)", "%R~z")
        admin.call("ACL", "DELUSER", "bob")
        assert admin.call("CONFIG", "REWRITE") == b"+OK\r\n"
        expected = listed(admin)
        lines = path.read_bytes().splitlines()
        assert [line for line in lines if line.startswith(b"user ")] == expected
        assert lines.index(b"# head") < lines.index(expected[0]) < lines.index(b"# tail")
    # this server's folder is gone
    path.write_bytes(b"\n".join(line for line in lines if not line.startswith(b"dir ")))
    with running(config=path, workers=workers) as server, server.client() as admin:
        assert admin.call("AUTH", "foo") == b"+OK\r\n"
        assert listed(admin) == expected


def test_a_declared_default_user_wins_over_requirepass(tmp_path: Path) -> None:
    path = tmp_path / "shmredis.conf"
    path.write_text('save ""\nrequirepass x\nuser default on nopass +@all ~* &*\n')
    with running(config=path) as server, server.client() as client:
        assert listed(client) == [DEFAULT]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("user alice on foo", "Error in user declaration 'alice': Syntax error"),
        (
            "user alice on\nuser alice off",
            "Error in user declaration 'alice': Duplicate user found. A user can only be defined once "
            "in config files",
        ),
        ("user", "Bad directive or wrong number of arguments"),
        (
            "user alice on +nosuch",
            "Error loading ACL rule '+nosuch' for the user named 'alice': Unknown command or category "
            "name in ACL",
        ),
        ('user "a b" on', "Spaces not allowed in ACL usernames"),
        (
            "aclfile /nowhere/x.acl\nuser bob on",
            "please define either an ACL file or declare users",
        ),
        (
            "aclfile /nowhere/x.acl",
            "Aborting Redis startup because of ACL errors: Error loading ACLs, opening file "
            "'/nowhere/x.acl': No such file or directory",
        ),
    ],
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_does_not_start_with_bad_users(
    tmp_path: Path, text: str, why: str, workers: str
) -> None:
    path = tmp_path / "shmredis.conf"
    path.write_text(f'save ""\nport 0\nunixsocket {tmp_path}/s\ndir {tmp_path}\n{text}\n')
    name = f"shmredis-test-{os.getpid()}-{tmp_path.name}"
    said = refused(str(path), "--workers", workers, "--shm-name", name)
    assert why in said, said
    assert not list(Path("/dev/shm").glob(f"{name}*"))


# --- hostile ---


def test_globs_take_no_more_than_pattern_times_key(start_server: StartServer) -> None:
    """Each of these would take longer than the universe lasts, by trying all ways."""
    server = start_server()
    with server.client() as admin, server.client() as client:
        patterns = ["*a" * 60 + "b", "*?" * 200 + "b", "[a-z]*" * 100 + "!", "*" * 2000 + "b"]
        rules = [f"~{pattern}" for pattern in patterns] + [f"&{pattern}" for pattern in patterns]
        assert admin.call("ACL", "SETUSER", "u", "on", "nopass", "+@all", *rules) == b"+OK\r\n"
        assert client.call("AUTH", "u", "x") == b"+OK\r\n"
        assert client.call("GET", "a" * 5000)[:7] == b"-NOPERM"
        assert client.call("GET", "a" * 5000 + "b") == b"$-1\r\n"
        assert client.call("PUBLISH", "a" * 5000, "x")[:7] == b"-NOPERM"


def test_what_is_refused_may_be_large_or_strange(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as admin, server.client() as client:
        admin.call("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~k")
        client.call("AUTH", "u", "x")
        for key in (b"x" * 3_000_000, b"\r\n\0\xff", b""):
            assert client.call("GET", key) == b"-NOPERM No permissions to access a key\r\n"
        client.call("MGET", *[f"k{i}" for i in range(5000)])
        client.call("AUTH", b"\xff\r\n" * 1000, b"\xfe")
        assert len(admin.call("ACL", "LOG", 100)) < 40_000
        for name in (b"\xff\xfe", b"quoted'\"name", "ü".encode(), b"u" * 20_000):
            assert admin.call("ACL", "SETUSER", name, "on", "nopass", "+ping") == b"+OK\r\n"
            with server.client() as other:
                assert other.call("AUTH", name, "x") == b"+OK\r\n"
                assert name in other.call("ACL", "LIST")
                assert other.call("PING") == b"+PONG\r\n"
            assert admin.value("ACL", "GETUSER", name)
        for name in (b"a b", b"a\0b", b"a\nb"):
            assert admin.call("ACL", "SETUSER", name)[:4] == b"-ERR"
        assert admin.call("PING") == b"+PONG\r\n"


def test_thousands_of_users_and_rules(start_server: StartServer) -> None:
    server = start_server(workers=2)
    with server.client() as admin:
        admin.send(b"".join(encode("ACL", "SETUSER", f"u{i}", "on", f"~{i}") for i in range(2000)))
        assert {admin.read() for _ in range(2000)} == {b"+OK\r\n"}
        many = [f"~{i}" for i in range(5000)]
        assert admin.call("ACL", "SETUSER", "many", "on", "nopass", "+@all", *many) == b"+OK\r\n"
        with server.client() as client:
            client.call("AUTH", "many", "x")
            assert client.call("GET", "4999") == b"$-1\r\n"
            assert client.call("GET", "5000")[:7] == b"-NOPERM"
        assert len(admin.value("ACL", "USERS")) == 2002
        names = [f"u{i}" for i in range(2000)]
        assert admin.call("ACL", "DELUSER", *names) == b":2000\r\n"
