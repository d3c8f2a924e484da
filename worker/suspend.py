"""While the disk is short of space: which jobs are suspended, and that they go on when there is space.

A job that writes its output into the last space would take it from what the site has to record. It is
stopped (SIGSTOP to all its processes) and continued later. Nobody sees it die of a full disk if it was
stopped in time. Sources: ha-facts.md section 4, design section 9.
"""

import os
import signal
import time
from dataclasses import dataclass

from jcq.exit_record import run_file
from worker import assignment as stages

#: A job whose spooled output was written to within this time is taken for one that fills the disk.
RECENT_S = 30.0
#: How long a job that was told to end may go on writing before it is suspended again.
_GRACE_S = 5.0
_LOOK_EVERY_S = 0.2
#: How soon the worker has to see that the disk is short: when it soon may be, and else.
_TIGHT_S = 0.1
_EASY_S = 1.0
_STOPPING = frozenset((signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU))


@dataclass(frozen=True)
class Seen:
    """A running job, as far as its suspension is concerned."""

    rid: str
    #: Since 1970: when its spooled output was last written to; 0 for never.
    written_s: float
    #: Since 1970: when it was suspended for want of space; 0: it is not.
    held_s: float
    #: Since 1970: it is left alone until then, for it was told to end.
    spared_until_s: float


def to_suspend(seen, now_s):
    """Which jobs are to be suspended, now that the disk is short of space.

    Args:
        seen: [`Seen`].
        now_s: seconds since 1970, of the clock of `written_s`.
    Returns:
        [rid]: those that wrote a short while ago; one that is suspended and has written since is told again, for
        a process of it may have been missed.
    """
    return [
        job.rid
        for job in seen
        if job.spared_until_s <= now_s and now_s - RECENT_S < job.written_s and job.written_s > job.held_s
    ]


class Suspender:
    """Suspends and resumes the jobs of one worker.

    Args:
        site: the `Site`.
        room: the `Room`.
        running: called without arguments, gives the assignments that there are.
        tell: called with (assignment, message) for its shepherd.
        log: a logger.
    """

    def __init__(self, site, room, running, tell, log):
        self._site, self._room, self._running, self._tell, self._log = site, room, running, tell, log
        self._short = False
        self._here = False
        self._next_look = 0.0
        self._retired = False

    def patience_s(self):
        """How long the loop may wait before `run_once` has something to see, in seconds."""
        if self._room.short:
            return _LOOK_EVERY_S
        return _TIGHT_S if self._room.tight else _EASY_S

    def retire(self):
        """The site stops: resume all, and leave everything alone from now on."""
        self._retired = True
        self._resume()

    def run_once(self):
        """Suspend what fills the disk while it is short, resume it when it is not; costs nothing otherwise."""
        if self._retired:
            return
        if not self._room.short:
            if self._short:
                self._short = False
                self._resume()
                self._room.note_calm(False)
            return
        if not self._short:
            self._short, self._next_look = True, 0.0
            self._here = _same_file_system(self._site.output, self._site.database)
            self._log.warning("the disk is short of space (%d MiB free): nothing is started", self._room.free_mib)
        if self._here and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK_EVERY_S
            self._suspend()
        self._room.note_calm(True)

    def signal(self, assignment, signum):
        """Pass somebody's signal on to a job that may be suspended.

        SIGKILL ends it as it is. Any other that it is to act on needs it awake; it is then spared for a moment.
        A user's SIGSTOP outlives the want of space, and a user's SIGCONT does not end the suspension.
        """
        if signum in _STOPPING:
            assignment.stopped_by_user = True
        elif signum == signal.SIGCONT:
            assignment.stopped_by_user = False
            if assignment.held_s:
                self._log.info("request %s continues when the disk has space", assignment.request.id)
                return
        self._tell(assignment, ("signal", int(signum)))
        if assignment.held_s and signum not in (*_STOPPING, signal.SIGKILL):
            assignment.held_s = 0.0
            assignment.spared_until_s = time.time() + _GRACE_S
            if not assignment.stopped_by_user:
                self._tell(assignment, ("signal", int(signal.SIGCONT)))

    def _suspend(self):
        jobs = {a.request.rid: a for a in self._running() if a.stage == stages.RUNNING and a.shepherd is not None}
        seen = [Seen(rid, self._written_s(a.request), a.held_s, a.spared_until_s) for rid, a in jobs.items()]
        now_s = time.time()
        for rid in to_suspend(seen, now_s):
            if not jobs[rid].held_s:
                self._log.warning("request %s is suspended: it writes into the last space", jobs[rid].request.id)
            jobs[rid].held_s = now_s
            self._tell(jobs[rid], ("signal", int(signal.SIGSTOP)))

    def _resume(self):
        for assignment in self._running():
            if assignment.held_s and assignment.stage == stages.RUNNING and assignment.shepherd is not None:
                assignment.held_s = 0.0
                if not assignment.stopped_by_user:
                    self._log.info("request %s is resumed", assignment.request.id)
                    self._tell(assignment, ("signal", int(signal.SIGCONT)))

    def _written_s(self, request):
        newest = 0.0
        for ending in ("out", "err"):
            try:
                found = os.lstat(run_file(self._site.output, request, ending))
            except OSError:
                continue
            # An empty file was made, not written to.
            newest = max(newest, found.st_mtime if found.st_size else 0.0)
        return newest


def _same_file_system(one, other):
    try:
        return os.stat(one).st_dev == os.stat(other).st_dev
    except OSError:
        return False
