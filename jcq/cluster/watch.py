"""What cjcpw hears: descriptors, signals, clocks and the ends of processes, each made an event of its table.

While the site is up nothing here touches the site's disk, which may hang: what has to be written is
written by `jcq.cluster.heart`, and the space is watched by `jcq.cluster.keeper`. Design section 9.
"""

import os
import selectors
import signal
from collections import deque

from jcq.cluster import control, daemons, states
from jcq.cluster.heart import Heart
from jcq.cluster.heartbeat import BEATS_PER_LIMIT
from jcq.cluster.keeper import Keeper
from jcq.cluster.pulse import Pulse
from jcq.cluster.timers import Timers
from jcq.cluster.verdict import describe
from jcq.crash_points import reach
from jcq.errors import Fenced
from jcq.jcdbs import server
from jcq.process import children, reap, signal_descendants
from jcq.site_page import Fence, SitePage

#: jcdbs cannot announce that it is ready, so it is asked.
_PING_EVERY_S = 0.01
#: jcdbs that has been silent for so many times FENCE_TIMEOUT is given up: a disk that hangs ends the site before.
_SILENCE_LIMIT = 1.5
_PULSES_PER_LIMIT = 6
#: How long after its end there is a new process that watches the space.
_AGAIN_S = 1.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Watch:
    """The ears of one run of cjcpw.

    Args:
        ownership: `jcq.cluster.acquire.Ownership`.
        owner_uid: the uid that made the site and may direct it, beside root.
        limits: `SiteConf`.
        log: logger.
    """

    def __init__(self, ownership, owner_uid, limits, log):
        self.site = ownership.site
        self.timers = Timers()
        self.page = SitePage.create(limits.fence_timeout_s)
        self.fence = Fence(self.page)
        #: name -> daemon, of those that live, in the order of their start.
        self.alive: dict[str, daemons.Daemon] = {}
        #: The daemon whose readiness is waited for, or None.
        self.awaited: daemons.Daemon | None = None
        #: The epoch while its jcdbs has not answered yet, else 0.
        self.unanswered = 0
        #: From when the site is up until its daemons are gone.
        self.serving = False
        #: jcdbs, lost to a full disk, is being started again.
        self.reviving = False
        self.silence_limit_s = _SILENCE_LIMIT * limits.fence_timeout_s
        self._ownership, self._owner_uid, self._log = ownership, owner_uid, log
        self._beat_every_s = limits.fence_timeout_s / BEATS_PER_LIMIT
        self._events: deque[tuple[str, object]] = deque()
        self._selector = selectors.DefaultSelector()
        self._heart = Heart(self.site, self.page, ownership.run, ownership.locks.beat_fd, log)
        self._keeper = Keeper(self.site, self.page, log, self._selector)
        self._pulse: Pulse | None = None
        self._askers: control.Askers | None = None

    def open(self):
        """Begin to hear, and to write the heartbeat."""
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for signum in (*_STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(signum, lambda *_: None)
        # A resident process: it stays when the terminal that started it goes.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._signalled)
        self._heart.start()
        self.timers.every("fence", self._beat_every_s, self._look_at_heart)
        self._askers = control.Askers(self.site, self._owner_uid, self._selector, self._asked, self._log)

    def close(self, unlink):
        """Hear no more. Args: unlink: see `control.Askers.close`."""
        if self._askers is not None:
            self._askers.close(unlink)
        self._keeper.close()
        signal.set_wakeup_fd(-1)
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def close_log(self):
        """The last act: the log's last lines reach the disk, and the locks are free."""
        self._heart.close()
        self.page.close()

    def wait(self):
        """Wait for something to happen, and make events of it."""
        for key, _ in self._selector.select(self._timeout_s()):
            key.data(key.fileobj)
        reap(self._ended)
        self._ask_jcdbs()
        self.timers.run()

    # --- events ------------------------------------------------------------------------------

    def fire(self, event, detail=None):
        """An event of the table; `detail` is what its action is told."""
        self._events.append((event, detail))

    def next_event(self):
        """The oldest (event, detail), or None. In a run that was replaced it is always that it is lost."""
        if not self._events:
            return None
        event, detail = self._events.popleft()
        try:
            # Whatever has happened: in a run that was replaced while it was frozen it is a sign of that only.
            self.fence.check()
        except Fenced as error:
            return states.LOST, error
        return event, detail

    # --- daemons -----------------------------------------------------------------------------

    def await_ready(self, daemon):
        """Wait for this daemon's readiness; None: for no one's."""
        old = self.awaited
        if old is not None and old.ready_fd >= 0:
            self._selector.unregister(old.ready_fd)
            os.close(old.ready_fd)
            old.ready_fd = -1
        self.awaited = daemon
        if daemon is not None and daemon.ready_fd >= 0:
            self._selector.register(daemon.ready_fd, selectors.EVENT_READ, self._announced)

    def begin_pulse(self):
        """jcdbs is up: ask it now and then whether it lives."""
        self._pulse = Pulse(self.site, self._ownership.epoch, self._selector)
        self.timers.every("pulse", self.silence_limit_s / _PULSES_PER_LIMIT, self._look_at_pulse)

    @property
    def pulse(self):
        """The `Pulse` of jcdbs while the site is up, else None."""
        return self._pulse

    def end_pulse(self):
        """jcdbs is gone, or is going."""
        self.timers.cancel("pulse")
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None

    def forget_daemons(self):
        """They are gone: nothing about them is awaited or heard any more, what was asked for stays."""
        self.await_ready(None)
        self.end_pulse()
        self.alive.clear()
        self.serving = self.reviving = False
        self._events = deque((event, detail) for event, detail in self._events if event in states.ASKED)

    @property
    def helpers(self):
        """Pids of the processes that touch the disk for cjcpw."""
        return self._heart.pid, self._keeper.pid

    def jcdbs_answers(self):
        """Let the keeper know that the server, started again, is there."""
        self._keeper.jcdbs_answers()

    def end_heartbeat(self):
        """The site is lost: nothing more is to be written."""
        self._heart.kill()

    # --- what becomes an event ---------------------------------------------------------------

    def _timeout_s(self):
        if self._events:
            return 0
        if self.awaited is not None and self.awaited.name == daemons.JCDBS:
            return _PING_EVERY_S
        return self.timers.timeout_s()

    def _signalled(self, fd):
        for number in os.read(fd, 4096):
            if number in _STOP_SIGNALS:
                self._log.info("site %s: %s", self.site.name, signal.Signals(number).name)
                self.fire(states.ASK_STOP)

    def _asked(self, word, asker):
        if word != control.STATE:
            self._log.info("site %s: %s asks: %s", self.site.name, asker, word)
        self.fire(word, asker)

    def _look_at_heart(self):
        """At every heartbeat's time: whether the site is still ours, and whether old locks have come free."""
        try:
            self.fence.check()
        except Fenced as error:
            self.fire(states.LOST, error)
            return
        if not self._ownership.locks.complete and self._ownership.locks.try_to_complete():
            self._log.info("site %s: the locks of the old owner have come free", self.site.name)

    def _look_at_pulse(self):
        assert self._pulse is not None
        if self._pulse.silent_s() >= self.silence_limit_s:
            self.fire(states.HUNG)
        else:
            self._pulse.ask()

    def _heart_ended(self, status):
        if os.waitstatus_to_exitcode(status) == Fenced.exit_code:
            self._look_at_heart()
            return
        self._heart.start()
        self._log.warning("site %s: the heartbeat's process %s; a new one beats", self.site.name, describe(status))

    def helper_ended(self, pid, status, _usage=None):
        """Whether it was one of the processes that touch the disk for cjcpw; there is a new one soon."""
        if pid == self._heart.pid:
            self._heart_ended(status)
        elif pid == self._keeper.pid:
            self._log.warning("site %s: the process that watches the space %s", self.site.name, describe(status))
            self.timers.after("keeper", _AGAIN_S, self._keeper.start)
        else:
            return False
        return True

    def _ended(self, pid, status, _usage):
        if self.helper_ended(pid, status):
            return
        daemon = next((daemon for daemon in self.alive.values() if daemon.pid == pid), None)
        if daemon is None:
            return
        del self.alive[daemon.name]
        self.await_ready(None)
        self._log.info("site %s: %s[%d] %s", self.site.name, daemon.name, pid, describe(status))
        event = states.GONE if self.alive else states.ALL_GONE
        if daemon.name == daemons.JCDBS and self.alive and self._ended_full(status):
            event = states.DATABASE_FULL
        self.fire(event, (daemon, status))

    def _ended_full(self, status):
        """Whether jcdbs, which has ended, did so for want of space: by itself, and the disk or its log say so."""
        if not self.serving or os.waitstatus_to_exitcode(status) <= 0:
            return False
        # The process that rewrote its file for it would go on filling the disk.
        known = {self._heart.pid, self._keeper.pid, *(other.pid for other in self.alive.values())}
        signal_descendants([pid for pid in children(os.getpid()) if pid not in known], signal.SIGKILL)
        return self._keeper.jcdbs_ended_full(self._ownership.epoch)

    def _announced(self, fd):
        try:
            said = os.read(fd, 64)
        except BlockingIOError:
            return
        daemon = self.awaited
        self.await_ready(None)
        if said.startswith(b"ready"):
            self._is_ready(daemon)

    def _ask_jcdbs(self):
        daemon = self.awaited
        if daemon is None or daemon.name != daemons.JCDBS:
            return
        if server.ping(self.site, self._ownership.epoch) == "up":
            self.await_ready(None)
            self.unanswered = 0
            if self._keeper.pid < 0:
                # Not before: a start that fails leaves nothing on the disk.
                self._keeper.start()
            if not self.reviving:
                server.link_socket(self.site, self._ownership.epoch)
            self._is_ready(daemon)

    def _is_ready(self, daemon):
        reach("daemon ready")
        self._log.info("site %s: %s[%d] is ready", self.site.name, daemon.name, daemon.pid)
        self.fire(states.ALL_READY if daemon.name == daemons.ORDER[-1] else states.READY)
