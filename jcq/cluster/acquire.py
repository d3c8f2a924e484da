"""Becoming the owner of a site: locks, owner record, leftovers of an old run, the right server.

Takes over from the same node only; a record of another node that says "running" refuses the start.
"""

import os
import select
from dataclasses import dataclass, field

from jcq.cluster import epoch, locks, owner, record, sweep
from jcq.cluster.daemons import ORDER, Launch
from jcq.config import DaemonConf
from jcq.errors import AlreadyRunning, DatabaseUnusable, OwnedElsewhere
from jcq.jcdbs import server
from jcq.node import node_id
from jcq.site import Site

#: Leftovers of an old run die within this, or the start is refused.
_SWEEP_LIMIT_S = 10.0
#: How long a lock that nobody should hold any more may still be busy.
_LOCK_LIMIT_S = 1.0


@dataclass
class Ownership:
    """The right to run a site on this node, as long as `locks` are held."""

    site: Site
    root: str
    conf: DaemonConf
    locks: locks.SiteLocks
    #: Path of the server's executable.
    server_path: str
    #: Kind and version of the server.
    server_version: str
    #: The record of daemons of this run.
    record: record.DaemonRecord
    epoch: int = 0
    pid: int = field(default_factory=os.getpid)

    def next_epoch(self):
        """Copy the data forward and say so in the owner record; returns the new epoch's number."""
        self.epoch = epoch.advance(self.site, self.epoch)
        self._write(owner.RUNNING)
        return self.epoch

    def launch(self, tied):
        """What the daemons of this epoch are started with."""
        return Launch(self.site, self.epoch, self.server_path, self.locks.fds, tied)

    def note(self, name, pid):
        """Add a started process to the record of daemons."""
        self.record.epoch = self.epoch
        self.record.put(name, pid)
        self.record.write(self.site)

    def note_up(self):
        """Say in the record of daemons that all are ready."""
        self.record.up = True
        self.record.write(self.site)

    def forget(self, *names):
        """Take processes out of the record of daemons."""
        self.record.up = self.record.up and not set(ORDER) & set(names)
        for name in names:
            self.record.processes.pop(name, None)
        self.record.write(self.site)

    def hand_over(self, pid):
        """`cjcpw -c` ends: a daemon speaks for the site from now on."""
        self.pid = pid
        self.forget(record.CJCPW)
        self._write(owner.RUNNING)

    def release(self):
        """Say that nothing of the site is left on this node, and let the locks go."""
        self._write(owner.RELEASED)
        record.remove(self.site)
        self.locks.release()

    def _write(self, state):
        owner.here(
            self.root,
            self.conf,
            site=self.site.name,
            state=state,
            epoch=self.epoch,
            server=self.server_version,
            pid=self.pid,
        ).write(self.site)


def acquire(site, root, conf, log, monitored=True):
    """Become the owner.

    Args:
        site: the `jcq.site.Site`; its directory exists.
        root: see `jcq.site.root_directory`.
        conf: `DaemonConf`.
        log: logger; what was swept away is said there.
        monitored: False for `cjcpw -c`.
    Returns:
        An `Ownership`; this process is in the record of daemons.
    Raises:
        AlreadyRunning: the site runs on this node.
        OwnedElsewhere: another node runs it, or is not known to have stopped it.
        DatabaseUnusable: no locks, no server, or one that may not read the data.
    """
    node = node_id(root, conf.node_id)
    before = owner.read(site)
    if before.state == owner.RUNNING and before.node != node:
        raise _elsewhere(site, before)
    path, version = server.binary(conf)
    owner.check_server(site, before, version)
    held = locks.SiteLocks.take(site)
    if held is None:
        held = _take_from_leftovers(site, root, before, log)
    try:
        _sweep(site, root, log)
        mine = record.DaemonRecord.new(root, conf, monitored)
        mine.put(record.CJCPW, os.getpid())
        mine.write(site)
    except BaseException:
        held.release()
        raise
    return Ownership(site, root, conf, held, path, version, mine, before.epoch)


def _take_from_leftovers(site, root, before, log):
    """The locks are busy: refuse if that is a living run, else kill what holds them."""
    alive = record.read(site).alive(root)
    marked = set(sweep.marked(site))
    holders = set(locks.holders(site))
    # A holder without the mark that daemons have is a cjcpw, perhaps one that has just begun.
    if record.CJCPW in alive or set(ORDER) <= set(alive) or holders - marked - set(alive.values()):
        raise AlreadyRunning(site=site.name)
    _sweep(site, root, log)
    poll = select.poll()
    for _ in range(int(_LOCK_LIMIT_S / 0.02)):
        held = locks.SiteLocks.take(site)
        if held is not None:
            return held
        # A lock goes when its last holder is gone from the kernel, which tells nobody.
        poll.poll(20)
    if locks.holders(site):
        raise AlreadyRunning(site=site.name)
    raise _elsewhere(site, before)


def _sweep(site, root, log):
    found, left = sweep.kill(site, root, _SWEEP_LIMIT_S, with_holders=False)
    if found:
        log.warning("site %s: killed what an old run left: %s", site.name, ", ".join(map(str, found)))
    if left:
        reason = "processes of an old run cannot be killed: " + ", ".join(map(str, left))
        raise DatabaseUnusable(site=site.name, reason=reason)


def _elsewhere(site, before):
    host = before.host if before.state == owner.RUNNING else "a process that this node cannot see"
    return OwnedElsewhere(site=site.name, host=host, pid=before.pid, epoch=before.epoch)
