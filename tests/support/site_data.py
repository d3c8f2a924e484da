"""The data of a site without its daemons: epochs on disk, filled by a real server, damaged, copied and loaded."""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import tempfile

from jcq.cluster import aof, epoch
from jcq.config import DaemonConf
from jcq.jcdbs import server
from jcq.jcdbs.sending import connect
from jcq.jcdbs.store import Store
from jcq.site import Site
from support.store_bench import NOW_S, StoreBench
from support.waiting import wait_until

_LIMIT_S = 20
_CHECK_LIMIT_S = 60
INCREMENTAL = "appendonly.aof.1.incr.aof"


class SiteData:
    """A site's `database/`; the server runs only while `load` is entered."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="jcq-data-")
        self.site = Site("/", os.path.join(self.directory, "nqs"), name="testsite")
        os.makedirs(self.site.database)
        self.binary = server.binary(DaemonConf())
        self.log = logging.getLogger("jcq.test.data")
        epoch.create_first(self.site)

    def close(self):
        """Remove everything."""
        shutil.rmtree(self.directory)

    def file(self, number):
        """Path of an epoch's incremental file."""
        return os.path.join(server.epoch_directory(self.site, number), epoch.DATA, INCREMENTAL)

    def read(self, number):
        """Content of an epoch's incremental file."""
        with open(self.file(number), "rb") as file:
            return file.read()

    def write(self, number, content):
        """Replace the content of an epoch's incremental file."""
        with open(self.file(number), "wb") as file:
            file.write(content)

    def advance(self, source=None):
        """As cjcpw does it; returns the new epoch's number."""
        return epoch.advance(self.site, 0, source, self._mend)

    def _mend(self, copy, original, files):
        aof.mend(self.binary, copy, original, files, self.log, _CHECK_LIMIT_S)

    def drop(self, number):
        """Remove an epoch."""
        shutil.rmtree(server.epoch_directory(self.site, number))

    @contextlib.contextmanager
    def load(self, number):
        """Run a server on an epoch.

        Yields:
            A function that gives a new connection; None where the server refused the data.
        """
        directory = server.epoch_directory(self.site, number)
        server.write_conf(self.site, number)
        path, _ = self.binary
        child = subprocess.Popen(server.argv(self.site, number, path), executable=path, cwd=directory)

        def settled():
            return child.poll() is not None or server.ping(self.site, number) == "up"

        try:
            wait_until(settled, _LIMIT_S, lambda: server.ping(self.site, number))
            refused = child.poll() is not None
            yield None if refused else lambda: connect(server.socket_of(self.site, number))
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()


class Loaded(StoreBench):
    """A `StoreBench` on data that is there already, in the run that begins with it."""

    def __init__(self, connect_to, number):
        self.connect = connect_to
        self.connection = connect_to()
        self.store = Store(self.connection, number)
        self.now_s = NOW_S
        self._claims = self._seq = 0


def transactions(content):
    """The offsets at which the transactions of an incremental file end, ascending."""
    ends, at, inside = [], 0, False
    while at < len(content):
        end = aof.command_end(content, at)
        assert end > 0, at
        inside = content.startswith(b"*1\r\n$5\r\nMULTI", at) or (
            inside and not content.startswith(b"*1\r\n$4\r\nEXEC", at)
        )
        if not inside:
            ends.append(end)
        at = end
    return ends
