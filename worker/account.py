"""Under which account a request runs on this node: looked up by uid, never by name (manual 2.2.1)."""

import os
import pwd
from dataclasses import dataclass

from worker.errors import AccountRefused

_DEFAULT_SHELL = "/bin/sh"


@dataclass(frozen=True)
class Account:
    """Who the job is: ids, groups, HOME and login shell on this node."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str


def account_of(request, own_uid):
    """Find the account of a request's owner.

    Args:
        request: its `uid`, `user` and, without root, `gid` and `home` of the submission.
        own_uid: the worker's effective uid; 0 may run for everyone, others for themselves only.
    Raises:
        AccountRefused: the uid is unknown here, has another name than at submission, or is not ours to become.
    """
    if own_uid not in (0, request.uid):
        raise AccountRefused(reason=f"without root this site runs requests of uid {own_uid} only")
    try:
        entry = pwd.getpwuid(request.uid)
    except KeyError:
        if own_uid == 0 or request.user:
            raise AccountRefused(reason=f"uid {request.uid} ({request.user}) is unknown on this node") from None
        return Account(
            str(request.uid), request.uid, request.gid, tuple(os.getgroups()), request.home or "/", _DEFAULT_SHELL
        )
    if entry.pw_name != request.user:
        raise AccountRefused(
            reason=f"uid {request.uid} is {entry.pw_name} on this node but was {request.user} at submission"
        )
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid)) if own_uid == 0 else tuple(os.getgroups())
    return Account(
        entry.pw_name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir or "/", entry.pw_shell or _DEFAULT_SHELL
    )
