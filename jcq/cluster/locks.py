"""The two lock files that say who owns a site: held by cjcpw, inherited by every daemon, by no job.

One is locked with flock, the other with an open-file-description lock: each survives on file
systems that break the other. Both last as long as any process holds the descriptor, so "free" means
that no daemon of the site lives, even after SIGKILL of cjcpw. The files are never renamed or
removed: a replaced lock file has two owners. Source: ha-facts.md section 3.
"""

import errno
import fcntl
import os
import struct

from jcq.errors import DatabaseUnusable

FLOCK_NAME = ".owner.flock"
OFD_NAME = ".owner.ofd"
_BUSY = (errno.EAGAIN, errno.EACCES)
#: struct flock: type, whence, start, length, pid.
_FLOCK = "hhqqi4x"


class SiteLocks:
    """Both locks, held while `fds` are open in this process or in one that inherited them."""

    def __init__(self, fds):
        self.fds = fds

    @classmethod
    def take(cls, site):
        """Take both locks without waiting.

        Args:
            site: the `jcq.site.Site`; its database directory must exist.
        Returns:
            `SiteLocks`, or None where somebody holds one of them.
        Raises:
            DatabaseUnusable: the files cannot be opened, or this file system has no locks.
        """
        fds = []
        try:
            for name, lock in ((FLOCK_NAME, _flock), (OFD_NAME, _ofd_lock)):
                fds.append(_open(site, name))
                lock(fds[-1])
        except OSError as error:
            for fd in fds:
                os.close(fd)
            if error.errno in _BUSY:
                return None
            reason = f"its locks cannot be taken ({error.strerror})"
            raise DatabaseUnusable(site=site.name or site.directory, reason=reason) from error
        return cls(tuple(fds))

    def release(self):
        """Close this process's descriptors; daemons that inherited them go on holding the locks."""
        for fd in self.fds:
            os.close(fd)
        self.fds = ()


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
