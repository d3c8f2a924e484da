"""What a site's jobs inherit and cannot lose: it finds those that emptied their environment and have a new parent.

As root an additional group: a process cannot drop it, and its children have it too (ha-facts.md
section 6, as Grid Engine does per job). Without root, where no group can be given, a limit that the kernel
does not enforce any more (`file locks`, RLIMIT_LOCKS of Linux 2.4): it is lowered from "unlimited" to a
number that nobody else has, which only root could raise again.

Group and limit are named by a number of the site's directory, by device and inode, and of the node's boot.
It is not made from the machine id: two roots on one machine may both have a site 1, and one must never
sweep the other's jobs; and two nodes may share the directory and, in a test, /proc.
"""

import os
import resource
import zlib

_FIRST = 1 << 31
#: The last but one of 32 bits; the last means "no group" to the kernel.
_COUNT = (1 << 31) - 1
#: Linux's RLIMIT_LOCKS, which Python does not name.
_LIMIT_KIND = 10
_LIMIT_FIRST = 1 << 62
_LIMIT_LINE = b"Max file locks"


def site_number(directory, boot):
    """A number below 2**32 of a site on one node, since its boot.

    Args:
        directory: the site's directory.
        boot: see `jcq.node.boot_id`.
    Raises:
        OSError: the directory cannot be looked at.
    """
    status = os.stat(directory)
    return zlib.crc32(f"{status.st_dev}:{status.st_ino}:{boot}".encode())


def site_gid(directory, boot):
    """The group id of a site's jobs, or None where this user or this user namespace cannot give it.

    It is far above what accounts and containers are given. Args and raises as `site_number`.
    """
    gid = _FIRST + site_number(directory, boot) % _COUNT
    return gid if os.geteuid() == 0 and _mapped(gid) else None


def site_limit(directory, boot):
    """The limit that a site's jobs have. Args and raises as `site_number`."""
    return _LIMIT_FIRST + site_number(directory, boot)


def give_limit(pid, limit):
    """Give the limit to a process of the same user, for itself and what it starts from now on.

    Raises:
        OSError: it has a lower one, or is not to be touched.
    """
    try:
        resource.prlimit(pid, _LIMIT_KIND, (limit, limit))
    except ValueError as error:
        raise OSError(str(error)) from None


def has_limit(pid, limit):
    """Whether a process has the limit."""
    wanted = str(limit).encode()
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            for line in file:
                if line.startswith(_LIMIT_LINE):
                    return wanted in line.split()
    except OSError:
        return False
    return False


def has_group(pid, gid):
    """Whether a process has the additional group."""
    wanted = str(gid).encode()
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"Groups:"):
                    return wanted in line.split()
    except OSError:
        return False
    return False


def _mapped(gid):
    try:
        with open("/proc/self/gid_map", encoding="ascii") as file:
            ranges = [[int(word) for word in line.split()] for line in file]
    except (OSError, ValueError):
        return False
    return any(first <= gid < first + count for first, _, count in ranges)
