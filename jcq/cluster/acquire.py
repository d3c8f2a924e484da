"""Becoming the owner of a site: locks, take-over from another node, owner record, leftovers, the right server.

The rules of a take-over (ha-facts.md section 3): free locks prove that no daemon of the old owner lives,
where the file system's locks can be trusted; else the heartbeat must stand still. Locks that another
node holds refuse the start, unless the operator names that node's owner and its heartbeat stands still.
"""

import logging
import os
import select
import time
from dataclasses import dataclass, field
from functools import partial

from jcq.cluster import aof, epoch, file_system, heartbeat, locks, owner, record, sweep
from jcq.cluster.daemons import JCDBS, ORDER, Launch
from jcq.cluster.errors import AlreadyRunning, OwnedElsewhere, OwnerNotNamed, StartTimeout
from jcq.config import DaemonConf, read_daemon_conf
from jcq.crash_points import reach
from jcq.errors import DatabaseUnusable, Fenced
from jcq.jcdbs import server
from jcq.site import Site

#: Leftovers of an old run die within this, or the start is refused.
_SWEEP_LIMIT_S = 10.0
#: How long a lock that nobody should hold any more may still be busy.
_LOCK_LIMIT_S = 1.0
#: What a run that is just ending may take for it.
_END_LIMIT_S = 5.0
_LOOK_EVERY_S = 0.02
#: Who is told to be replaced and writes so many heartbeats' time none is taken for frozen. More than half of the
#: limit: with a younger heartbeat it would confirm and start things when it wakes up, until its heart has looked.
_FROZEN_BEATS = 6.0
#: Of an owner that has written no heartbeat at all.
_LIMIT_UNKNOWN_S = 20.0


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
    log: logging.Logger
    epoch: int = 0
    #: See `OwnerRecord`.
    forced: str = ""
    run: str = field(default_factory=owner.new_run)
    #: Epoch that the next one is a copy of; None: the newest.
    source: int | None = None

    def next_epoch(self, limit_s):
        """Copy the data forward and say so in the owner record.

        Args:
            limit_s: seconds that jcdbs may take over the check of its data.
        Returns:
            The new epoch's number.
        Raises:
            StartTimeout: it took longer. DatabaseUnusable, NoSuchEpoch: see `jcq.cluster.epoch.advance`.
        """
        # nqsdaemon reads it now, too, and cluster sites go by what the daemons that run have read (manual 2.3.6).
        self.record.local_daemon = read_daemon_conf(self.root, self.site.directory)[0].local_daemon
        try:
            self.epoch = epoch.advance(self.site, self.epoch, self.source, partial(self._mend, limit_s))
        except TimeoutError:
            raise StartTimeout(site=self.site.name, limit_s=f"{limit_s:g}", what=JCDBS) from None
        self.source = None
        self.say(owner.RUNNING)
        reach("epoch owned")
        return self.epoch

    def _mend(self, limit_s, copy, original, files):
        aof.mend((self.server_path, self.server_version), copy, original, files, self.log, limit_s)

    def launch(self, page_fd):
        """What the daemons of this epoch are started with."""
        return Launch(self.site, self.epoch, self.server_path, self.locks.fds, page_fd)

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
        """Take processes out of the record of daemons. Raises Fenced where the site is another owner's."""
        self._check_ours()
        self.record.up = self.record.up and not set(ORDER) & set(names)
        for name in names:
            self.record.processes.pop(name, None)
        self.record.write(self.site)

    def release(self):
        """Say that nothing of the site is left on this node, and let the locks go. Raises as `forget`."""
        self._check_ours()
        reach("release begin")
        self.say(owner.RELEASED)
        reach("release end")
        record.remove(self.site)
        if self.locks.complete:
            locks.forget_take_overs(self.site)
        self.locks.release()

    def _check_ours(self):
        """A run that was replaced while it was frozen must not touch the records of the one that replaced it."""
        if owner.read(self.site).run != self.run:
            raise Fenced(reason="the disk names another owner")

    def say(self, state):
        """Write the owner record."""
        owner.here(
            self.root,
            self.conf,
            site=self.site.name,
            state=state,
            epoch=self.epoch,
            server=self.server_version,
            pid=os.getpid(),
            run=self.run,
            forced=self.forced if state == owner.RUNNING else "",
        ).write(self.site)


def acquire(site, root, conf, log, monitored=True, force="", source=None):
    """Become the owner.

    Args:
        site: the `jcq.site.Site`; its directory exists.
        root: see `jcq.site.root_directory`.
        conf: `DaemonConf`.
        log: logger; what was swept away is said there.
        monitored: False for `cjcpw -c`.
        force: host of the owner that is to be replaced although it holds the locks; the operator has
            made sure that it is fenced or frozen.
        source: number of the epoch to start from; None: the newest.
    Returns:
        An `Ownership`; the owner record and the record of daemons name this process.
    Raises:
        AlreadyRunning: the site runs on this node.
        OwnedElsewhere: another node runs it, or may run it.
        OwnerNotNamed: `force` is not the owner's host.
        DatabaseUnusable: no locks, no server, or one that may not read the data.
        NoSuchEpoch: there is no epoch `source`.
    """
    if source is not None:
        epoch.check_source(site, source)
    path, version = server.binary(conf)
    disk = file_system.of(site.database)
    if disk.distrust:
        log.warning("site %s: %s", site.name, disk.distrust)
    before, held = _look_and_take(site)
    elsewhere = before.state == owner.RUNNING and not before.on_this_node(root)
    forced = ""
    if held is None and elsewhere:
        held, forced = _take_from_elsewhere(site, before, disk, force, log)
    elif held is None:
        held = _take_from_leftovers(site, root, before, log)
    elif elsewhere and disk.distrust and not force:
        _watch(site, before, held, log)
    reach("acquire locked")
    try:
        owner.check_server(site, before, version)
        _sweep(site, root, log)
        reach("acquire swept")
        mine = record.DaemonRecord.new(root, conf, monitored)
        mine.put(record.CJCPW if monitored else record.TOP, os.getpid())
        mine.write(site)
        reach("acquire recorded")
        ownership = Ownership(site, root, conf, held, path, version, mine, log, before.epoch, forced, source=source)
        ownership.say(owner.RUNNING)
    except BaseException:
        held.release()
        raise
    return ownership


def _look_and_take(site):
    """The owner record, and the locks or None: a record that was read while others had the site is read again."""
    while True:
        before = owner.read(site)
        held = locks.SiteLocks.take(site, before.runs)
        if held is None or owner.read(site) == before:
            return before, held
        held.release()


def _take_from_elsewhere(site, before, disk, force, log):
    """The locks are another node's: wait for its lease to end, or take over by force; returns (locks, forced)."""
    if not force:
        held = _await_lease(site, before, disk, log) if disk.lock_wait_s else None
        if held is None:
            raise _elsewhere(site, before)
        return held, ""
    if force.lower() != before.host.lower():
        raise OwnerNotNamed(site=site.name, host=before.host, given=force)
    if heartbeat.moves(site, _limit_s(site) / heartbeat.BEATS_PER_LIMIT * _FROZEN_BEATS):
        raise _elsewhere(site, before)
    held = locks.SiteLocks.take_over(site, before.run)
    if held is None:
        raise _elsewhere(site, owner.read(site))
    log.warning("site %s: taken over by force from %s, cjcpw %d", site.name, before.host, before.pid)
    return held, before.run


def _await_lease(site, before, disk, log):
    """A dead client's lock lives on the server until its lease ends; a living owner's heartbeat moves."""
    log.info("site %s: waiting up to %g s for the locks of %s", site.name, disk.lock_wait_s, before.host)
    deadline_s = time.monotonic() + disk.lock_wait_s
    while time.monotonic() < deadline_s:
        if heartbeat.moves(site, _limit_s(site) / heartbeat.BEATS_PER_LIMIT * _FROZEN_BEATS):
            return None
        held = locks.SiteLocks.take(site, before.runs)
        if held is not None:
            return held
    return None


def _watch(site, before, held, log):
    """Where locks prove nothing, an owner that writes no heartbeat for long enough has ended itself."""
    beat = heartbeat.read(site) or heartbeat.Beat("", 0, _LIMIT_UNKNOWN_S)
    log.info("site %s: watching the heartbeat of %s for %g s", site.name, before.host, beat.watch_s)
    if heartbeat.moves(site, beat.watch_s):
        held.release()
        raise _elsewhere(site, before)


def _limit_s(site):
    beat = heartbeat.read(site)
    return beat.limit_s if beat else _LIMIT_UNKNOWN_S


def _take_from_leftovers(site, root, before, log):
    """The locks are busy: refuse if that is a living run, else kill what holds them."""
    daemons = record.read(site)
    alive = daemons.alive(root)
    if not daemons.up and {record.CJCPW, record.TOP} & set(alive):
        # One that starts, or that is just ending.
        held = _await_locks(site, before, _END_LIMIT_S)
        if held is not None:
            return held
    marked = set(sweep.marked(site, root))
    holders = set(locks.holders(site))
    # A holder without the mark that daemons have is a cjcpw, perhaps one that has just begun.
    living = {record.CJCPW, record.TOP} & set(alive) or set(ORDER) <= set(alive)
    if living or holders - marked - set(alive.values()):
        raise AlreadyRunning(site=site.name)
    _sweep(site, root, log)
    held = _await_locks(site, before, _LOCK_LIMIT_S)
    if held is not None:
        return held
    if locks.holders(site):
        raise AlreadyRunning(site=site.name)
    raise _elsewhere(site, before)


def _await_locks(site, before, limit_s):
    """The locks, or None where they are busy for so long."""
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        held = locks.SiteLocks.take(site, before.runs)
        if held is not None:
            return held
        # A lock goes when its last holder is gone from the kernel, which tells nobody.
        select.select([], [], [], _LOOK_EVERY_S)
    return None


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
