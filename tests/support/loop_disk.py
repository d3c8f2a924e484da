"""A disk of its own in a file, as root: its power can be cut, it can be frozen, and it can be unmounted."""

import os
import shutil
import subprocess
import tempfile
import zlib

import pytest

from support import skips
from support.waiting import wait_until

_SIZE_MB = 64
_CHUNK = 1 << 20


def _run(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise OSError(f"{' '.join(argv)}: {done.stdout.strip()}")
    return done.stdout.strip()


class LoopDisk:
    """An ext4 file system on a loop device, mounted on a directory."""

    def __init__(self, mount_point, size_mb=_SIZE_MB):
        """Make it and mount it; skips the test where this machine has no loop devices.

        Args:
            mount_point: an existing directory.
            size_mb: size of the device in MiB.
        """
        self.mount_point = mount_point
        self._place = tempfile.mkdtemp(prefix="jcq-disk-")
        self._backing = os.path.join(self._place, "disk0")
        #: Its path below /dev.
        self.device = ""
        self._frozen = False
        self._copies = 0
        try:
            with open(self._backing, "wb") as file:
                file.truncate(size_mb << 20)
            _run("mkfs.ext4", "-q", "-F", self._backing)
            self.device = _run("losetup", "--find", "--show", self._backing)
            self.mount()
        except OSError as error:
            self.close()
            pytest.skip(f"{skips.NEEDS_LOOP}: {error}")
        # Only jcq's own directories are closed, as on a disk that an administrator made for it.
        os.chmod(mount_point, 0o755)

    @property
    def mounted(self):
        """Whether it is mounted."""
        return os.path.ismount(self.mount_point)

    def mount(self):
        """Mount it; its journal is replayed where it was not unmounted. Raises OSError."""
        _run("mount", "-t", "ext4", self.device, self.mount_point)

    def unmount(self):
        """As a cluster manager does that must not use force. Raises OSError where something is in the way."""
        _run("umount", self.mount_point)

    def freeze(self):
        """Let every write hang, until `thaw`."""
        _run("fsfreeze", "--freeze", self.mount_point)
        self._frozen = True

    def thaw(self):
        """Let writes go on."""
        _run("fsfreeze", "--unfreeze", self.mount_point)
        self._frozen = False

    def thaw_if_frozen(self):
        """Let writes go on, where they hang."""
        if self._frozen:
            self.thaw()

    def photograph(self):
        """Copy what is on the device, without what its file system has not written yet; nobody may be writing.

        Returns:
            The copy's path, for `replace`.
        """
        self._copies += 1
        copy = os.path.join(self._place, f"disk{self._copies}")
        # What was on its way to the device when the writers were stopped may still arrive.
        wait_until(lambda: self._copied(copy), 30, lambda: "the device is still being written")
        return copy

    def _copied(self, copy):
        _run("cp", "--sparse=always", self._backing, copy)
        return _sum(copy) == _sum(self._backing)

    def replace(self, copy):
        """After the power cut: the copy is the disk; it is not mounted yet."""
        self.unmount()
        self._detach()
        os.unlink(self._backing)
        self._backing = copy
        self.device = _run("losetup", "--find", "--show", self._backing)

    def _detach(self):
        if self.device:
            _run("losetup", "--detach", self.device)
            self.device = ""

    def close(self):
        """Leave nothing of it."""
        self.thaw_if_frozen()
        if self.mounted:
            wait_until(self._unmounted, 20, lambda: _run("sh", "-c", f"fuser -vm {self.mount_point} 2>&1 || true"))
        self._detach()
        shutil.rmtree(self._place)

    def _unmounted(self):
        try:
            self.unmount()
        except OSError:
            return False
        return True


def _sum(path):
    total = 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            total = zlib.crc32(chunk, total)
    return total
