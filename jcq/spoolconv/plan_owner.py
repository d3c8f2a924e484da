"""Whose an old request is on this node: pure.

Name and uid must agree here, and where only the uid was kept, nothing that the record says may contradict the account
which has that uid now: a request that would run as another user than its owner is never made.
"""

import os
from dataclasses import dataclass

from jcq.spoolconv.clean import clean


class Owners:
    """Finds owners.

    Args:
        facts: the `SiteFacts`.
        accounts: as `jcq.spoolconv.accounts.Accounts`.
        wishes: the `Wishes`.
    """

    def __init__(self, facts, accounts, wishes):
        self._facts, self._accounts, self._wishes = facts, accounts, wishes

    def of(self, old):
        """-> (Account, ""), or (None, why there is none), of an `OldRequest`."""
        account, reason = self._account(old)
        if account and not self._facts.as_root and account.uid != self._facts.uid:
            return None, f"the site runs without root and serves uid {self._facts.uid} only, not {account.uid}"
        return account, reason

    def _account(self, old):
        mapped = self._wishes.map_user.get(old.user) if old.user else None
        mapped = mapped or (self._wishes.map_user.get(str(old.uid)) if old.uid >= 0 else None)
        if mapped:
            found = self._accounts.by_name(mapped)
            return (found, "") if found else (None, f"there is no account {mapped} on this node")
        if old.user:
            return self._named(old)
        if old.uid < 0:
            return None, "nothing says whose it is"
        found = self._accounts.by_uid(old.uid)
        if found is None:
            if not self._facts.as_root and old.uid == self._facts.uid:
                return _Nameless(old.uid, max(old.gid, 0)), ""
            return None, f"uid {old.uid} has no account on this node (--map-user {old.uid}=NAME gives it to one)"
        logname = os.fsdecode((old.environment or {}).get(b"LOGNAME", b""))
        if old.uid and logname and logname != found.name:
            return None, (
                f"uid {old.uid} is {found.name} on this node, but its environment says that it was"
                f" {clean(logname)}'s (--map-user {old.uid}=NAME gives it to one)"
            )
        return found, ""

    def _named(self, old):
        user = clean(old.user)
        found = self._accounts.by_name(old.user)
        if found is None:
            return None, f"{user} has no account on this node (--map-user {user}=NAME gives it to one)"
        if old.uid >= 0 and found.uid != old.uid:
            return None, (
                f"{user} has uid {found.uid} on this node, but had {old.uid}"
                f" (--map-user {user}={user} says that it is the same person)"
            )
        return found, ""


@dataclass(frozen=True)
class _Nameless:
    """The uid of a site without root that has no account here, as qsub takes it."""

    uid: int
    gid: int
    name: str = ""
    home: str = ""
