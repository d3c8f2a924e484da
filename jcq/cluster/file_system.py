"""Which file systems' locks prove that an owner is dead, and which prove nothing (ha-facts.md section 3)."""

import os
import re
from dataclasses import dataclass

#: Local disks, which one node at a time mounts: that is the cluster's disk resource, or the disk's own fencing.
_LOCAL = frozenset("bcachefs btrfs ext2 ext3 ext4 f2fs jfs ramfs reiserfs tmpfs xfs zfs".split())
#: Shared by several nodes, with locks that reach across them -> mount options that take this away.
_SHARED = {
    "nfs": ("nolock", "local_lock=all", "local_lock=flock", "local_lock=posix"),
    "nfs4": ("nolock", "local_lock=all", "local_lock=flock", "local_lock=posix"),
    "gfs2": ("localflocks", "lockproto=lock_nolock"),
    "ocfs2": ("localflocks",),
    "lustre": ("localflock", "noflock"),
    "ceph": (),
}
#: How long a dead client's lock may live on the server, until its lease ends.
_LEASE_WAIT_S = {"nfs": 120.0, "nfs4": 120.0}
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class FileSystem:
    """The file system that a path is on."""

    kind: str
    options: frozenset

    @property
    def distrust(self):
        """Why its locks prove nothing; empty where they do."""
        if self.kind in _LOCAL:
            return ""
        if self.kind not in _SHARED:
            return f"locks on {self.kind or 'an unknown file system'} cannot be trusted across nodes"
        spoilt = sorted(self.options & set(_SHARED[self.kind]))
        return (
            f"{self.kind} is mounted with {', '.join(spoilt)}, so its locks do not reach other nodes" if spoilt else ""
        )

    @property
    def lock_wait_s(self):
        """How long a busy lock may be a dead node's, in seconds."""
        return _LEASE_WAIT_S.get(self.kind, 0.0)


def of(path, mountinfo="/proc/self/mountinfo"):
    """The file system of a path.

    Args:
        path: exists.
        mountinfo: the table of mounts, in the kernel's form.
    Returns:
        `FileSystem`; one of an empty kind where the table cannot be read.
    """
    path = os.path.realpath(path)
    best, found = "", FileSystem("", frozenset())
    try:
        with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return found
    for line in lines:
        fields, _, rest = line.partition(" - ")
        place = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields.split(" ")[4])
        kind, _, more = rest.split(" ", 2)
        inside = path == place or path.startswith(place.rstrip("/") + "/")
        # Of two mounts at one place the later one is seen.
        if inside and len(place) >= len(best):
            options = frozenset([*fields.split(" ")[5].split(","), *more.split(",")])
            best, found = place, FileSystem(kind, options)
    return found
