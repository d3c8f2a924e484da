"""The additional group that the jobs of a root site carry: it finds those that emptied their environment.

One group id per site, 2147483647 + machine id, far above what accounts and containers are given. A
process cannot drop it, and its children have it too (ha-facts.md section 6, as Grid Engine does per job).
"""

import os

_BASE = 2_147_483_647


def site_gid(machine_id):
    """The group id of a site's jobs, or None where this user or this user namespace cannot give it.

    Args:
        machine_id: of the site, 1 to 2147483647.
    """
    gid = _BASE + machine_id
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
