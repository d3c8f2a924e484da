"""The additional group that the jobs of a root site carry: it finds those that emptied their environment.

One group id per site directory, by device and inode, far above what accounts and containers are given.
It is not made from the machine id: two roots on one machine may both have a site 1, and one must never
sweep the other's jobs. A process cannot drop the group, and its children have it too (ha-facts.md
section 6, as Grid Engine does per job).
"""

import os
import zlib

_FIRST = 1 << 31
#: The last but one of 32 bits; the last means "no group" to the kernel.
_COUNT = (1 << 31) - 1


def site_gid(directory):
    """The group id of a site's jobs, or None where this user or this user namespace cannot give it.

    Args:
        directory: the site's directory.
    Raises:
        OSError: the directory cannot be looked at.
    """
    status = os.stat(directory)
    gid = _FIRST + zlib.crc32(f"{status.st_dev}:{status.st_ino}".encode()) % _COUNT
    return gid if os.geteuid() == 0 and _mapped(gid) else None


def processes_with_group(gid):
    """Pids of this PID namespace's processes that have this additional group."""
    wanted = str(gid).encode()
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if wanted in _groups(pid)]


def _mapped(gid):
    try:
        with open("/proc/self/gid_map", encoding="ascii") as file:
            ranges = [[int(word) for word in line.split()] for line in file]
    except (OSError, ValueError):
        return False
    return any(first <= gid < first + count for first, _, count in ranges)


def _groups(pid):
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"Groups:"):
                    return line.split()[1:]
    except OSError:
        return []
    return []
