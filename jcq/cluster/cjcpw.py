"""cjcpw: starts a site's daemons in order, watches them, and ends them together.

An event loop around `jcq.cluster.states.TABLE`: descriptors, signals and clocks become events, the
table names the action. While the site is up the loop never touches the site's disk, which may hang: what
has to be written is written by `jcq.cluster.heart`. Manual 2.1.4, 2.5.5; design section 9.
"""

import os
import selectors
import signal
from collections import deque

from jcq.cluster import control, daemons, epoch, states
from jcq.cluster.heart import Heart
from jcq.cluster.heartbeat import BEATS_PER_LIMIT
from jcq.cluster.pulse import Pulse
from jcq.cluster.timers import Timers
from jcq.cluster.verdict import describe, verdict
from jcq.errors import DaemonDied, DatabaseUnusable, Fenced, JcqError, StartTimeout, StopIncomplete
from jcq.jcdbs import server
from jcq.process import kill_descendants, reap, run_apart
from jcq.site_page import Fence, SitePage

#: jcdbs cannot announce that it is ready, so it is asked.
_PING_EVERY_S = 0.01
#: After a daemon's death everything is gone within this, or is in D state.
_KILL_LIMIT_S = 4.0
#: jcdbs is asked so often whether it lives, and is given up when it has been silent for so long.
_PULSE_EVERY_S = 5.0
_PULSE_LIMIT_S = 30.0
#: A site that has been up for so long needs the older epochs no more.
_HEALTHY_AFTER_S = 600.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Supervisor:
    """One run of cjcpw.

    Args:
        ownership: `jcq.cluster.acquire.Ownership`.
        owner_uid: the uid that made the site and may direct it, beside root.
        limits: `SiteConf`.
        log: logger.
        maintenance: start no daemons (manual 2.5.5).
        announce: called once, when the site is up.
    """

    def __init__(self, ownership, owner_uid, limits, log, maintenance=False, announce=None):
        self.site = ownership.site
        self.state = states.STARTING
        #: The `JcqError` that ended the run, or None.
        self.failure: JcqError | None = None
        self._ownership = ownership
        self._owner_uid = owner_uid
        self._limits = limits
        self._log = log
        self._maintenance = maintenance
        self._announce = announce
        self._page = SitePage.create(limits.fence_timeout_s)
        self._fence = Fence(self._page)
        self._heart = Heart(self.site, self._page, ownership.run, ownership.locks.beat_fd, log)
        self._pulse: Pulse | None = None
        self._timers = Timers()
        self._alive: dict[str, daemons.Daemon] = {}
        self._awaited: daemons.Daemon | None = None
        self._waiting: list[tuple[control.Asker, str]] = []
        #: The epoch while its jcdbs has not answered yet, else 0.
        self._unanswered = 0
        self._events: deque[tuple[str, object]] = deque()
        self._selector = selectors.DefaultSelector()
        self._askers: control.Askers | None = None

    def run(self):
        """Run until the site has ended; `failure` says how."""
        self._open()
        try:
            while self.state != states.ENDED:
                self.run_once()
        finally:
            self._close()

    def close(self):
        """The last act: the log's last lines reach the disk, and the locks are free."""
        self._heart.close()
        self._page.close()

    def run_once(self):
        """One turn of the loop: wait for something, turn it into events, act on them."""
        for key, _ in self._selector.select(self._timeout_s()):
            key.data(key.fileobj)
        reap(self._ended)
        self._ask_jcdbs()
        self._timers.run()
        self._act()

    # --- what becomes an event ---------------------------------------------------------------

    def _open(self):
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for signum in (*_STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(signum, lambda *_: None)
        # A resident process: it stays when the terminal that started it goes.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._signalled)
        self._heart.start()
        self._timers.every("fence", self._limits.fence_timeout_s / BEATS_PER_LIMIT, self._look_at_heart)
        self._askers = control.Askers(self.site, self._owner_uid, self._selector, self._asked, self._log)
        if self._maintenance:
            self._log.info("site %s: maintenance=ON, no daemon is started", self.site.name)
            self.state = states.PAUSED
        else:
            self._guarded(self.do_start_first)
            self._act()

    def _close(self):
        if self._askers is not None:
            self._askers.close()
        signal.set_wakeup_fd(-1)
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _fire(self, event, detail=None):
        self._events.append((event, detail))

    def _act(self):
        while self._events and self.state != states.ENDED:
            event, detail = self._events.popleft()
            action, target = states.TABLE[self.state][event]
            if action != states.NOTHING or target != self.state:
                self._log.info("site %s: %s, was %s: %s", self.site.name, event, self.state, action)
            self.state = target
            if action != states.NOTHING:
                self._guarded(getattr(self, f"do_{action}"), detail)

    def _guarded(self, action, *arguments):
        """Run an action; what it cannot do (no disk, no process) ends the run as a daemon's death does."""
        try:
            action(*arguments)
        except (JcqError, OSError) as error:
            failure = error
            if not isinstance(error, JcqError):
                failure = DatabaseUnusable(site=self.site.name, reason=str(error))
            self._fall(failure)

    def _timeout_s(self):
        if self._events:
            return 0
        if self._awaited is not None and self._awaited.name == daemons.JCDBS:
            return _PING_EVERY_S
        return self._timers.timeout_s()

    def _signalled(self, fd):
        for number in os.read(fd, 4096):
            if number in _STOP_SIGNALS:
                self._log.info("site %s: %s", self.site.name, signal.Signals(number).name)
                self._fire(states.ASK_STOP)

    def _asked(self, word, asker):
        self._log.info("site %s: %s asks: %s", self.site.name, asker, word)
        self._fire(word, asker)

    def _look_at_heart(self):
        """At every heartbeat's time: whether the site is still ours, and whether old locks have come free."""
        try:
            self._fence.check()
        except Fenced as error:
            self._fire(states.LOST, error)
            return
        if not self._ownership.locks.complete and self._ownership.locks.try_to_complete():
            self._log.info("site %s: the locks of the old owner have come free", self.site.name)

    def _look_at_pulse(self):
        assert self._pulse is not None
        if self._pulse.silent_s() >= _PULSE_LIMIT_S:
            self._fire(states.HUNG)
        else:
            self._pulse.ask()

    def _heart_ended(self, status):
        if os.waitstatus_to_exitcode(status) == Fenced.exit_code:
            self._look_at_heart()
            return
        self._heart.start()
        self._log.warning("site %s: the heartbeat's process %s; a new one beats", self.site.name, describe(status))

    def _heart_only(self, pid, status, _usage):
        if pid == self._heart.pid:
            self._heart_ended(status)

    def _ended(self, pid, status, _usage):
        if pid == self._heart.pid:
            self._heart_ended(status)
            return
        daemon = next((daemon for daemon in self._alive.values() if daemon.pid == pid), None)
        if daemon is None:
            return
        del self._alive[daemon.name]
        self._await(None)
        self._log.info("site %s: %s[%d] %s", self.site.name, daemon.name, pid, describe(status))
        self._fire(states.GONE if self._alive else states.ALL_GONE, (daemon, status))

    def _announced(self, fd):
        try:
            said = os.read(fd, 64)
        except BlockingIOError:
            return
        daemon = self._awaited
        self._await(None)
        if said.startswith(b"ready"):
            self._is_ready(daemon)

    def _ask_jcdbs(self):
        daemon = self._awaited
        if daemon is None or daemon.name != daemons.JCDBS:
            return
        if server.ping(self.site, self._ownership.epoch) == "up":
            self._await(None)
            self._unanswered = 0
            server.link_socket(self.site, self._ownership.epoch)
            self._is_ready(daemon)

    def _is_ready(self, daemon):
        self._log.info("site %s: %s[%d] is ready", self.site.name, daemon.name, daemon.pid)
        self._fire(states.ALL_READY if daemon.name == daemons.ORDER[-1] else states.READY)

    def _await(self, daemon):
        """Wait for this daemon's readiness; None: for no one's."""
        old = self._awaited
        if old is not None and old.ready_fd >= 0:
            self._selector.unregister(old.ready_fd)
            os.close(old.ready_fd)
            old.ready_fd = -1
        self._awaited = daemon
        if daemon is not None and daemon.ready_fd >= 0:
            self._selector.register(daemon.ready_fd, selectors.EVENT_READ, self._announced)

    # --- actions of the table ----------------------------------------------------------------

    def do_start_first(self, _detail=None):
        """A new epoch, and the first daemon."""
        self._within(self._limits.boot_timeout_s, states.START_LATE)
        number = self._unanswered = self._ownership.next_epoch()
        self._page.database_starts = 0
        self._log.info("site %s: starting, epoch %d, %s", self.site.name, number, self._ownership.server_version)
        self._start(daemons.ORDER[0])

    def do_start_next(self, _detail):
        """The daemon after those that live."""
        self._start(daemons.ORDER[len(self._alive)])

    def do_announce(self, _detail):
        """The site is up."""
        self._timers.cancel("late")
        self._ownership.note_up()
        self._pulse = Pulse(self.site, self._ownership.epoch, self._selector)
        self._timers.every("pulse", _PULSE_EVERY_S, self._look_at_pulse)
        self._timers.after("prune", _HEALTHY_AFTER_S, self._prune)
        self._log.info("site %s: up, epoch %d", self.site.name, self._ownership.epoch)
        self._answer_waiting("the site is up")
        if self._announce:
            self._announce()
            self._announce = None

    def do_begin_resume(self, asker):
        """nqsstart under a cjcpw that rests."""
        self._waiting.append((asker, states.UP))
        self.do_start_first()

    def do_begin_stop(self, asker):
        """SIGTERM to one daemon after the other."""
        self._begin_stop()
        _answer(asker, 0, "the site is being stopped")

    def do_begin_pause(self, asker):
        """As a stop, but cjcpw stays."""
        self._waiting.append((asker, states.PAUSED))
        self._begin_stop()

    def do_stop_next(self, _detail):
        """SIGTERM to the last started of those that live."""
        last = next((self._alive[name] for name in reversed(daemons.ORDER) if name in self._alive), None)
        if last is not None:
            os.kill(last.pid, signal.SIGTERM)

    def do_rest(self, _detail):
        """All daemons have ended in order; cjcpw stays."""
        self._clear()
        self._answer_waiting("the daemons are stopped")

    def do_rest_by_force(self, _detail):
        """They took longer than STOP_TIMEOUT."""
        self._clear()
        self._answer_waiting(f"the daemons were killed after {self._limits.stop_timeout_s:g} s")

    def do_end(self, _detail):
        """The clean end."""
        self._end(None)

    def do_end_resting(self, asker):
        """The clean end of a cjcpw that has no daemons."""
        _answer(asker, 0, "the site is being stopped")
        self._end(None)

    def do_end_by_force(self, _detail):
        """STOP_TIMEOUT is over: kill, and say that it was no clean stop."""
        late = ", ".join(self._alive)
        what = f"{late} did not end within {self._limits.stop_timeout_s:g} s and was killed"
        self._end(StopIncomplete(site=self.site.name, what=what))

    def do_fail(self, ended):
        """A daemon died: kill the rest at once."""
        self._end(self._verdict(ended))

    def do_fail_hung(self, _detail):
        """jcdbs lives and does not answer."""
        jcdbs = self._alive[daemons.JCDBS]
        how = f"has not answered for {_PULSE_LIMIT_S:g} s"
        self._end(DaemonDied(what=f"{jcdbs.name}[{jcdbs.pid}]", site=self.site.name, how=how))

    def do_fence(self, lost):
        """The site is lost: kill all at once, and write nothing more to its disk."""
        self.state = states.ENDED
        self.failure = lost
        self._heart.kill()
        left = kill_descendants(_KILL_LIMIT_S)
        if left:
            self._log.error("site %s: SIGKILL does not end %s", self.site.name, left)
        self._answer_waiting(f"cjcpw has ended: {lost}")

    def do_fail_late(self, _detail):
        """BOOT_TIMEOUT is over."""
        self._end(self._too_late())

    def do_fall_back(self, ended):
        """A daemon died under nqsstart: rest again, so that an administrator's trial moves no site."""
        self._fall_back(self._verdict(ended))

    def do_fall_back_late(self, _detail):
        """BOOT_TIMEOUT is over under nqsstart."""
        self._fall_back(self._too_late())

    def do_wait_along(self, asker):
        """What is asked for is under way: answer when it is done."""
        self._waiting.append((asker, states.PAUSED if self.state == states.PAUSING else states.UP))

    def do_agree(self, asker):
        """It is so already, or goes on anyway."""
        _answer(asker, 0, f"the site is {self.state}")

    def do_refuse(self, asker):
        """Not now."""
        _answer(asker, 1, f"the site is {self.state}; try again when that is done")

    # --- parts of actions --------------------------------------------------------------------

    def _start(self, name):
        daemon = daemons.start(name, self._ownership.launch(self._page.fd))
        self._alive[name] = daemon
        self._ownership.note(name, daemon.pid)
        self._await(daemon)

    def _prune(self):
        """Apart: a disk that hangs just then hangs that process only."""
        run_apart(lambda: epoch.prune(self.site))

    def _within(self, limit_s, event):
        self._timers.after("late", limit_s, lambda: self._fire(event))

    def _begin_stop(self):
        self._await(None)
        self._within(self._limits.stop_timeout_s, states.STOP_LATE)
        self.do_stop_next(None)

    def _clear(self):
        """Kill every descendant until none is left; returns the pids of those that outlive it."""
        self._await(None)
        for name in ("late", "pulse", "prune"):
            self._timers.cancel(name)
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None
        left = kill_descendants(_KILL_LIMIT_S, self._heart_only, spared=(self._heart.pid,))
        self._alive.clear()
        asked = [(event, detail) for event, detail in self._events if event in states.ASKED]
        self._events = deque(asked)
        if left:
            # In D state: the disk hangs, and whoever touches it now would hang too.
            self._log.error("site %s: SIGKILL does not end %s", self.site.name, left)
            return left
        if self._unanswered:
            epoch.discard(self.site, self._unanswered)
            self._unanswered = 0
        self._ownership.forget(*daemons.ORDER)
        return left

    def _end(self, failure):
        self.state = states.ENDED
        self.failure = failure
        try:
            left = self._clear()
            if left:
                what = "SIGKILL does not end " + ", ".join(map(str, left))
                self.failure = failure or StopIncomplete(site=self.site.name, what=what)
            else:
                self._ownership.release()
        except OSError as error:
            # All is gone, but the disk takes no record of it any more.
            self.failure = failure or DatabaseUnusable(site=self.site.name, reason=str(error))
        self._answer_waiting("cjcpw has ended: " + str(self.failure or "asked to stop"))

    def _fall(self, failure):
        """An action failed: rest again under nqsstart, else end."""
        if self.state == states.RESUMING:
            self.state = states.PAUSED
            self._fall_back(failure)
        else:
            self._end(failure)

    def _fall_back(self, failure):
        self._log.error("site %s: %s; cjcpw rests", self.site.name, failure)
        self._clear()
        self._answer_waiting(str(failure))

    def _verdict(self, ended):
        daemon, status = ended
        while_starting = self._pulse is None
        return verdict(self.site, self._ownership.epoch, daemon.name, daemon.pid, status, while_starting)

    def _too_late(self):
        missing = self._awaited.name if self._awaited else "a daemon"
        return StartTimeout(site=self.site.name, limit_s=f"{self._limits.boot_timeout_s:g}", what=missing)

    def _answer_waiting(self, text):
        """Answer everyone who waits: 0 where the state is the one that was asked for."""
        for asker, wanted in self._waiting:
            _answer(asker, 0 if self.state == wanted else 1, text)
        self._waiting.clear()


def _answer(asker, code, text):
    """`asker` is None where a signal asked."""
    if asker is not None:
        asker.answer(code, text)
