"""What the core needs of a user: bits of commands, patterns, first arguments (csrc/net/acl.h)."""

from typing import Any

from shmredis._core import ffi, lib
from shmredis.acl.catalogue import Catalogue
from shmredis.acl.selector import Selector
from shmredis.acl.user import User

__all__ = ["hand_down", "new_handle"]

WORD = 64
_ALL_ONES = (1 << WORD) - 1


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def new_handle(name: str) -> Any:
    """A struct acl_user * that may do nothing yet; released when Python forgets it."""
    raw = _raw(name)
    return ffi.gc(lib.acl_user_new(raw, len(raw)), lib.acl_user_release)


def hand_down(handle: Any, user: User, catalogue: Catalogue) -> None:
    """The user's rules become those of the handle, for all sessions that have it."""
    selectors = [user.root, *user.selectors]
    lib.acl_user_define(handle, user.is_free, user.skips_sanitizing, len(selectors))
    for i, selector in enumerate(selectors):
        _hand_down_selector(handle, i, selector, catalogue)


def _hand_down_selector(handle: Any, i: int, selector: Selector, catalogue: Catalogue) -> None:
    allowed = selector.compiled(catalogue)
    words = []
    left = allowed.bits
    while left:
        words.append(left & _ALL_ONES)
        left >>= WORD
    lib.acl_user_commands(handle, i, words, len(words))
    lib.acl_user_open(handle, i, selector.all_keys, selector.all_channels)
    for row, word in allowed.first_args:
        raw = _raw(word)
        lib.acl_user_first_arg(handle, i, row, raw, len(raw))
    for key in selector.keys:
        raw = _raw(key.text)
        lib.acl_user_key(handle, i, int(key.permission), raw, len(raw))
    for channel in selector.channels:
        raw = _raw(channel)
        lib.acl_user_channel(handle, i, raw, len(raw))
