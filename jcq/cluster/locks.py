"""The two lock files that say who owns a site: held by cjcpw, inherited by every daemon, by no job.

One is locked with flock, the other with an open-file-description lock: each survives on file
systems that break the other. Both last as long as any process holds the descriptor, so "free" means
that no daemon of the site lives, even after SIGKILL of cjcpw. The files are never renamed or
removed: a replaced lock file has two owners. Who took the site over from a frozen owner, which still
holds them, holds a third one, named after that owner's run, until the two come free. Source: ha-facts.md
section 3.
"""

import errno
import fcntl
import os
import struct

from jcq.errors import DatabaseUnusable

FLOCK_NAME = ".owner.flock"
OFD_NAME = ".owner.ofd"
FORCE_NAME = ".owner.force"
_BUSY = (errno.EAGAIN, errno.EACCES)
#: struct flock: type, whence, start, length, pid.
_FLOCK = "hhqqi4x"


class SiteLocks:
    """The locks, held while `fds` are open in this process or in one that inherited them.

    Args:
        fds: descriptors of the two files, and behind a take-over that of the third.
        pending: of the two, those that the frozen owner still holds.
    """

    def __init__(self, fds, pending=()):
        self.fds = fds
        self._pending = pending

    @property
    def complete(self):
        """Whether both are held."""
        return not self._pending

    @property
    def beat_fd(self):
        """Of the file in which the heartbeat stands."""
        return self.fds[1]

    @classmethod
    def take(cls, site, runs=()):
        """Take both locks without waiting.

        Args:
            site: the `jcq.site.Site`; its database directory must exist.
            runs: the runs that the owner record names: who has taken the site over from one of them may hold the
                third lock only.
        Returns:
            `SiteLocks`, or None where somebody holds one of them.
        Raises:
            DatabaseUnusable: the files cannot be opened, or this file system has no locks.
        """
        fds = []
        try:
            for lock, name in _LOCKS:
                fds.append(_open(site, name))
                lock(fds[-1])
            for run in runs:
                _try_third(site, run)
        except OSError as error:
            _close(fds)
            if error.errno in _BUSY:
                return None
            raise _unlockable(site, error) from error
        return cls(tuple(fds))

    @classmethod
    def take_over(cls, site, run):
        """Take the third lock, the one for taking the site over from a run that still holds the two.

        Args:
            site: the `jcq.site.Site`.
            run: name of the run of the frozen owner.
        Returns:
            `SiteLocks` that are not complete, or None where another one has taken it over already.
        Raises:
            DatabaseUnusable: as `take`.
        """
        fds = []
        try:
            fds += [_open(site, name) for _, name in _LOCKS]
            fds.append(_open(site, f"{FORCE_NAME}.{run}"))
            _flock(fds[-1])
        except OSError as error:
            _close(fds)
            if error.errno in _BUSY:
                return None
            raise _unlockable(site, error) from error
        return cls(tuple(fds), tuple(zip((lock for lock, _ in _LOCKS), fds, strict=False)))

    def try_to_complete(self):
        """Take those of the two locks that have come free; daemons that inherited them hold them then too."""
        left = []
        for lock, fd in self._pending:
            try:
                lock(fd)
            except OSError:
                left.append((lock, fd))
        self._pending = tuple(left)
        return self.complete

    def release(self):
        """Close this process's descriptors; daemons that inherited them go on holding the locks."""
        _close(self.fds)
        self.fds = ()


def _try_third(site, run):
    """Raises BlockingIOError where somebody has taken the site over from this run, and holds it so."""
    try:
        fd = os.open(os.path.join(site.database, f"{FORCE_NAME}.{run}"), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _flock(fd)
    finally:
        os.close(fd)


def forget_take_overs(site):
    """Remove the files of third locks, which only those touch who read their name in the owner record."""
    for name in os.listdir(site.database):
        if name.startswith(f"{FORCE_NAME}."):
            os.unlink(os.path.join(site.database, name))


def _close(fds):
    for fd in fds:
        os.close(fd)


def _unlockable(site, error):
    reason = f"its locks cannot be taken ({error.strerror})"
    return DatabaseUnusable(site=site.name or site.directory, reason=reason)


def is_held(site):
    """Whether some process holds the site. Only asks, so that it is never in the way of a start."""
    try:
        fd = os.open(os.path.join(site.database, OFD_NAME), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0))
    finally:
        os.close(fd)
    return struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK


def holders(site):
    """Pids of the processes of this node that have one of the site's lock files open and locked."""
    wanted = set()
    for name in (FLOCK_NAME, OFD_NAME):
        try:
            status = os.stat(os.path.join(site.database, name))
        except OSError:
            continue
        wanted.add((status.st_dev, status.st_ino))
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and wanted and _holds(pid, wanted)]


def _holds(pid, wanted):
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{fd}"
            # The name first: stat of somebody's file on a hung disk would hang us too.
            if not os.readlink(path).endswith((FLOCK_NAME, OFD_NAME)):
                continue
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in wanted and _locked(pid, fd):
                return True
    except OSError:
        pass
    return False


def _locked(pid, fd):
    with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
        return any(line.startswith("lock:") for line in file)


def _open(site, name):
    fd = os.open(os.path.join(site.database, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(fd, 0o600)
    return fd


def _flock(fd):
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _ofd_lock(fd):
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0))


_LOCKS = ((_flock, FLOCK_NAME), (_ofd_lock, OFD_NAME))
