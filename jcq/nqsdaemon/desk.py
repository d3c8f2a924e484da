"""What a verb of nqsdaemon works with: the store, the site, the clock, the spool, and ways to wait."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from logging import Logger

from jcq.config import DaemonConf
from jcq.identity import SiteIdentity
from jcq.jcdbs.revival import Room
from jcq.jcdbs.store import Store
from jcq.nqsdaemon.errors import DiskShort
from jcq.nqsdaemon.spool import Spool
from jcq.site import Site


@dataclass(frozen=True)
class Ended:
    """What a handler yields to go on when a request has ended or is gone; the answer is the Request or None."""

    rid: str


@dataclass
class Desk:
    """One per daemon, shared by all handlers."""

    store: Store
    site: Site
    identity: SiteIdentity
    conf: DaemonConf
    spool: Spool
    log: Logger
    #: Greatest sequence number that was given out. nqsdaemon is the only one who does.
    seq: int
    #: Seconds since 1970.
    now: Callable[[], float] = time.time
    #: What room the disk has.
    room: Room = field(default_factory=Room)

    def next_seq(self):
        """A new sequence number."""
        self.seq += 1
        return self.seq

    def return_seq(self, seq):
        """A submission was refused: its number is given out again if no later one has been."""
        if self.seq == seq:
            self.seq -= 1

    def disk_short(self, what):
        """The DiskShort that says why something is not done; `what`: `nothing is submitted`, say."""
        free_mib = self.free_bytes() >> 20
        return DiskShort(what=what, site=self.identity.name, free_mib=free_mib, path=self.site.database)

    def free_bytes(self):
        """What the disk of the site database has free now."""
        found = os.statvfs(self.site.database)
        return found.f_bavail * found.f_frsize

    def ended(self, rid):
        """Wait for the end of a request: `request = yield desk.ended(rid)`; None where it is unknown."""
        return Ended(rid)

    @property
    def as_root(self):
        """Whether this site may run requests of every user."""
        return os.geteuid() == 0

    def role(self, call):
        """`"m"` for a manager, `"o"` for an operator, `""` for a user: `role = yield from desk.role(call)`.

        Root and the uid that made the site are always managers, so that nobody is locked out.
        """
        if call.uid in (0, self.identity.uid):
            return "m"
        managers = yield self.store.managers()
        return managers.get(call.user, "")

    def may_operate(self, call):
        """Whether the caller is manager or operator: `ok = yield from desk.may_operate(call)`."""
        role = yield from self.role(call)
        return role in ("m", "o")
