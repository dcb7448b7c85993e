"""All users, as this worker knows them: changing them, and what changes mean for its clients."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any, Protocol

from shmredis._core import lib
from shmredis.acl.catalogue import Catalogue
from shmredis.acl.compiled import hand_down, new_handle
from shmredis.acl.journal import AllUsers, DroppedUsers, Record, SetUser, UserJournal
from shmredis.acl.user import User, digest_of
from shmredis.engine import Engine

__all__ = ["Client", "Users"]


class Client(Protocol):
    """A client of this worker as far as users go."""

    user: str

    @property
    def session(self) -> Any: ...

    def close(self) -> None: ...


class Users:
    """One of these in each worker, all with the same content: the journal's.

    Changes of others come in by `catch_up`, which they ask for.
    """

    def __init__(
        self,
        engine: Engine,
        journal: UserJournal,
        clients: Callable[[], Collection[Client]],
        open_channels: Callable[[], bool],
    ) -> None:
        """`open_channels`: whether acl-pubsub-default is allchannels."""
        self._engine = engine
        self._journal = journal
        self._clients = clients
        self._open_channels = open_channels
        self.catalogue = Catalogue(engine.commands())
        self._users: dict[str, User] = {}
        self._handles: dict[str, Any] = {}
        self._take(User.default(), None)
        lib.engine_set_default_user(engine.handle, self._handles["default"])

    # --- reading ---

    def get(self, name: str) -> User | None:
        return self._users.get(name)

    @property
    def default(self) -> User:
        return self._users["default"]

    def listed(self) -> list[User]:
        """In the order of their names."""
        return [self._users[name] for name in sorted(self._users, key=_raw_name)]

    def handle(self, name: str) -> Any:
        """The core's struct acl_user * of a user. Raises: KeyError."""
        return self._handles[name]

    def new(self, name: str) -> User:
        """A user as ACL SETUSER begins with one."""
        return User.new(name, open_channels=self._open_channels())

    def edited(self, user: User, rules: Iterable[str]) -> User:
        """The user after these modifiers. Raises: RuleError."""
        return user.changed(rules, self.catalogue, open_channels=self._open_channels())

    # --- changing: all workers have to catch up afterwards ---

    def begin(self, first: Callable[[], dict[str, User]]) -> None:
        """At the start of a worker: who there is; the first one of a server asks `first` who.

        Raises: what `first` raises.
        """
        with self._journal.held():
            if self._journal.is_empty:
                self._add(AllUsers(first()), None)
            else:
                self._follow(None)

    def change(self, name: str, rules: list[str], me: Client | None) -> None:
        """ACL SETUSER; `me` is the client that asked. Raises: RuleError, nothing has changed then."""
        with self._journal.held():
            self._follow(me)
            user = self.edited(self.get(name) or self.new(name), rules)
            self._add(SetUser(user), me)

    def drop(self, names: Iterable[str], me: Client | None) -> int:
        """ACL DELUSER; how many there were of them."""
        with self._journal.held():
            self._follow(me)
            known = [name for name in dict.fromkeys(names) if name in self._users]
            if known:
                self._add(DroppedUsers(known), me)
        return len(known)

    def replace_all(self, users: dict[str, User], me: Client | None) -> None:
        """ACL LOAD."""
        with self._journal.held():
            self._follow(me)
            self._add(AllUsers(users), me)

    def require_password(self, password: str) -> None:
        """CONFIG SET requirepass: the default user's only password; empty: nobody asks for one."""
        with self._journal.held():
            self._follow(None)
            digests = [digest_of(password)] if password else []
            user = replace(self.default, nopass=not password, passwords=digests)
            if user != self.default:
                self._add(SetUser(user), None)

    def catch_up(self, me: Client | None = None) -> None:
        """Learns what other workers have changed."""
        with self._journal.held():
            self._follow(me)

    def _follow(self, me: Client | None) -> None:
        for record in self._journal.news():
            self._apply(record, me)

    def _add(self, record: Record, me: Client | None) -> None:
        match record:
            case SetUser(user):
                record = SetUser(self._numbered(user))
            case AllUsers(users):
                record = AllUsers({name: self._numbered(user) for name, user in users.items()})
        self._apply(record, me)
        self._journal.add(record, self._users)

    def _numbered(self, user: User) -> User:
        known = self._users.get(user.name)
        number = known.number if known else 0
        return replace(user, number=number or self._journal.new_number())

    # --- what changes mean ---

    def _apply(self, record: Record, me: Client | None) -> None:
        match record:
            case SetUser(user):
                self._take(user, me)
            case DroppedUsers(names):
                self._forget(names, me)
            case AllUsers(users):
                self._forget([name for name in self._users if name not in users], me)
                for user in users.values():
                    self._take(user, me)

    def _take(self, user: User, me: Client | None) -> None:
        known = self._users.get(user.name)
        if known == user:
            return
        self._users[user.name] = user
        handle = self._handles.get(user.name)
        if handle is None:
            handle = self._handles[user.name] = new_handle(user.name)
        if user.number and not (known and known.number):
            lib.engine_know_user(self._engine.handle, handle, user.number)
        hand_down(handle, user, self.catalogue)
        if user.name == "default":
            self._engine.set_option("auth_required", int(user.needs_password))
        for client in self._clients_of({user.name}):
            lib.session_set_user(client.session, handle)
            if not lib.session_may_listen(client.session):
                _end(client, me)

    def _forget(self, names: Collection[str], me: Client | None) -> None:
        for client in self._clients_of(set(names)):
            _end(client, me)
        for name in names:
            del self._users[name]
            lib.engine_forget_user(self._engine.handle, self._handles.pop(name))

    def _clients_of(self, names: set[str]) -> list[Client]:
        found = [client for client in self._clients() if client.user in names]
        return [client for client in found if client.session is not None]

    # --- clients ---

    def log_in(self, client: Client, name: str) -> bool:
        """The client is this user from now on; False: there is no such user."""
        handle = self._handles.get(name)
        if handle is None:
            return False
        client.user = name
        lib.session_set_user(client.session, handle)
        return True

    def recompile(self) -> None:
        """Commands were added: rules that name categories may mean them, too."""
        self.catalogue = Catalogue(self._engine.commands())
        for name, user in self._users.items():
            hand_down(self._handles[name], user, self.catalogue)


def _raw_name(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _end(client: Client, me: Client | None) -> None:
    """Closes the connection; that of the client that asked for it when it has its reply."""
    if client is me:
        lib.session_set_flag(client.session, lib.SESSION_CLOSING, True)
    else:
        client.close()
