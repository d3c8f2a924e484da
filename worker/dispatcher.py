"""The worker's loop: claims in, shepherds out, and one pipeline to the site database per turn.

Everything that happened since the last turn (jobs that began, ended, were delivered) is told to the
database together, and the claim at the end of the same pipeline gets what these ends set free.
Nothing is delivered before its end is recorded, nothing is started without a claim of this epoch.
"""

import os
import selectors
import time
from collections import deque
from functools import partial

from jcq import exit_record
from jcq.errors import AccountRefused, JcqError, LostClaim, MessageTooLong, StaleEpoch
from jcq.jcdbs import keys
from jcq.jcdbs.revival import Room
from jcq.jcdbs.sending import ConnectionLost
from jcq.model import lifecycle
from jcq.model.queue import BATCH
from worker import assignment as stages
from worker import notice
from worker.account import account_of
from worker.assignment import Assignment
from worker.delivery import KEPT
from worker.pool import IDLE_MAX, Pool
from worker.presence import BEAT_EVERY_S, EXECUTION_TTL_S
from worker.specs import deliver_spec, run_spec, spooled_files
from worker.suspend import Suspender
from worker.tidy import Tidy

CLAIMS_PER_TURN = 64
_RETRY_DELIVERY = 3
#: How long news that free no slot may wait for others while several requests are on their way.
_LINGER_S = 0.005
#: After a job could not be started for want of space: when to try again.
_FULL_PAUSE_S = 5.0
#: What a stop waits for deliveries beyond the grace of the jobs.
_DELIVERY_LIMIT_S = 5.0


class Dispatcher:
    """Runs the requests of one site on this node.

    Args:
        site: the `Site`.
        store: the `Store` of this epoch.
        presence: the `Presence`, registered.
        launcher: the running `Launcher`.
        conf: `DaemonConf`.
        node: this node's id.
        files_limit: (soft, hard) of open files for jobs.
        stop: the `StopSignal`.
        fence: the `Fence`: a worker that was frozen starts and delivers nothing.
        log: a logger.
        site_gid: additional group of the site's jobs, or None.
        room: the `Room` on the site's disk; None: there is always some.
    """

    def __init__(
        self, site, store, presence, launcher, conf, node, files_limit, stop, fence, log, site_gid=None, room=None
    ):
        self._fence = fence
        self._site, self._store, self._presence = site, store, presence
        self._conf, self._node, self._files_limit, self._log = conf, node, files_limit, log
        self._as_root = os.geteuid() == 0
        self._site_gid = site_gid
        self._selector = selectors.DefaultSelector()
        self._selector.register(stop, selectors.EVENT_READ, lambda: stop.drain())
        self._listen_to_database()
        self._assignments = {}
        self._pool = Pool(launcher, self._selector, log, self._rest, self._note, self._lose)
        self._waiting = deque()
        self._news = []
        self._linger_until = 0.0
        self._tidy = Tidy()
        self._room = room or Room()
        self.suspender = Suspender(site, self._room, lambda: list(self._assignments.values()), self._tell, log)
        #: No claim before this moment of the monotonic clock.
        self._claim_at = 0.0
        self._want_claim = self._want_orders = True
        self._want_queues = False
        self._next_beat = 0.0
        self._claims = 0

    @property
    def busy(self):
        """How many requests are on their way."""
        return len(self._assignments)

    def prepare(self):
        """Adopt the deliveries that an earlier run left, and have a shepherd ready."""
        self._pool.order()
        # So many at a time, until none is left.
        while adopted := self._store.run(self._store.adopt(self._new_token(), time.time())):
            for request in adopted:
                self._adopt(request)

    def _adopt(self, request):
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

    # --- one turn ----------------------------------------------------------------------------

    def run_once(self, limit_s, claim=True):
        """Wait at most `limit_s` seconds for news, tell the database, start what it hands out.

        Raises:
            ConnectionLost: the database is gone. StaleEpoch: another run owns the site.
            LauncherFailed: no job can be started or watched any more. Fenced: no heartbeat was written in time.
        """
        self._fence.check()
        self.suspender.run_once()
        claim = claim and self._may_claim()
        self._pool.order_again(len(self._waiting))
        for key, _ in self._selector.select(self._pause_s(limit_s, claim)):
            key.data()
        # What was heard just now may have been that there is no space.
        claim = claim and self._may_claim()
        if limit_s > 0 and self._may_linger(claim):
            return
        if self._room.bare:
            return  # what there is to tell would end jcdbs
        now_s = time.time()
        ops, then = self._tell_news(now_s)
        if self._want_orders:
            ops.append(self._store.take_orders(self._new_token(), now_s))
            then.append(self._obey)
            self._want_orders = False
        if claim and self._want_claim:
            # Last in the pipeline: it gets what the ends before it set free.
            ops.append(
                self._store.claim(
                    self._presence.name, CLAIMS_PER_TURN, self._new_token(), self._node, EXECUTION_TTL_S, now_s
                )
            )
            then.append(self._start_all)
            self._want_claim = False
        if time.monotonic() >= self._next_beat:
            ops.append(self._store.beat(self._presence.name, EXECUTION_TTL_S, now_s))
            then.append(self._beat)
        for result, act in zip(self._store.run_many(ops), then, strict=True):
            if isinstance(result, StaleEpoch):
                raise result
            act(result)
        self._refresh_queues()
        self._store.lasting(partial(self._presence.show_state, bool(self._assignments)))
        self._tidy.run_once(busy=bool(self._assignments))

    def _may_claim(self):
        return not self._room.short and time.monotonic() >= self._claim_at

    def _pause_s(self, limit_s, claim):
        """How long to wait for more to happen."""
        limit_s = min(limit_s, self.suspender.patience_s())
        if self._room.bare:
            return limit_s
        if (claim and self._want_claim) or self._want_orders:
            return 0.0
        beat_s = max(0.0, self._next_beat - time.monotonic())
        pause_s = min(limit_s, beat_s, self._tidy.patience_s(), max(0.0, self._fence.remaining_s()))
        return min(pause_s, max(0.0, self._linger_until - time.monotonic())) if self._news else pause_s

    def _may_linger(self, claim):
        """Whether all there is to tell may wait a moment for more, so that one pipeline tells both."""
        if (claim and self._want_claim) or self._want_orders or time.monotonic() >= self._next_beat:
            return False
        return bool(self._news) and time.monotonic() < self._linger_until

    def _report(self, what, assignment, details=None):
        """Note a piece of news. An end is told at once, for its slot is free; the others may linger under load."""
        self._news.append((what, assignment, details))
        if what in ("ended", "failed", "returned", "damaged"):
            self._want_claim = True
            self._linger_until = 0.0
        elif len(self._news) == 1:
            self._linger_until = time.monotonic() + (_LINGER_S if len(self._assignments) > 1 else 0.0)

    def _tell_news(self, now_s):
        """Ops for all news, and what to do with the result of each."""
        news, self._news = self._news, []
        over = {assignment for what, assignment, _ in news if what == "ended"}
        ops: list = []
        then: list = []
        for what, assignment, details in news:
            if what == "begun" and assignment in over:
                continue  # the end says all
            ops.append(self._op_for(what, assignment, details, now_s))
            then.append(partial(self._after, what, assignment, details))
        return ops, then

    def _op_for(self, what, assignment, details, now_s):
        request, store = assignment.request, self._store
        if what == "begun":
            return store.begin(request, *details, now_s)
        if what == "ended":
            return store.finish(request, self._presence.name, self._conf.retention_s, now_s)
        if what in ("failed", "returned"):
            target = lifecycle.HELD if what == "failed" else lifecycle.QUEUED
            return store.bounce(request, details, self._presence.name, now_s, target)
        if what == "damaged":
            return store.lose(request.rid, details, now_s)
        return store.deliver(request, details, now_s)

    def _after(self, what, assignment, details, result):
        """What follows when the database has taken a piece of news."""
        request = assignment.request
        if isinstance(result, JcqError):
            self._log.error("%s of %s was refused: %s", what, request.id, result)
            if what == "begun" and isinstance(result, LostClaim) and assignment.shepherd:
                self._tell(assignment, ("signal", 9))
            elif what != "begun":
                self._release(assignment)
            return
        if what == "ended":
            self._log.info(
                "request %s attempt %d: %s, exit code %d, signal %d, %.2f CPU s",
                request.id, request.attempt, request.outcome, request.exit_code, request.signal, request.cpu_s,
            )  # fmt: skip
            self._deliver(assignment)
        elif what == "failed":
            self._log.warning("request %s cannot be started here: %s", request.id, details)
            self._release(assignment)
        elif what == "returned":
            self._log.warning("request %s cannot be started now: %s", request.id, details)
            self._release(assignment)
        elif what == "delivered":
            if details:
                self._log.warning("output of request %s: %s", request.id, details)
            if KEPT not in details:
                self._tidy.add(spooled_files(request, self._site))
            self._release(assignment)

    # --- starting ----------------------------------------------------------------------------

    def _start_all(self, claimed):
        if isinstance(claimed, JcqError):
            raise claimed
        self._want_claim = self._want_claim or len(claimed) == CLAIMS_PER_TURN
        for request in claimed:
            if self._is_damaged(request):
                continue
            try:
                account = account_of(request, os.geteuid())
            except AccountRefused as error:
                self._report("failed", Assignment(request, None), str(error))
                continue
            self._take(Assignment(request, account))

    def _is_damaged(self, request):
        """Whether a request's record cannot be trusted; it then goes into the lost-and-found and is not touched."""
        flaw = request.flaw()
        if flaw:
            self._log.error("request %s is damaged: %s; qmgr show lost_found", request.rid, flaw)
            self._report("damaged", Assignment(request, None), flaw)
        return bool(flaw)

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
        if not self._tell(assignment, message):
            # It had ended with nothing to do, so nothing of this has run: another one takes it.
            self._pool.unassign(assignment)
            assignment.stage = stages.WAITING
            self._waiting.append(assignment)
            self._pool.order()
        elif message[0] == "run" and assignment.pending_signal:
            self._tell(assignment, ("signal", assignment.pending_signal))

    def _tell(self, assignment, message):
        """Send to an assignment's shepherd; False where it is gone."""
        try:
            return self._pool.send(assignment.shepherd, message)
        except MessageTooLong as error:
            self._report("failed", assignment, str(error))
            return True

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

    # --- hearing -----------------------------------------------------------------------------

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
            self._claim_at = time.monotonic() + _FULL_PAUSE_S
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

    def _hear_database(self):
        pubsub = self._presence.pubsub
        try:
            while message := pubsub.get_message(ignore_subscribe_messages=True, timeout=0):
                if message["channel"] != keys.CHANNEL_WAKE.encode():
                    self._presence.hear(message)
                elif message["data"] == b"kill":
                    self._want_orders = True
                elif message["data"] == b"queues":
                    self._want_queues = True
                else:
                    self._want_claim = True
        except ConnectionLost as error:
            self._hear_again(error)

    def _hear_again(self, lost):
        """The database was started again: what it said meanwhile nobody heard, so everything is looked at again."""
        self._selector.unregister(self._heard_socket)
        self._presence.unsubscribe()
        self._store.wait_revived(lost, changes=False)
        self._store.lasting(self._presence.subscribe, changes=False)
        self._listen_to_database()
        self._want_claim = self._want_orders = self._want_queues = True

    def _listen_to_database(self):
        # Kept here: redis-py forgets it where the connection is lost.
        self._heard_socket = self._presence.pubsub.connection._sock
        self._selector.register(self._heard_socket, selectors.EVENT_READ, self._hear_database)

    def _obey(self, orders):
        if isinstance(orders, JcqError):
            raise orders
        for rid, signum in orders.items():
            self.send_signal(rid, signum)

    def send_signal(self, rid, signum):
        """Send a signal to every process of a running request."""
        assignment = self._assignments.get(rid)
        if assignment is None:
            self._log.warning("no request %s here to send signal %d", rid, signum)
        elif assignment.stage == stages.WAITING:
            assignment.pending_signal = signum
        elif assignment.stage == stages.RUNNING:
            self.suspender.signal(assignment, signum)

    # --- presence ----------------------------------------------------------------------------

    def _beat(self, result):
        if isinstance(result, JcqError):
            raise result
        self._next_beat = time.monotonic() + BEAT_EVERY_S
        self._store.lasting(self._presence.heartbeat)

    def _refresh_queues(self):
        if self._want_queues:
            self._want_queues = False
            names = batch_queues(self._store)
            self._store.lasting(partial(self._presence.show_queues, names))

    def _new_token(self):
        self._claims += 1
        return f"{self._store.epoch}-{os.getpid():x}-{self._claims:x}-"

    def say_background(self, what):
        """Log for each request that has left processes on purpose what becomes of them, as the end of a sentence."""
        for request_id in self._pool.kept.values():
            self._log.info("request %s: its background processes %s", request_id, what)

    # --- stopping ----------------------------------------------------------------------------

    def stop_all(self, grace_s):
        """A clean stop: record what has ended, then end every job; it is interrupted, and nothing of it is recorded.

        Args:
            grace_s: between SIGTERM and SIGKILL of a job.
        """
        self.suspender.retire()
        self.run_once(0.0, claim=False)
        now_s = time.time()
        waiting = list(self._waiting)
        self._waiting.clear()
        # What waits to be delivered stays EXITING for the next start.
        back = [assignment for assignment in waiting if assignment.request.state == lifecycle.RUNNING]
        reason = "the site stopped before it could start"
        name = self._presence.name
        self._store.run_many(
            [self._store.bounce(a.request, reason, name, now_s, target=lifecycle.QUEUED) for a in back]
        )
        for assignment in waiting:
            self._release(assignment)
        for assignment in list(self._assignments.values()):
            if assignment.stage == stages.RUNNING:
                self._tell(assignment, ("stop", grace_s))
        self.say_background("end with the site")
        self._pool.stop_kept(grace_s)
        deadline = time.monotonic() + grace_s + _DELIVERY_LIMIT_S
        while (self._assignments or self._pool.kept) and time.monotonic() < deadline:
            self.run_once(min(1.0, deadline - time.monotonic()), claim=False)
        self._tidy.run_all()
        for assignment in self._assignments.values():
            self._log.warning("request %s was still %s when the stop ended", assignment.request.id, assignment.stage)


def batch_queues(store):
    """Names of the site's batch queues, in order of dispatch."""
    return [queue.name for queue in store.run(store.queues()) if queue.type == BATCH]
