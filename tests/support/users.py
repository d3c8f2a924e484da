"""Second users for tests as root: they exist in a private /etc/passwd only (see namespace.py)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class User:
    """A user of a test. One without a name is in no passwd file at all."""

    name: str
    uid: int
    gid: int
    #: Supplementary groups that the private /etc/group gives.
    groups: tuple[int, ...] = ()

    @property
    def every_group(self):
        """What initgroups would set: the own group and the supplementary ones."""
        return [self.gid, *self.groups]


#: A group that alice and bob share.
PROJECT_GID = 54100
ALICE = User("alice", 54001, 54001, (PROJECT_GID,))
BOB = User("bob", 54002, 54002, (PROJECT_GID,))
#: No line in any passwd file.
NOBODY_KNOWN = User("", 54777, 54777)
NAMED = (ALICE, BOB)


def passwd_lines(home):
    """Lines for /etc/passwd; the homes are below `home`."""
    return "".join(f"{u.name}:x:{u.uid}:{u.gid}:{u.name} of the tests:{home}/{u.name}:/bin/sh\n" for u in NAMED)


def group_lines():
    """Lines for /etc/group."""
    own = "".join(f"{u.name}:x:{u.gid}:\n" for u in NAMED)
    return own + f"project:x:{PROJECT_GID}:{','.join(u.name for u in NAMED)}\n"
