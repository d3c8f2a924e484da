"""The scripts of requests: written and synced before a request is accepted, removed when it is forgotten.

A request's script is the file `requests/<rid>`; with `-x` its environment stands beside it as
`<rid>.env`, netstrings of `NAME=value`. Both belong to the owner and are 0400. (Design section 4 has one file
for both; two let the shell read the script by its path, with nothing copied.)
"""

import os

from jcq.durable import fsync_directory, write_all
from jcq.frames import netstring


class Spool:
    """The `requests` and `output` directories of a site.

    Args:
        site: the `jcq.site.Site`.
        as_root: whether files are given to their owners.
    """

    def __init__(self, site, as_root):
        self._requests = site.requests
        self._output = site.output
        self._as_root = as_root
        self._dirty = False

    def write_script(self, rid, uid, gid, script, environment=None):
        """Write a request's files and sync them; `sync` must follow before the request is accepted.

        Args:
            rid: the request.
            uid, gid: its owner.
            script: bytes.
            environment: {name: value}, both str as `os.fsdecode` makes them, or None without `-x`.
        Raises:
            OSError: nothing is left behind.
        """
        try:
            if environment is not None:
                packed = b"".join(netstring(os.fsencode(f"{k}={v}")) for k, v in environment.items())
                self._write(f"{rid}.env", uid, gid, packed)
            self._write(rid, uid, gid, script)
        except OSError:
            self.remove(rid)
            raise
        self._dirty = True

    def _write(self, name, uid, gid, data):
        path = os.path.join(self._requests, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        # A crash may have left an orphan of this number, which is 0400: replace it.
        _unlink(path)
        fd = os.open(path, flags, 0o400)
        try:
            write_all(fd, data)
            if self._as_root:
                os.fchown(fd, uid, gid)
            os.fchmod(fd, 0o400)
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync(self):
        """Make all names that were written since the last call durable: one fsync for a whole turn of the loop."""
        if self._dirty:
            fsync_directory(self._requests)
            self._dirty = False

    def remove(self, rid):
        """Remove a request's files, spooled output included."""
        _unlink(os.path.join(self._requests, rid))
        _unlink(os.path.join(self._requests, f"{rid}.env"))

    def forget(self, rids):
        """Remove every file of requests that the site has forgotten, also output that was never delivered."""
        gone = set(rids)
        for rid in gone:
            self.remove(rid)
        if gone:
            for entry in os.listdir(self._output):
                if entry.split(".", 1)[0] in gone:
                    _unlink(os.path.join(self._output, entry))

    def rids(self):
        """The rids that have files here."""
        names = set(os.listdir(self._requests)) | set(os.listdir(self._output))
        return sorted({name.split(".", 1)[0] for name in names})


def _unlink(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
