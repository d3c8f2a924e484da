"""The worker's loop: one pipeline to the site database per turn tells what happened and asks what is next.

Everything that happened since the last turn (jobs that began, ended, were delivered) is told to the
database together, and the claim at the end of the same pipeline gets what these ends set free. What
was claimed `worker.executor` carries out.
"""

import os
import selectors
import time
from functools import partial

from jcq.errors import JcqError
from jcq.jcdbs import keys
from jcq.jcdbs.errors import StaleEpoch
from jcq.jcdbs.revival import Room
from jcq.jcdbs.sending import ConnectionLost
from jcq.model import lifecycle
from jcq.model.queue import BATCH
from worker import assignment as stages
from worker.executor import Executor
from worker.news import News
from worker.presence import BEAT_EVERY_S, EXECUTION_TTL_S
from worker.suspend import Suspender
from worker.tidy import Tidy

CLAIMS_PER_TURN = 64
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
        self._store, self._presence, self._node = store, presence, node
        self._fence, self._log = fence, log
        self._selector = selectors.DefaultSelector()
        self._selector.register(stop, selectors.EVENT_READ, lambda: stop.drain())
        self._listen_to_database()
        self._room = room or Room()
        self._tidy = Tidy()
        self._news = News(store, presence.name, conf.retention_s, self._slot_freed)
        self._executor = Executor(
            site, launcher, self._selector, fence, self._news, self._tidy, files_limit, site_gid, log
        )
        self.suspender = Suspender(site, self._room, self._executor.assignments, self._executor.tell, log)
        #: No claim before this moment of the monotonic clock.
        self._claim_at = 0.0
        self._want_claim = self._want_orders = True
        self._want_queues = False
        self._next_beat = 0.0
        self._claims = 0

    @property
    def busy(self):
        """How many requests are on their way."""
        return self._executor.busy

    def prepare(self):
        """Adopt the deliveries that an earlier run left, and have a shepherd ready."""
        self._executor.order_shepherd()
        # So many at a time, until none is left.
        while adopted := self._store.run(self._store.adopt(self._new_token(), time.time())):
            for request in adopted:
                self._executor.adopt(request)

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
        self._executor.order_again()
        for key, _ in self._selector.select(self._pause_s(limit_s, claim)):
            key.data()
        # What was heard just now may have been that there is no space.
        claim = claim and self._may_claim()
        if limit_s > 0 and self._may_linger(claim):
            return
        if self._room.bare:
            return  # what there is to tell would end jcdbs
        now_s = time.time()
        ops: list = []
        then: list = []
        for op, piece in self._news.take_all(now_s):
            ops.append(op)
            then.append(partial(self._executor.follow, *piece))
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
        self._store.lasting(partial(self._presence.show_state, self.busy > 0))
        self._tidy.run_once(busy=self.busy > 0)

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
        return min(pause_s, self._news.patience_s())

    def _may_linger(self, claim):
        """Whether all there is to tell may wait a moment for more, so that one pipeline tells both."""
        if (claim and self._want_claim) or self._want_orders or time.monotonic() >= self._next_beat:
            return False
        return self._news.may_linger()

    def _slot_freed(self, kind):
        """News of this kind free a run slot: claim again, though not at once where there was no space."""
        self._want_claim = True
        if kind == "returned":
            self._claim_at = time.monotonic() + _FULL_PAUSE_S

    def _start_all(self, claimed):
        if isinstance(claimed, JcqError):
            raise claimed
        self._want_claim = self._want_claim or len(claimed) == CLAIMS_PER_TURN
        for request in claimed:
            self._executor.start(request)

    # --- hearing the database ----------------------------------------------------------------

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
        for rid, signals in orders.items():
            for signum in signals:
                self.send_signal(rid, signum)

    def send_signal(self, rid, signum):
        """Send a signal to every process of a running request."""
        assignment = self._executor.find(rid)
        if assignment is None:
            self._log.warning("no request %s here to send signal %d", rid, signum)
        elif assignment.stage == stages.WAITING:
            assignment.pending_signals.append(signum)
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
        self._executor.say_background(what)

    # --- stopping ----------------------------------------------------------------------------

    def stop_all(self, grace_s):
        """A clean stop: record what has ended, then end every job; it is interrupted, and nothing of it is recorded.

        Args:
            grace_s: between SIGTERM and SIGKILL of a job.
        """
        self.suspender.retire()
        self.run_once(0.0, claim=False)
        now_s = time.time()
        # What waits to be delivered stays EXITING for the next start.
        back = [a for a in self._executor.withdraw_waiting() if a.request.state == lifecycle.RUNNING]
        reason = "the site stopped before it could start"
        name = self._presence.name
        self._store.run_many(
            [self._store.bounce(a.request, reason, name, now_s, target=lifecycle.QUEUED) for a in back]
        )
        self._executor.interrupt_all(grace_s)
        deadline = time.monotonic() + grace_s + _DELIVERY_LIMIT_S
        while not self._executor.all_gone and time.monotonic() < deadline:
            self.run_once(min(1.0, deadline - time.monotonic()), claim=False)
        self._tidy.run_all()
        for assignment in self._executor.assignments():
            self._log.warning("request %s was still %s when the stop ended", assignment.request.id, assignment.stage)


def batch_queues(store):
    """Names of the site's batch queues, in order of dispatch."""
    return [queue.name for queue in store.run(store.queues()) if queue.type == BATCH]
