"""cjcpw: starts a site's daemons in order, watches them, and ends them together.

`jcq.cluster.watch` hears what happens, `jcq.cluster.states.TABLE` names the action, and here it is done. While
the site is up no action touches the site's disk, which may hang. Manual 2.1.4, 2.5.5; design section 9.
"""

import os
import signal

from jcq import expected, site_cgroup
from jcq.cluster import daemons, epoch, states
from jcq.cluster.answers import LOOKS_PER_LIMIT, Answers
from jcq.cluster.errors import DaemonDied, StartTimeout, StopIncomplete
from jcq.cluster.notify import Notifier
from jcq.cluster.space import FULL, Reserve
from jcq.cluster.verdict import verdict
from jcq.cluster.waiting import Waiting, answer
from jcq.cluster.watch import Watch
from jcq.crash_points import reach
from jcq.errors import DatabaseUnusable, Fenced, JcqError
from jcq.node import boot_id
from jcq.process import kill_descendants, run_apart

#: After a daemon's death everything is gone within this, or is in D state.
_KILL_LIMIT_S = 4.0
#: A site that has been up for so long needs the older epochs no more.
_HEALTHY_AFTER_S = 600.0
#: On a full disk jcdbs is started again as often.
_AGAIN_S = 1.0


class Supervisor:
    """One run of cjcpw.

    Args:
        ownership: `jcq.cluster.acquire.Ownership`.
        owner_uid: the uid that made the site and may direct it, beside root.
        limits: `SiteConf`.
        log: logger.
        maintenance: start no daemons (manual 2.5.5).
        announce: called once, when the site is up.
        notifier: the `Notifier` of the service manager; None: there is none.
    """

    def __init__(self, ownership, owner_uid, limits, log, maintenance=False, announce=None, notifier=None):
        self.site = ownership.site
        self.state = states.STARTING
        #: The `JcqError` that ended the run, or None.
        self.failure: JcqError | None = None
        self._ownership = ownership
        self._limits = limits
        self._log = log
        self._maintenance = maintenance
        self._announce = announce
        self._watch = Watch(ownership, owner_uid, limits, log)
        self._notifier = notifier or Notifier()
        self._answers = Answers(self._watch.page, self._notifier.watchdog_s)
        self._reserve = Reserve(self.site)
        #: Path of the cgroup of the jobs, known before the disk can hang.
        self._cgroup = site_cgroup.place(self.site.directory, boot_id(ownership.root))
        #: The disk hangs or is another owner's: nothing may be written to it any more.
        self._disk_lost = False
        self._waiting = Waiting()

    def run(self):
        """Run until the site has ended; `failure` says how."""
        self._watch.open()
        if self._notifier.watchdog_s:
            self._watch.timers.every("tick", self._notifier.watchdog_s / LOOKS_PER_LIMIT, self._tick)
        try:
            self._begin()
            while self.state != states.ENDED:
                self.run_once()
        finally:
            self._watch.close(unlink=not self._disk_lost)

    def close(self):
        """The last act: the log's last lines reach the disk, and the locks are free."""
        self._watch.close_log()

    def run_once(self):
        """One turn of the loop: wait for something, turn it into events, act on them."""
        self._watch.wait()
        self._act()

    def _begin(self):
        if self._maintenance:
            self._log.info("site %s: maintenance=ON, no daemon is started", self.site.name)
            self.state = states.PAUSED
            expected.say(self.site, expected.STOPPED)
            self._tell()
        else:
            self._tell()
            self._guarded(self.do_start_first)
            self._act()

    def _act(self):
        while self.state != states.ENDED and (happened := self._watch.next_event()):
            event, detail = happened
            action, target = states.TABLE[self.state][event]
            # Cluster software asks for the state every few seconds.
            if event != states.ASK_STATE and (action != states.NOTHING or target != self.state):
                self._log.info("site %s: %s, was %s: %s", self.site.name, event, self.state, action)
            self.state = target
            if action != states.NOTHING:
                self._guarded(getattr(self, f"do_{action}"), detail)
            self._tell()

    def _tell(self):
        """Tell the service manager where the site has got to."""
        self._notifier.state(self.state, self.site.name, self._ownership.epoch, self._limits, self.failure)

    def _tick(self):
        """Keep the service manager's watchdog quiet: the site answers, or cjcpw itself sees to it within limits."""
        if self.state != states.UP or self._watch.pulse is None:
            self._answers.forget()
            self._notifier.tick()
        elif self._answers.look(self._watch.pulse):
            self._notifier.tick()

    def _guarded(self, action, *arguments):
        """Run an action; what it cannot do (no disk, no process) ends the run as a daemon's death does."""
        try:
            action(*arguments)
        except (JcqError, OSError) as error:
            failure = error
            if not isinstance(error, JcqError):
                failure = DatabaseUnusable(site=self.site.name, reason=str(error))
            self._fall(failure)

    # --- actions of the table ----------------------------------------------------------------

    def do_start_first(self, _detail=None):
        """A new epoch, and the first daemon."""
        self._within(self._limits.boot_timeout_s, states.START_LATE)
        self._make_room()
        expected.say(self.site, expected.RUNNING)
        number = self._watch.unanswered = self._with_room(
            lambda: self._ownership.next_epoch(self._limits.boot_timeout_s)
        )
        self._watch.page.database_starts = 0
        self._log.info("site %s: starting, epoch %d, %s", self.site.name, number, self._ownership.server_version)
        self._start(daemons.ORDER[0])

    def do_start_next(self, _detail):
        """The daemon after those that live."""
        self._start(daemons.ORDER[len(self._watch.alive)])

    def do_announce(self, _detail):
        """The site is up."""
        self._watch.timers.cancel("late")
        reach("announce begin")
        self._ownership.note_up()
        self._watch.serving = True
        self._watch.begin_pulse()
        self._watch.timers.after("prune", _HEALTHY_AFTER_S, self._prune)
        self._log.info("site %s: up, epoch %d", self.site.name, self._ownership.epoch)
        self._waiting.answer(self.state, "the site is up")
        if self._announce:
            self._announce()
            self._announce = None
        reach("announce end")

    def do_revive(self, _detail):
        """jcdbs has ended over a full disk: start it again in the same epoch, so that what ends can be recorded."""
        self._watch.end_pulse()
        self._watch.reviving = True
        self._within(self._limits.boot_timeout_s, states.START_LATE)
        self._start(daemons.JCDBS, again=True)
        count = self._watch.page.database_starts
        self._log.warning("site %s: full disk: jcdbs is started again, for the %d. time", self.site.name, count)

    def do_revive_later(self, _detail):
        """It has ended again: there is still no space."""
        self._watch.timers.cancel("late")
        self._watch.timers.after("revive", _AGAIN_S, lambda: self._watch.fire(states.REVIVE))

    def do_revived(self, _detail):
        """jcdbs answers again, and the other daemons go on."""
        self._watch.timers.cancel("late")
        self._watch.reviving = False
        self._watch.jcdbs_answers()
        self._watch.begin_pulse()

    def do_begin_resume(self, asker):
        """nqsstart under a cjcpw that rests."""
        self._waiting.add(asker, states.UP)
        self.do_start_first()

    def do_begin_stop(self, asker):
        """SIGTERM to one daemon after the other."""
        self._begin_stop()
        answer(asker, 0, "the site is being stopped")

    def do_begin_pause(self, asker):
        """As a stop, but cjcpw stays."""
        self._waiting.add(asker, states.PAUSED)
        self._begin_stop()

    def do_stop_next(self, _detail):
        """SIGTERM to the last started of those that live."""
        last = next((self._watch.alive[name] for name in reversed(daemons.ORDER) if name in self._watch.alive), None)
        if last is not None:
            os.kill(last.pid, signal.SIGTERM)

    def do_rest(self, _detail):
        """All daemons have ended in order; cjcpw stays."""
        self._clear_to_rest()
        self._waiting.answer(self.state, "the daemons are stopped")

    def do_rest_by_force(self, _detail):
        """They took longer than STOP_TIMEOUT."""
        self._clear_to_rest()
        self._waiting.answer(self.state, f"the daemons were killed after {self._limits.stop_timeout_s:g} s")

    def do_end(self, _detail):
        """The clean end."""
        self._end(None)

    def do_end_resting(self, asker):
        """The clean end of a cjcpw that has no daemons."""
        answer(asker, 0, "the site is being stopped")
        self._end(None)

    def do_end_by_force(self, _detail):
        """STOP_TIMEOUT is over: kill, and say that it was no clean stop."""
        late = ", ".join(self._watch.alive)
        what = f"{late} did not end within {self._limits.stop_timeout_s:g} s and was killed"
        self._end(StopIncomplete(site=self.site.name, what=what))

    def do_fail(self, ended):
        """A daemon died: kill the rest at once."""
        self._end(self._verdict(ended))

    def do_fail_hung(self, _detail):
        """jcdbs lives and does not answer."""
        jcdbs = self._watch.alive[daemons.JCDBS]
        how = f"has not answered for {self._watch.silence_limit_s:g} s"
        self._end(DaemonDied(what=f"{jcdbs.name}[{jcdbs.pid}]", site=self.site.name, how=how))

    def do_fence(self, lost):
        """The site is lost: kill all at once, and write nothing more to its disk."""
        self.state = states.ENDED
        self.failure = lost
        self._disk_lost = True
        self._watch.end_heartbeat()
        site_cgroup.kill(self._cgroup)
        left = kill_descendants(_KILL_LIMIT_S)
        site_cgroup.remove(self._cgroup)
        if left:
            self._log.error("site %s: SIGKILL does not end %s", self.site.name, left)
        self._waiting.answer(self.state, f"cjcpw has ended: {lost}")

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
        self._waiting.add(asker, states.PAUSED if self.state == states.PAUSING else states.UP)

    def do_agree(self, asker):
        """It is so already, or goes on anyway."""
        answer(asker, 0, f"the site is {self.state}")

    def do_tell(self, asker):
        """The state itself is the answer."""
        answer(asker, 0, self.state)

    def do_refuse(self, asker):
        """Not now."""
        answer(asker, 1, f"the site is {self.state}; try again when that is done")

    # --- parts of actions --------------------------------------------------------------------

    def _start(self, name, again=False):
        daemon = daemons.start(name, self._ownership.launch(self._watch.page.fd), again)
        reach("daemon forked")
        self._watch.alive[name] = daemon
        if name == daemons.JCDBS:
            self._watch.page.database_starts += 1
        if again:
            # Apart: the disk may be full, and what it does not take is no end of the site.
            run_apart(lambda: self._ownership.note(name, daemon.pid))
        else:
            self._ownership.note(name, daemon.pid)
        reach("daemon noted")
        self._watch.await_ready(daemon)

    def _make_room(self):
        """Before a start: where the disk is short of space the reserve is freed, and the site starts as a short one."""
        if self._reserve.make_room():
            self._watch.page.short = 1

    def _with_room(self, write):
        """Write a record; where the disk is full, the reserve is freed for it."""
        try:
            return write()
        except OSError as error:
            if error.errno not in FULL or not self._reserve.free():
                raise
            return write()

    def _prune(self):
        """Apart: a disk that hangs just then hangs that process only."""
        run_apart(lambda: epoch.prune(self.site))

    def _within(self, limit_s, event):
        self._watch.timers.after("late", limit_s, lambda: self._watch.fire(event))

    def _begin_stop(self):
        self._watch.await_ready(None)
        self._within(self._limits.stop_timeout_s, states.STOP_LATE)
        self.do_stop_next(None)

    def _clear(self):
        """Kill every descendant until none is left; returns the pids of those that outlive it."""
        for name in ("late", "prune", "revive"):
            self._watch.timers.cancel(name)
        self._watch.await_ready(None)
        self._watch.end_pulse()
        site_cgroup.kill(self._cgroup)
        left = kill_descendants(_KILL_LIMIT_S, self._watch.helper_ended, self._watch.helpers)
        site_cgroup.remove(self._cgroup)
        self._watch.forget_daemons()
        if left:
            # In D state: the disk hangs, and whoever touches it now would hang too.
            self._disk_lost = True
            self._log.error("site %s: SIGKILL does not end %s", self.site.name, left)
            return left
        if self._watch.unanswered:
            epoch.discard(self.site, self._watch.unanswered)
            self._watch.unanswered = 0
        self._with_room(lambda: self._ownership.forget(*daemons.ORDER))
        return left

    def _clear_to_rest(self):
        if not self._clear():
            expected.say(self.site, expected.STOPPED)

    def _end(self, failure):
        self.state = states.ENDED
        self.failure = failure
        try:
            left = self._clear()
            if left:
                what = "SIGKILL does not end " + ", ".join(map(str, left))
                self.failure = failure or StopIncomplete(site=self.site.name, what=what)
            else:
                if failure is None or isinstance(failure, StopIncomplete):
                    # On purpose. After a failure the site is to be running, here or elsewhere.
                    expected.say(self.site, expected.STOPPED)
                self._with_room(self._ownership.release)
        except Fenced as error:
            self._disk_lost = True
            self.failure = error
        except OSError as error:
            # All is gone, but the disk takes no record of it any more.
            self.failure = failure or DatabaseUnusable(site=self.site.name, reason=str(error))
        self._waiting.answer(self.state, "cjcpw has ended: " + str(self.failure or "asked to stop"))

    def _fall(self, failure):
        """An action failed: rest again under nqsstart, else end."""
        if self.state == states.RESUMING:
            self.state = states.PAUSED
            self._fall_back(failure)
        else:
            self._end(failure)

    def _fall_back(self, failure):
        self._log.error("site %s: %s; cjcpw rests", self.site.name, failure)
        self._clear_to_rest()
        self._waiting.answer(self.state, str(failure))

    def _verdict(self, ended):
        daemon, status = ended
        return verdict(
            self.site, self._ownership.epoch, daemon.name, daemon.pid, status, while_starting=not self._watch.serving
        )

    def _too_late(self):
        missing = self._watch.awaited.name if self._watch.awaited else "a daemon"
        return StartTimeout(site=self.site.name, limit_s=f"{self._limits.boot_timeout_s:g}", what=missing)
