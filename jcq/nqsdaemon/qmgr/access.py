"""qmgr's commands about who may submit to a queue.

A new queue has unrestricted access; `set no_access` shuts it, and then `add users`, `add groups` let some in, as in
NQS, which refuses to add to unrestricted access. The list holds for everyone, root and managers too. A request's
group is that of its account (as NQS compares the request's gid), so supplementary groups do not count. Ids are looked
up when they are added, and names are what is shown. What is in a queue already stays.
"""

import grp
import pwd

from jcq.nqsdaemon.errors import NoSuchAccount, NoSuchGroup

ID_MAX = 2**32 - 2


def _edit(kind, mode):
    def change(values, call, desk):
        """Change a list, all or none. Raises as `Store.edit_access`; NoSuchAccount, NoSuchGroup where one is added."""
        entries = [entry_of(kind, name, mode == "add") for name in values["accounts"]]
        yield desk.store.edit_access(values["queue"], kind, mode, entries)
        return []

    return change


def entry_of(kind, name, must_exist):
    """`name:id`; a number is an id, whether it has a name or not. Without `must_exist`, an unknown name has no id."""
    if name.isascii() and name.isdigit() and int(name) <= ID_MAX:
        return f"{int(name)}:{int(name)}"
    try:
        return f"{name}:{pwd.getpwnam(name).pw_uid if kind == 'users' else grp.getgrnam(name).gr_gid}"
    except KeyError:
        if not must_exist:
            return f"{name}:"
        raise (NoSuchAccount if kind == "users" else NoSuchGroup)(name=name) from None


def _all_or_none(kind):
    def change(values, call, desk):
        """Empty the list: everyone may, or nobody. Raises NoSuchQueue."""
        yield desk.store.edit_access(values["queue"], kind)
        return []

    return change


ACTIONS = {
    "add groups": _edit("groups", "add"),
    "add users": _edit("users", "add"),
    "delete groups": _edit("groups", "delete"),
    "delete users": _edit("users", "delete"),
    "set no_access": _all_or_none("none"),
    "set unrestricted_access": _all_or_none("all"),
}
