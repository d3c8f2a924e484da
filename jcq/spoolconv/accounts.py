"""Who the owners of old requests are on this node."""

import grp
import os
import pwd
from dataclasses import dataclass
from functools import cache

_ID_MAX = 2**32 - 2


@dataclass(frozen=True)
class Account:
    """A login name with its ids, and HOME on this node."""

    name: str
    uid: int
    gid: int
    home: str = ""


class Accounts:
    """Looks accounts up, each once. A test has others."""

    @staticmethod
    @cache
    def by_name(name):
        """-> Account, or None."""
        try:
            return _account(pwd.getpwnam(name))
        except (KeyError, ValueError):
            return None

    @staticmethod
    @cache
    def by_uid(uid):
        """-> Account, or None."""
        try:
            return _account(pwd.getpwuid(uid))
        except (KeyError, OverflowError):
            return None

    @staticmethod
    @cache
    def user_entry(text):
        """-> `name:uid` of a user, given by name or number, as access lists keep it; None where there is none."""
        number = _number(text)
        found = Accounts.by_name(text) if number is None else Accounts.by_uid(number)
        # As in qmgr a number is an id, whether it has a name or not.
        return f"{found.name}:{found.uid}" if found else _nameless(number)

    @staticmethod
    @cache
    def group_entry(text):
        """-> `name:gid` of a group, given by name or number; None where there is none."""
        number = _number(text)
        try:
            found = grp.getgrnam(text) if number is None else grp.getgrgid(number)
        except (KeyError, OverflowError, ValueError):
            return _nameless(number)
        return f"{found.gr_name}:{found.gr_gid}"


def _number(text):
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _nameless(number):
    return None if number is None or number > _ID_MAX else f"{number}:{number}"


def _account(entry):
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def own_uid():
    """The uid that this process runs as."""
    return os.geteuid()
