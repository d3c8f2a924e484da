"""What an old run of a site left on this node: finding it, killing it, and listing who else is in the way.

The site's own processes stand in its cgroup, carry `JCQ_SITE=<site directory>` in their environment or the
group or limit of its jobs, stand in the record of daemons, or hold the locks. Others who merely have a file
open or their directory below the site (an administrator's shell, a backup) are listed; they are killed
where site.conf says so. Source: design section 8.
"""

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass

from jcq import site_cgroup
from jcq.cluster import locks, record
from jcq.node import boot_id, start_ticks
from jcq.process import children, parents, wait_gone
from jcq.site_group import has_group, has_limit, site_gid, site_limit

#: Between two looks for processes that were born while others were killed.
_PAUSE_S = 0.02
#: A look at all processes is followed by looks at those that were born meanwhile, at most for so long.
_CHASE_S = 0.2
#: Where the kernel begins anew when the greatest pid was given.
_FIRST_PID = 300
#: So many are waited for at once; the next look tells of the others.
_WAIT_MAX = 256


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
    return _Look(site, root, with_holders).run(lambda found: None)


def marked(site, root):
    """Pids of the processes of this node whose environment names the site; arguments as of `leftovers`."""
    marks = _Marks(site, boot_id(root))
    return [pid for pid in _pids() if marks.by_environment(pid)]


class _Marks:
    """How to tell a process of one site on one node by what it inherited."""

    def __init__(self, site, boot):
        self._directory = site.directory
        self._paths = {f"JCQ_SITE={path}".encode() for path in (site.directory, os.path.realpath(site.directory))}
        self._boot = boot
        self._gid = self._limit = None
        self.cgroup = ""
        try:
            self._gid = site_gid(site.directory, boot)
            self._limit = site_limit(site.directory, boot)
            self.cgroup = site_cgroup.cgroup_name(site.directory, boot)
        except OSError:
            pass  # the disk is away: the environment alone tells

    def why(self, pid):
        """How a process is recognised, or an empty string."""
        if self.by_environment(pid):
            return "has the site's mark"
        # A job may have emptied its environment.
        if self._gid is not None and has_group(pid, self._gid):
            return "has the site's group"
        if self._limit is not None and has_limit(pid, self._limit):
            return "has the site's limit"
        return ""

    def by_environment(self, pid):
        """Whether its environment names the site and this node."""
        environment = _environment(pid)
        if self._paths.isdisjoint(environment) or not _of_this_boot(environment, self._boot):
            return False
        return _same_directory(pid, self._directory)


def _of_this_boot(environment, boot):
    """Whether a process may be of this node: two nodes of a test share /proc, not their boot id."""
    values = dict(variable.partition(b"=")[::2] for variable in environment)
    its = os.fsdecode(values.get(b"JCQ_BOOT", b""))
    if not its and b"JCQ_ROOT" in values:
        its = boot_id(os.fsdecode(values[b"JCQ_ROOT"]))
    return its in ("", boot)


class _Look:
    """One search for a site's processes, which acts on each as soon as it is found.

    A chain of processes, each of which starts the next one and ends, is faster than a list of /proc: so
    each process is acted on at once, and those that were born during the search are looked at until there
    are none.
    """

    def __init__(self, site, root, with_holders):
        self._site, self._root, self._with_holders = site, root, with_holders
        self._boot = boot_id(root)
        self._marks = _Marks(site, self._boot)
        self._mine = _self_and_ancestors()
        #: Once for all repetitions: the cgroups that bear the site's name.
        self.cgroups = site_cgroup.find(self._marks.cgroup) if self._marks.cgroup else []

    def run(self, act):
        """Search; `act` is called with each `Found`. Returns all of them, by pid."""
        self._act, self._seen, self._found = act, set(), []
        for path in self.cgroups:
            self._take_all(site_cgroup.members(path), "is in the site's cgroup")
        if self._with_holders:
            holders = [pid for pid in locks.holders(self._site) if _of_this_boot(_environment(pid), self._boot)]
            self._take_all(holders, "holds the site's locks")
        for name, pid in record.read(self._site).alive(self._root).items():
            self._take(pid, f"recorded as {name}")
        for pid in _pids_and_newborn():
            if pid not in self._seen and (why := self._marks.why(pid)):
                self._take(pid, why)
        return sorted(self._found, key=lambda found: found.pid)

    def kill_cgroups(self):
        """SIGKILL at one instant to each cgroup in which neither this process nor an ancestor stands."""
        for path in self.cgroups:
            if self._mine.isdisjoint(site_cgroup.members(path)):
                site_cgroup.kill(path)

    def _take_all(self, pids, why):
        for pid in pids:
            self._take(pid, why)

    def _take(self, pid, why):
        """Take a process and all below it, for who started a process still tells whose it is."""
        left = [(pid, why)]
        for pid, why in left:  # grows while it is walked
            if pid in self._seen:
                continue
            self._seen.add(pid)
            start = start_ticks(pid)
            left += [(below, f"was started by {pid}") for below in children(pid)]
            if start is not None and pid not in self._mine:
                self._found.append(Found(pid, start, _comm(pid), why))
                self._act(self._found[-1])


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


def others(site, settle_s=0.0):
    """Processes of this node that have a file, their directory or their program below the site.

    Args:
        site: the `jcq.site.Site`.
        settle_s: so many seconds they have to go by themselves: a command may be just closing its files.
    Returns:
        A list of `Found`.
    """
    top = os.path.realpath(site.directory)
    boot = boot_id(site.root)
    deadline_s = time.monotonic() + settle_s
    while True:
        why = {}
        for pid in _pids():
            path = next((path for path in _paths(pid) if path == top or path.startswith(top + "/")), None)
            if path and _same_directory(pid, top) and _of_this_boot(_environment(pid), boot):
                why[pid] = f"uses {path}"
        found = _found(why)
        if not found or time.monotonic() >= deadline_s:
            return found
        # Nothing tells of a file that is closed: look again.
        select.poll().poll(_PAUSE_S * 1000)


def kill_others(site, limit_s, settle_s=0.0):
    """SIGKILL to what `others` finds, until nothing is found.

    Args:
        site, settle_s: as for `others`.
        limit_s: give up after so many seconds.
    Returns:
        (what was found at first, what is left), lists of `Found`.
    """
    begun = time.monotonic()
    first = found = others(site, settle_s)
    while found and time.monotonic() - begun < settle_s + limit_s:
        for process in found:
            _signal(process, signal.SIGKILL)
        _wait(found, _PAUSE_S)
        found = others(site)
    return first, found


def kill(site, root, limit_s, grace_s=0.0, with_holders=True):
    """Kill what `leftovers` finds, until nothing is found, and remove the site's cgroup.

    Args:
        site, root, with_holders: as for `leftovers`.
        limit_s: give up after so many seconds; a process in D state outlives SIGKILL.
        grace_s: SIGTERM first, and so many seconds until SIGKILL.
    Returns:
        (what was found at first, what is left), lists of `Found`.
    """
    begun = time.monotonic()
    look = _Look(site, root, with_holders)
    first = None
    while True:
        hard = time.monotonic() - begun >= grace_s
        signum = signal.SIGKILL if hard else signal.SIGTERM
        found = look.run(lambda process, signum=signum: _signal(process, signum))
        first = found if first is None else first
        if not found or time.monotonic() - begun >= limit_s:
            break
        if hard:
            look.kill_cgroups()
        _wait(found, _PAUSE_S if hard else grace_s)
    for path in look.cgroups:
        site_cgroup.remove(path)
    return first, found


def _signal(process, signum):
    """Signal a `Found`; the pid may have been given away since it was found, behind a pidfd it cannot."""
    try:
        fd = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        if start_ticks(process.pid) == process.start:
            _send(fd, signum)
    finally:
        os.close(fd)


def _wait(found, limit_s):
    """Wait until each has ended, or so many seconds."""
    fds = []
    try:
        for process in found[:_WAIT_MAX]:
            with contextlib.suppress(OSError):
                fds.append(os.pidfd_open(process.pid))
        wait_gone(fds, limit_s)
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
    mine = _namespace("self")
    for entry in os.listdir("/proc"):
        if entry.isdigit() and _namespace(entry) in (mine, None):
            yield int(entry)


def _pids_and_newborn():
    """As `_pids`, and then those that were born meanwhile, until none is or for `_CHASE_S` more."""
    mine = _namespace("self")
    seen_to = _last_pid()
    yield from _pids()
    deadline_s = time.monotonic() + _CHASE_S
    while (last := _last_pid()) != seen_to and time.monotonic() < deadline_s:
        # Where the numbers began anew, the next look finds those before the wrap.
        for pid in range(seen_to + 1 if last > seen_to else _FIRST_PID, last + 1):
            if _namespace(pid) in (mine, None):
                yield pid
        seen_to = last


def _last_pid():
    """The pid that was given last in this PID namespace."""
    with open("/proc/loadavg", "rb", buffering=0) as file:
        return int(file.read().split()[-1])


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
