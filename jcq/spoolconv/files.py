"""The files of converted requests: written under numbers that are the conversion's, synced all together.

Names, owners and modes are those that nqsdaemon gives the scripts of qsub. Until the conversion is complete
nothing refers to them; the next conversion, or the next start of the site, removes those of one that was not.
"""

import os
from concurrent.futures import ThreadPoolExecutor

from jcq.durable import fsync_directory, sync_file_system, write_all
from jcq.frames import netstring

#: Making a file is work for the kernel, which Python does not wait for in other threads.
_THREADS = 4
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class RequestFiles:
    """The `requests` directory of a site.

    Args:
        site: the `jcq.site.Site`.
        as_root: whether files are given to their owners.
    """

    def __init__(self, site, as_root):
        self._place = site.requests
        self._as_root = as_root
        # Whatever it was: no file is 0400 otherwise.
        os.umask(0o022)
        self._threads = ThreadPoolExecutor(_THREADS, "files")
        self._begun = []

    def begin(self, request, script, environment=None):
        """Begin to write a request's script, and its environment where it has one; `finish` must follow.

        Args:
            request: the `Request`: rid, uid, gid.
            script: bytes.
            environment: {name: value}, bytes, or None.
        """
        self._begun.append(self._threads.submit(self._write_all, request, script, environment))

    def finish(self):
        """Return when all that was begun is written. Raises OSError."""
        begun, self._begun = self._begun, []
        for one in begun:
            one.result()

    def _write_all(self, request, script, environment):
        self._write(request.rid, request, script)
        if environment is not None:
            self._write(f"{request.rid}.env", request, packed(environment))

    def _write(self, name, request, data):
        path = os.path.join(self._place, name)
        try:
            fd = os.open(path, _FLAGS, 0o400)
        except FileExistsError:
            # The number is ours, so it is what a conversion or a submission that was never accepted has left.
            os.unlink(path)
            fd = os.open(path, _FLAGS, 0o400)
        try:
            write_all(fd, data)
            if self._as_root and request.uid:
                os.fchown(fd, request.uid, request.gid)
        finally:
            os.close(fd)

    def sync(self):
        """Return when all of them, and their names, are on the disk. Raises OSError."""
        sync_file_system(self._place)
        fsync_directory(self._place)

    def read(self, rid):
        """-> (script, packed environment or None) of a request, for a comparison. Raises OSError."""
        with open(os.path.join(self._place, rid), "rb") as file:
            script = file.read()
        try:
            with open(os.path.join(self._place, f"{rid}.env"), "rb") as file:
                return script, file.read()
        except FileNotFoundError:
            return script, None

    def remove(self, rids):
        """Remove the files of requests that do not exist."""
        for rid in rids:
            for name in (rid, f"{rid}.env"):
                try:
                    os.unlink(os.path.join(self._place, name))
                except FileNotFoundError:
                    continue

    def highest_number(self):
        """The greatest sequence number that any file here has, for a damaged record may make the site's too small."""
        numbers = [0]
        for name in os.listdir(self._place):
            seq = name.split(".", 1)[0].rpartition("-")[2]
            if seq.isascii() and seq.isdigit() and len(seq) <= 15:
                numbers.append(int(seq))
        return max(numbers)


def packed(environment):
    """The bytes of an environment's file, of {name: value}, bytes."""
    return b"".join(netstring(b"%b=%b" % pair) for pair in environment.items())
