"""What an old run of a site left on this node: finding it, killing it, and listing who else is in the way.

The site's own processes carry `JCQ_SITE=<site directory>` in their environment, stand in the record
of daemons, or hold the locks. Others who merely have a file open or their directory below the site
(an administrator's shell, a backup) are listed and never killed. Source: design section 8.
"""

import os
import select
import signal
import time
from dataclasses import dataclass

from jcq.cluster import locks, record
from jcq.node import start_ticks
from jcq.process import descendants, parents
from jcq.site_group import processes_with_group, site_gid

#: Between two looks for processes that were born while others were killed.
_PAUSE_S = 0.02


@dataclass(frozen=True)
class Found:
    """A process that has to do with the site."""

    pid: int
    start: int
    comm: str
    #: How it was recognised.
    why: str

    def __str__(self):
        return f"{self.comm}[{self.pid}] ({self.why})"


def leftovers(site, root, with_holders=True):
    """Processes of this node that belong to the site, this process and its ancestors not among them.

    Args:
        site: the `jcq.site.Site`.
        root: see `jcq.site.root_directory`.
        with_holders: count those that hold the locks: not at a start, where one may be another cjcpw
            that is just starting.
    Returns:
        A list of `Found`; zombies are none.
    """
    why = {}
    if with_holders:
        why.update(dict.fromkeys(locks.holders(site), "holds the site's locks"))
    why.update({pid: f"recorded as {name}" for name, pid in record.read(site).alive(root).items()})
    why.update(dict.fromkeys(marked(site), "has the site's mark"))
    why.update(dict.fromkeys(_grouped(site), "has the site's group"))
    for pid in list(why):
        # A job may have emptied its environment; who started it still tells whose it is.
        for below in descendants(pid):
            why.setdefault(below, f"was started by {pid}")
    return _found(why)


def marked(site):
    """Pids of the processes of this PID namespace whose environment names the site."""
    marks = {f"JCQ_SITE={path}".encode() for path in (site.directory, os.path.realpath(site.directory))}
    found = [pid for pid in _pids() if not marks.isdisjoint(_environment(pid))]
    return [pid for pid in found if _same_directory(pid, site.directory)]


def _same_directory(pid, directory):
    """Whether a path means the same to that process: in another mount namespace it may be another site's."""
    try:
        mine = os.stat(directory)
    except OSError:
        return True
    try:
        its = os.stat(f"/proc/{pid}/root{directory}")
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return (its.st_dev, its.st_ino) == (mine.st_dev, mine.st_ino)


def _grouped(site):
    """Pids of the jobs of a site with root, even if they emptied their environment and were adopted by init."""
    try:
        gid = site_gid(site.directory)
    except OSError:
        return []
    return processes_with_group(gid) if gid else []


def others(site, settle_s=0.0):
    """Processes that have a file, their directory or their program below the site.

    Args:
        site: the `jcq.site.Site`.
        settle_s: so many seconds they have to go by themselves: a command may be just closing its files.
    Returns:
        A list of `Found`.
    """
    top = os.path.realpath(site.directory)
    deadline_s = time.monotonic() + settle_s
    while True:
        why = {}
        for pid in _pids():
            path = next((path for path in _paths(pid) if path == top or path.startswith(top + "/")), None)
            if path and _same_directory(pid, top):
                why[pid] = f"uses {path}"
        found = _found(why)
        if not found or time.monotonic() >= deadline_s:
            return found
        # Nothing tells of a file that is closed: look again.
        select.poll().poll(_PAUSE_S * 1000)


def kill(site, root, limit_s, grace_s=0.0, with_holders=True):
    """Kill what `leftovers` finds, until nothing is found.

    Args:
        site, root, with_holders: as for `leftovers`.
        limit_s: give up after so many seconds; a process in D state outlives SIGKILL.
        grace_s: SIGTERM first, and so many seconds until SIGKILL.
    Returns:
        (what was found at first, what is left), lists of `Found`.
    """
    begun = time.monotonic()
    first = found = leftovers(site, root, with_holders)
    while found and time.monotonic() - begun < limit_s:
        hard = time.monotonic() - begun >= grace_s
        wait_s = _PAUSE_S if hard else grace_s
        _signal_and_wait(found, signal.SIGKILL if hard else signal.SIGTERM, wait_s)
        found = leftovers(site, root, with_holders)
    return first, found


def _signal_and_wait(found, signum, wait_s):
    """Signal each and wait until all have ended, or `wait_s` seconds, whichever is first."""
    poll = select.poll()
    fds = set()
    try:
        for process in found:
            try:
                fd = os.pidfd_open(process.pid)
            except OSError:
                continue
            fds.add(fd)
            # The pid may have been given away since it was found; behind the pidfd it cannot.
            if start_ticks(process.pid) == process.start:
                _send(fd, signum)
            poll.register(fd, select.POLLIN)
        deadline = time.monotonic() + wait_s
        waiting = set(fds)
        while waiting and (left_s := deadline - time.monotonic()) > 0:
            for fd, _ in poll.poll(left_s * 1000):
                poll.unregister(fd)
                waiting.discard(fd)
    finally:
        for fd in fds:
            os.close(fd)


def _send(pidfd, signum):
    try:
        signal.pidfd_send_signal(pidfd, signum)
    except (ProcessLookupError, PermissionError):
        pass


def _found(why):
    mine = _self_and_ancestors()
    result = []
    for pid in sorted(why):
        start = start_ticks(pid)
        if pid not in mine and start is not None:
            result.append(Found(pid, start, _comm(pid), why[pid]))
    return result


def _self_and_ancestors():
    above = parents()
    pid, chain = os.getpid(), set()
    while pid and pid not in chain:
        chain.add(pid)
        pid = above.get(pid, 0)
    return chain


def _pids():
    """Pids of this PID namespace; an outer one sees those of inner ones, which are other nodes to us."""
    try:
        mine = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        mine = None
    for entry in os.listdir("/proc"):
        if entry.isdigit() and _namespace(entry) in (mine, None):
            yield int(entry)


def _namespace(pid):
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return None


def _environment(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return ()


def _paths(pid):
    base = f"/proc/{pid}"
    for name in ("cwd", "root", "exe"):
        yield from _link(f"{base}/{name}")
    try:
        for fd in os.listdir(f"{base}/fd"):
            yield from _link(f"{base}/fd/{fd}")
        with open(f"{base}/maps", encoding="utf-8", errors="replace") as file:
            for line in file:
                fields = line.rstrip("\n").split(maxsplit=5)
                if len(fields) == 6:
                    yield fields[5]
    except OSError:
        return


def _link(path):
    try:
        yield os.readlink(path)
    except OSError:
        return


def _comm(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "?"
