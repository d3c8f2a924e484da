"""Carries requests out: each is handed to a shepherd, runs, is recorded, has its output delivered, and is let go.

Nothing is handed to a shepherd without a claim of this epoch, and nothing is delivered before its end
is recorded. What has to be recorded goes to `worker.news`; what follows then, follows here.
"""

import os
from collections import deque

from jcq import exit_record
from jcq.errors import JcqError
from jcq.jcdbs.errors import LostClaim
from jcq.model import lifecycle
from worker import assignment as stages
from worker import notice
from worker.account import account_of
from worker.assignment import Assignment
from worker.delivery import KEPT
from worker.errors import AccountRefused, MessageTooLong
from worker.pool import IDLE_MAX, Pool
from worker.specs import deliver_spec, run_spec, spooled_files

_RETRY_DELIVERY = 3


class Executor:
    """The requests of one worker that are on their way.

    Args:
        site: the `Site`.
        launcher: the running `Launcher`.
        selector: the loop's selector, whose data are functions without arguments.
        fence: the `Fence`: a worker that was frozen starts and delivers nothing.
        news: the `News`.
        tidy: the `Tidy`, which gets the files that are needed no more.
        files_limit: (soft, hard) of open files for jobs.
        site_gid: additional group of the site's jobs, or None.
        log: a logger.
    """

    def __init__(self, site, launcher, selector, fence, news, tidy, files_limit, site_gid, log):
        self._site, self._fence, self._news, self._tidy, self._log = site, fence, news, tidy, log
        self._files_limit, self._site_gid = files_limit, site_gid
        self._as_root = os.geteuid() == 0
        #: rid -> Assignment
        self._assignments = {}
        #: Those that no shepherd was free for.
        self._waiting = deque()
        self._pool = Pool(launcher, selector, log, self._rest, self._note, self._lose)

    @property
    def busy(self):
        """How many requests are on their way."""
        return len(self._assignments)

    @property
    def all_gone(self):
        """Whether no request is on its way, and nothing is left of what jobs left on purpose."""
        return not self._assignments and not self._pool.kept

    def assignments(self):
        """A list of the requests that are on their way, as `Assignment`."""
        return list(self._assignments.values())

    def find(self, rid):
        """The `Assignment` of a request, or None where it is not on its way."""
        return self._assignments.get(rid)

    # --- taking ------------------------------------------------------------------------------

    def order_shepherd(self):
        """Have one more shepherd ready. Raises LauncherFailed."""
        self._pool.order()

    def order_again(self):
        """After no shepherd could be made: order anew for what waits, after a pause. Raises LauncherFailed."""
        self._pool.order_again(len(self._waiting))

    def start(self, request):
        """Run a request that was claimed.

        Raises:
            LauncherFailed: no job can be started any more. Fenced: no heartbeat was written in time.
        """
        if self._is_damaged(request):
            return
        try:
            account = account_of(request, os.geteuid())
        except AccountRefused as error:
            self._report("failed", Assignment(request, None), str(error))
            return
        self._take(Assignment(request, account))

    def adopt(self, request):
        """Deliver the output of a request, which an earlier run left. Raises as `start`."""
        if self._is_damaged(request):
            return
        try:
            account = account_of(request, os.geteuid())
        except AccountRefused as error:
            self._report("delivered", Assignment(request, None), f"output {KEPT}: {error}")
            return
        try:
            notice.leave(self._site, request, account)
        except OSError as error:
            self._log.warning("request %s: its owner cannot be told that it is purged: %s", request.id, error)
        self._log.info("deliver the output of %s, which an earlier run left", request.id)
        self._take(Assignment(request, account))

    def _is_damaged(self, request):
        """Whether a request's record cannot be trusted; it then goes into the lost-and-found and is not touched."""
        flaw = request.flaw()
        if flaw:
            self._log.error("request %s is damaged: %s; qmgr show lost_found", request.rid, flaw)
            self._report("damaged", Assignment(request, None), flaw)
        return bool(flaw)

    # --- handing to shepherds ----------------------------------------------------------------

    def tell(self, assignment, message):
        """Send a message to an assignment's shepherd; False where it is gone."""
        try:
            return self._pool.send(assignment.shepherd, message)
        except MessageTooLong as error:
            self._report("failed", assignment, str(error))
            return True

    def _take(self, assignment):
        self._assignments[assignment.request.rid] = assignment
        idle = self._pool.take_idle()
        if idle:
            self._give(assignment, idle)
            return
        self._waiting.append(assignment)
        # A run slot is a promise; deliveries that an earlier run left, thousands perhaps, take turns.
        if not assignment.to_deliver or self._pool.ordered < IDLE_MAX:
            self._pool.order()

    def _give(self, assignment, shepherd):
        """Hand an assignment to a shepherd that has nothing to do."""
        self._fence.wait_young()
        self._pool.assign(shepherd, assignment)
        if assignment.to_deliver:
            assignment.stage = stages.DELIVERING
            order = deliver_spec(assignment.request, assignment.account, self._site, self._as_root)
            message = ("deliver", order)
        else:
            assignment.stage = stages.RUNNING
            order = run_spec(
                assignment.request, assignment.account, self._site, self._files_limit, self._as_root, self._site_gid
            )
            message = ("run", order)
        if not self.tell(assignment, message):
            # It had ended with nothing to do, so nothing of this has run: another one takes it.
            self._pool.unassign(assignment)
            assignment.stage = stages.WAITING
            self._waiting.append(assignment)
            self._pool.order()
        elif message[0] == "run":
            for signum in assignment.pending_signals:
                self.tell(assignment, ("signal", signum))
            assignment.pending_signals.clear()

    def _deliver(self, assignment):
        assignment.request.state = lifecycle.EXITING
        if assignment.shepherd is None:
            self._take(assignment)
        else:
            self._give(assignment, assignment.shepherd)

    def _release(self, assignment):
        """Nothing more to do for it; its shepherd takes the next one."""
        self._assignments.pop(assignment.request.rid, None)
        shepherd = self._pool.unassign(assignment)
        if shepherd is not None:
            self._rest(shepherd)

    def _rest(self, shepherd):
        """A shepherd has nothing to do: it takes what waits, or rests."""
        if self._waiting and shepherd.fileno() >= 0:
            self._give(self._waiting.popleft(), shepherd)
        else:
            self._pool.rest(shepherd)

    # --- hearing from shepherds --------------------------------------------------------------

    def _note(self, assignment, message):
        """A shepherd says something about its assignment."""
        kind = message[0]
        if kind == "begun":
            self._report("begun", assignment, message[1:3])
        elif kind == "ended":
            assignment.end(message[1])
            if message[1]["note"]:
                self._log.warning("request %s: %s", assignment.request.id, message[1]["note"])
            if message[1].get("background"):
                self._keep(assignment, message[1]["background"])
            self._report("ended", assignment)
        elif kind == "failed" and message[2:] == (True,):
            # A full disk is no fault of the request: it stays queued until there is space.
            self._report("returned", assignment, message[1])
        elif kind == "failed":
            self._report("failed", assignment, message[1])
        elif kind == "delivered":
            assignment.stage = stages.DELIVERED
            self._report("delivered", assignment, message[1])
        elif kind == "stopped" and assignment.stage == stages.RUNNING:
            # One that had ended before the order was read is recorded and delivered as ever.
            self._log.info("request %s is interrupted by the stop", assignment.request.id)
            self._release(assignment)

    def _keep(self, assignment, pids):
        """Its queue lets processes live on, and it has left some; another shepherd takes the slot."""
        request = assignment.request
        self._log.info(
            "request %s of %s: %d processes live on in the background: %s",
            request.id, request.user or request.uid, len(pids), " ".join(map(str, pids)),
        )  # fmt: skip
        self._pool.keep(assignment)

    def _lose(self, assignment):
        """Its shepherd has ended unasked."""
        if assignment.stage == stages.RUNNING:
            assignment.end(exit_record.read(exit_record.run_file(self._site.output, assignment.request, "exit")))
            self._report("ended", assignment)
        elif assignment.stage == stages.DELIVERING:
            assignment.tries += 1
            if assignment.tries < _RETRY_DELIVERY:
                self._take(assignment)
            else:
                self._report("delivered", assignment, f"output {KEPT}: its shepherd was killed each time")

    # --- recording ---------------------------------------------------------------------------

    def _report(self, kind, assignment, details=None):
        self._news.report(kind, assignment, details, len(self._assignments))

    def follow(self, kind, assignment, details, result):
        """Do what follows when the database was told a piece of news.

        Args:
            kind, assignment, details: see `News`.
            result: what the database answered; a JcqError where it refused.
        Raises:
            As `start`.
        """
        request = assignment.request
        if isinstance(result, JcqError):
            self._log.error("%s of %s was refused: %s", kind, request.id, result)
            if kind == "begun" and isinstance(result, LostClaim) and assignment.shepherd:
                self.tell(assignment, ("signal", 9))
            elif kind != "begun":
                self._release(assignment)
            return
        if kind == "ended":
            self._log.info(
                "request %s attempt %d: %s, exit code %d, signal %d, %.2f CPU s",
                request.id, request.attempt, request.outcome, request.exit_code, request.signal, request.cpu_s,
            )  # fmt: skip
            if result:
                # qrerun had ordered it. What it printed stays as long as the request does; it never ended.
                self._log.info("request %s was ended by qrerun, and is queued again", request.id)
                self._tidy.add([exit_record.run_file(self._site.output, request, "exit")])
                self._release(assignment)
                return
            self._deliver(assignment)
        elif kind == "failed":
            self._log.warning("request %s cannot be started here: %s", request.id, details)
            self._release(assignment)
        elif kind == "returned":
            self._log.warning("request %s cannot be started now: %s", request.id, details)
            self._release(assignment)
        elif kind == "delivered":
            if details:
                self._log.warning("output of request %s: %s", request.id, details)
            if KEPT not in details:
                self._tidy.add(spooled_files(request, self._site))
            self._release(assignment)

    # --- stopping ----------------------------------------------------------------------------

    def withdraw_waiting(self):
        """Give up what no shepherd has yet; returns a list of it, as `Assignment`."""
        waiting = list(self._waiting)
        self._waiting.clear()
        for assignment in waiting:
            self._release(assignment)
        return waiting

    def interrupt_all(self, grace_s):
        """Let every job end, and what jobs left on purpose; `all_gone` says when they have.

        Args:
            grace_s: between SIGTERM and SIGKILL of a job.
        """
        for assignment in self.assignments():
            if assignment.stage == stages.RUNNING:
                self.tell(assignment, ("stop", grace_s))
        self.say_background("end with the site")
        self._pool.stop_kept(grace_s)

    def say_background(self, what):
        """Log for each request that has left processes on purpose what becomes of them, as the end of a sentence."""
        for request_id in self._pool.kept.values():
            self._log.info("request %s: its background processes %s", request_id, what)
