"""A page of memory that a running site's processes share: the time of the last heartbeat, the space on the disk.

The process on top of the site makes it, every daemon and shepherd inherits its descriptor. A process
that was frozen finds an old heartbeat when it thaws, and confirms nothing more. Shepherds load this
module: it imports little. Sources: design section 9, ha-facts.md section 3.
"""

import mmap
import os
import select
import struct
import time

from jcq.errors import Fenced

_BYTES = 4096
_WORD = struct.Struct("=Q")
#: How often somebody who may not go on looks whether he may.
_PAUSE_S = 0.05


def _word(offset, meaning):
    def read(self):
        return _WORD.unpack_from(self._map, offset)[0]

    def write(self, value):
        _WORD.pack_into(self._map, offset, value)

    return property(read, write, doc=meaning)


class SitePage:
    """The page, mapped. Each field is one aligned 64-bit word with one writer."""

    beat_ns = _word(0, "CLOCK_BOOTTIME when the last heartbeat that reached the disk was begun, in ns.")
    limit_ns = _word(8, "Without a heartbeat for so long the site ends itself.")
    lost = _word(16, "1 when the disk names another owner.")
    short = _word(24, "1 while the disk is short of space.")
    free_bytes = _word(32, "Free bytes of the database's file system, at the last look.")
    database_starts = _word(40, "How often jcdbs was started in this epoch.")
    low_bytes = _word(48, "With less free than this the disk is short of space.")
    calm = _word(56, "1 when the worker has suspended what fills the disk.")
    turn_ns = _word(64, "How often nqsdaemon and the worker are to turn at least; 0: as they like.")
    nqsdaemon_ns = _word(72, "CLOCK_BOOTTIME of the end of nqsdaemon's last turn.")
    worker_ns = _word(80, "The same of the worker.")

    def __init__(self, fd):
        self.fd = fd
        self._map = mmap.mmap(fd, _BYTES)

    @classmethod
    def create(cls, limit_s):
        """A new page, as if a heartbeat had just been written.

        Args:
            limit_s: without a heartbeat for so many seconds the site ends itself.
        """
        fd = os.memfd_create("jcq-site-page", os.MFD_CLOEXEC)
        os.ftruncate(fd, _BYTES)
        page = cls(fd)
        page.limit_ns = int(limit_s * 1e9)
        page.beat_ns = now_ns()
        return page

    @classmethod
    def open(cls, fd):
        """The page behind an inherited descriptor, which stays open for this process alone."""
        os.set_inheritable(fd, False)
        return cls(fd)

    def turn_limit_s(self, own_limit_s):
        """How long a daemon's loop may wait in one turn, where by itself it would wait `own_limit_s`."""
        return min(own_limit_s, self.turn_ns / 1e9) if self.turn_ns else own_limit_s

    def close(self):
        """Unmap it and close the descriptor."""
        self._map.close()
        os.close(self.fd)


class Fence:
    """Whether this process still may act for the site.

    Args:
        page: the `SitePage`.
    """

    def __init__(self, page):
        self._page = page

    def remaining_s(self):
        """Seconds until the site has to end itself if no heartbeat is written; negative: it has to now."""
        return (self._page.limit_ns - self._age_ns()) / 1e9

    def check(self):
        """Raises Fenced where the site is another owner's, or may be."""
        if self._page.lost:
            raise Fenced(reason="the disk names another owner")
        if self._age_ns() > self._page.limit_ns:
            raise Fenced(reason=f"no heartbeat was written for {self._age_ns() / 1e9:.0f} s")

    def young(self):
        """Whether something may be confirmed, started or delivered: the heartbeat is younger than half the limit."""
        return not self._page.lost and self._age_ns() * 2 < self._page.limit_ns

    def wait_young(self):
        """Return when something may be confirmed, started or delivered. Raises Fenced when it never may again."""
        while not self.young():
            self.check()
            # Nothing tells of a heartbeat: it is a word in memory.
            select.select([], [], [], _PAUSE_S)

    def _age_ns(self):
        return now_ns() - self._page.beat_ns


def now_ns():
    """The clock of heartbeats: it goes on while the machine sleeps, and nobody sets it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
