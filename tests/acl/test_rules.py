"""Rules of users: what is written, what is kept, what follows; shmredis/acl/selector.py and user.py."""

import pytest
from hypothesis import given, strategies as st

from shmredis.acl.catalogue import Catalogue
from shmredis.acl.errors import RuleError, UnmatchedParenthesis
from shmredis.acl.user import User, digest_of, join_selectors
from tests.commands.python_commands import FakeServer

_server = FakeServer(1)
CATALOGUE = Catalogue(_server.engine.commands())
_server.close()

COMMANDS = ["get", "set", "config", "config|get", "select", "select|0", "object|encoding", "acl"]
CATEGORIES = ["@read", "@write", "@dangerous", "@keyspace", "@all"]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters=" \t\n\v\f\r\0"), max_size=6)

patterns = st.sampled_from(["~", "%R~", "%W~", "%RW~"]).flatmap(lambda p: TEXT.map(p.__add__))
channels = TEXT.map("&".__add__)
commands = st.sampled_from(["+", "-"]).flatmap(
    lambda sign: st.sampled_from(COMMANDS + CATEGORIES).map(sign.__add__)
)
words = st.sampled_from(["allkeys", "resetkeys", "allchannels", "resetchannels", "nocommands"])
parts = st.one_of(patterns, channels, commands, words)
# A selector ends with a word's parenthesis: none within.
selectors = st.lists(parts.filter(lambda p: not set("()") & set(p)), max_size=4).map(
    lambda rules: f"({' '.join(rules)})"
)
logins = st.sampled_from(
    ["on", "off", "nopass", "resetpass", ">a", ">b", "reset", "clearselectors"]
)
rules = st.lists(st.one_of(parts, selectors, logins), max_size=12)


def user_of(words: list[str]) -> User:
    """The user after these rules, without those that are refused."""
    user = User.new("u", open_channels=False)
    for word in words:
        try:
            user = user.changed([word], CATALOGUE, open_channels=False)
        except RuleError:
            continue
    return user


def from_line(line: str) -> User:
    _, name, *words = line.split(" ")
    user = User.new(name, open_channels=False)
    return user.changed(join_selectors(words), CATALOGUE, open_channels=False)


@given(rules)
def test_a_users_line_makes_the_same_user_again(words: list[str]) -> None:
    user = user_of(words)
    again = from_line(str(user))
    pairs = zip([user.root, *user.selectors], [again.root, *again.selectors], strict=True)
    for one, two in pairs:
        assert one.compiled(CATALOGUE) == two.compiled(CATALOGUE)
        if "*" in [key.text for key in one.keys if key.permission == 3]:
            assert two.all_keys  # said in more words than needed
        else:
            assert str(one) == str(two)
    assert (user.flags, user.passwords) == (again.flags, again.passwords)
    assert str(from_line(str(again))) == str(again)


@given(rules)
def test_a_refused_rule_changes_nothing(words: list[str]) -> None:
    user = user_of(words)
    before = str(user)
    for bad in ("foo", "+nosuch", "%X~a", "!zz", "<nosuch", "(+nosuch)", "+config|get|x", "~a b"):
        with pytest.raises(RuleError) as caught:
            user.changed(["on", "~ok", bad], CATALOGUE, open_channels=False)
        assert caught.value.rule == bad or user.root.all_keys
    assert str(user) == before


@given(st.text(max_size=40))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    user_of([text])
    user_of([f"({text})"])


def test_words_of_a_selector_are_joined() -> None:
    assert join_selectors(["on", "(+get", "~x", ")", "off"]) == ["on", "(+get ~x )", "off"]
    assert join_selectors(["(a)", "(", ")"]) == ["(a)", "( )"]
    with pytest.raises(UnmatchedParenthesis, match=r"^\(b$"):
        join_selectors(["(a)", "(b", "c"])


def test_later_rules_win_and_replace_earlier_ones() -> None:
    user = user_of(["+@all", "-@dangerous", "+config|get", "+get", "-get"])
    assert user.root.commands_text == "+@all -@dangerous +config|get -get"
    allowed = user.root.compiled(CATALOGUE).bits
    assert allowed >> CATALOGUE.row("config|get") & 1
    assert not allowed >> CATALOGUE.row("config|set") & 1
    assert not allowed >> CATALOGUE.row("get") & 1
    assert user_of(["+@all", "+config|get", "-config"]).root.commands_text == "+@all -config"


def test_a_user_is_free_if_nothing_was_ever_taken() -> None:
    assert User.default().is_free
    assert user_of(["+@all", "~*", "&*"]).is_free
    assert user_of(["+@all", "~*", "&*", "+get"]).is_free
    for words in (["-get"], ["~a", "resetkeys"], ["resetchannels"], ["-@all"]):
        assert not user_of(["+@all", "~*", "&*", *words]).is_free


def test_passwords_are_kept_as_digests() -> None:
    user = user_of(["on", ">one", ">two", ">one"])
    assert user.passwords == [digest_of("one"), digest_of("two")]
    assert user.admits("one")
    assert user.admits("two")
    assert not user.admits("three")
    assert not user.admits("")
    assert not user_of([">one"]).admits("one")  # off
    assert user_of(["on", ">one", "nopass"]).admits("anything")
    assert not user_of(["on", "nopass", ">one"]).admits("anything")
    assert user_of(["on", ">\udcff"]).admits("\udcff")


def test_every_command_is_in_some_category() -> None:
    everything = 0
    for name in ("read", "write", "fast", "slow"):
        everything |= CATALOGUE.category(name) or 0
    assert everything == CATALOGUE.everything
