"""The journal of users: read from anywhere, written anew when it has grown."""

import os
import signal
from collections.abc import Iterator

import pytest

from shmredis.acl import journal as module
from shmredis.acl.errors import UsersBusy
from shmredis.acl.journal import AllUsers, DroppedUsers, SetUser, UserJournal
from shmredis.acl.table import Users
from shmredis.acl.user import User
from tests.commands.python_commands import FakeServer


@pytest.fixture
def journal() -> Iterator[UserJournal]:
    made = UserJournal()
    yield made
    made.close()


def other_process(journal: UserJournal) -> UserJournal:
    """The same memory, with what another process has read of it: nothing."""
    other = UserJournal()
    other.close()
    other._head, other._bodies = journal._head, journal._bodies
    return other


def everybody(*names: str) -> dict[str, User]:
    return {"default": User.default()} | {name: User(name) for name in names}


def test_what_one_process_adds_others_read_once(journal: UserJournal) -> None:
    other = other_process(journal)
    assert journal.is_empty
    journal.add(AllUsers(everybody()), everybody())
    journal.add(SetUser(User("a")), everybody("a"))
    assert not other.is_empty
    assert other.news() == [AllUsers(everybody()), SetUser(User("a"))]
    other.add(DroppedUsers(["a"]), everybody())
    assert other.news() == []
    assert journal.news() == [DroppedUsers(["a"])]


def test_it_says_whether_the_default_user_needs_a_password(journal: UserJournal) -> None:
    assert journal.default_is_nopass
    users = everybody()
    users["default"].nopass = False
    journal.add(SetUser(users["default"]), users)
    assert not journal.default_is_nopass


def test_a_worker_that_is_stopped_with_the_lock_does_not_stop_the_others(
    journal: UserJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_S", 0.05)
    holds, ends = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        with journal.held():
            os.write(holds[1], b"x")
            os.read(ends[0], 1)
        os._exit(0)
    os.read(holds[0], 1)
    with pytest.raises(UsersBusy), journal.held():
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with journal.held():  # the kernel has dropped it
        journal.add(AllUsers(everybody()), everybody())
    for fd in (*holds, *ends):
        os.close(fd)


def test_numbers_are_given_once(journal: UserJournal) -> None:
    other = other_process(journal)
    assert [journal.new_number(), other.new_number(), journal.new_number()] == [1, 2, 3]


def test_it_does_not_grow_for_ever(journal: UserJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOM", 2000)
    other, late = other_process(journal), other_process(journal)
    users = everybody()
    for i in range(500):
        user = User("a", passwords=[f"{i:064}"])
        users["a"] = user
        journal.add(SetUser(user), users)
        if i % 3 == 0:
            other.news()
    assert other.news()[-1] in (AllUsers(users), SetUser(users["a"]))
    seen: dict[str, User] = {}
    for record in late.news():
        match record:
            case AllUsers(all_users):
                seen = dict(all_users)
            case SetUser(user):
                seen[user.name] = user
    assert seen == users
    assert sum(os.fstat(fd).st_size for fd in journal._bodies) < 20_000


def test_tables_of_one_journal_are_the_same(
    journal: UserJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOM", 3000)
    servers = [FakeServer(1) for _ in range(3)]
    tables = [
        Users(server.engine, other_process(journal), server.clients.values, lambda: False)
        for server in servers
    ]
    for table in tables:
        table.begin(everybody)
    for i in range(60):
        table = tables[i % 3]
        table.change(f"u{i % 7}", ["+get", f"~{i}", f">{i}"], None)
        if i % 10 == 9:
            table.drop([f"u{i % 4}"], None)
    for table in tables:
        table.catch_up()
    lines = [[str(user) for user in table.listed()] for table in tables]
    assert lines[0] == lines[1] == lines[2]
    numbers = [user.number for user in tables[0].listed()]
    assert len(set(numbers)) == len(numbers)
    assert all(numbers)
    assert [u.number for u in tables[1].listed()] == numbers
    for server in servers:
        server.close()
