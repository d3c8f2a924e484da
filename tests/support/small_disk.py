"""A small disk of its own, as root: a tmpfs that only this process and what it starts from now on can see.

Nothing of it remains, even if the tests are killed: the mount namespace ends with its last process.
"""

import contextlib
import ctypes
import os

_CLONE_NEWNS = 0x00020000
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000
_MS_REMOUNT = 0x20
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


class SmallDisk:
    """A mounted tmpfs."""

    def __init__(self, path, mib):
        self.path = path
        _mount("disk", path, "tmpfs", 0, f"size={mib}m,mode=0755")

    def resize(self, mib):
        """Make it larger or smaller."""
        _mount("disk", self.path, "tmpfs", _MS_REMOUNT, f"size={mib}m")

    @property
    def free(self):
        """Free bytes."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, left, name="ballast"):
        """Take all space but `left` bytes, at once."""
        fd = os.open(os.path.join(self.path, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        try:
            while (missing := self.free - left) > 0:
                with contextlib.suppress(OSError):  # somebody else took it meanwhile
                    os.posix_fallocate(fd, os.fstat(fd).st_size, missing)
        finally:
            os.close(fd)

    def close(self):
        """Take it away; what still uses it keeps it for as long as it lives."""
        _check(_libc.umount2(os.fsencode(self.path), _MNT_DETACH), f"umount of {self.path}")

    def empty(self, name="ballast"):
        """Give that space back."""
        os.unlink(os.path.join(self.path, name))


@contextlib.contextmanager
def private_mounts():
    """Mounts that are made inside are seen by this process and its children only, and are gone afterwards."""
    before = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    directory = os.getcwd()
    try:
        _check(_libc.unshare(_CLONE_NEWNS), "unshare")
        _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
        yield
    finally:
        _check(_libc.setns(before, _CLONE_NEWNS), "setns")
        os.close(before)
        os.chdir(directory)


def _mount(source, target, kind, flags, data=""):
    answer = _libc.mount(
        source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None
    )
    _check(answer, f"mount {kind or 'private'} on {target}")


def _check(answer, what):
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
