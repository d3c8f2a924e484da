"""A daemon's share in outliving a full disk: what room there is, and waiting until jcdbs has been started again.

jcdbs ends when it cannot write. cjcpw starts it again in the same epoch, and the other daemons wait for
it. Nothing else is waited for: of any other cause cjcpw ends the daemons before the wait is over.
Source: ha-facts.md section 4 (disk full).
"""

import select
import time

from jcq.jcdbs import server
from jcq.jcdbs.errors import DatabaseLost

#: With less than this even what has to be written waits.
BARE_BYTES = 128 * 1024
#: cjcpw has said by then whether the disk is full, or has ended its daemons.
_LIMIT_S = 15.0
#: jcdbs cannot announce that it is ready, so it is asked.
_ASK_EVERY_S = 0.05


class Room:
    """What the site's page says about space on the disk of the site database.

    Args:
        page: the `SitePage`; None: there is always room.
    """

    def __init__(self, page=None):
        self._page = page

    @property
    def short(self):
        """Nothing new is accepted or started."""
        return self._page is not None and bool(self._page.short)

    @property
    def bare(self):
        """Not even what has happened can be written: jcdbs would end over it, or is not there."""
        return self.short and self._page.free_bytes < BARE_BYTES

    @property
    def tight(self):
        """It may soon be short."""
        return self._page is not None and self._page.free_bytes < 16 * self._page.low_bytes

    @property
    def free_mib(self):
        """Free MiB at the last look."""
        return self._page.free_bytes >> 20 if self._page is not None else 0

    def note_calm(self, calm):
        """The worker says whether it has suspended what fills the disk: the reserve is not freed for that."""
        if self._page is not None:
            self._page.calm = int(calm)


class Revival:
    """What a Store calls when the connection is lost: see `jcq.jcdbs.sending.Sender.revive`.

    Args:
        site: the `jcq.site.Site`.
        epoch: of this run.
        room: the `Room`.
        fence: the `Fence`.
        stop: the `StopSignal`.
        log: a logger.
        meanwhile: called now and then during the wait, without arguments.
    """

    def __init__(self, site, epoch, room, fence, stop, log, meanwhile=None):
        self._site, self._epoch = site, epoch
        self._room, self._fence, self._stop, self._log = room, fence, stop, log
        self._meanwhile = meanwhile

    def __call__(self, lost, changes):
        """Return when jcdbs answers, and there is room for what comes next.

        Args:
            lost: what the client raised.
            changes: whether what comes next may write to the disk.
        Raises:
            DatabaseLost: it does not, or the daemon is to stop. Fenced: the site is another owner's.
        """
        self._log.warning("the site database is gone (%s); waiting until it is started again", lost)
        begun = time.monotonic()
        while (changes and self._room.bare) or server.ping(self._site, self._epoch) != "up":
            if self._stop.requested:
                raise DatabaseLost(reason=f"{lost}; the daemon was told to stop meanwhile")
            self._fence.check()
            if not self._room.short and time.monotonic() > begun + _LIMIT_S:
                raise DatabaseLost(reason=f"{lost}; nobody started it again within {_LIMIT_S:g} s")
            if self._meanwhile is not None:
                self._meanwhile()
            if select.select([self._stop], [], [], _ASK_EVERY_S)[0]:
                self._stop.drain()
        self._log.warning("the site database answers again, after %.1f s", time.monotonic() - begun)
