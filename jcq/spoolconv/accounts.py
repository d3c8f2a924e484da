"""Who the owners of old requests are on this node."""

import grp
import os
import pwd
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Account:
    """A login name with its ids."""

    name: str
    uid: int
    gid: int


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
        found = Accounts.by_uid(int(text)) if text.isascii() and text.isdigit() else Accounts.by_name(text)
        return f"{found.name}:{found.uid}" if found else None

    @staticmethod
    @cache
    def group_entry(text):
        """-> `name:gid` of a group, given by name or number; None where there is none."""
        try:
            found = grp.getgrgid(int(text)) if text.isascii() and text.isdigit() else grp.getgrnam(text)
        except (KeyError, OverflowError, ValueError):
            return None
        return f"{found.gr_name}:{found.gr_gid}"


def _account(entry):
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def own_uid():
    """The uid that this process runs as."""
    return os.geteuid()
