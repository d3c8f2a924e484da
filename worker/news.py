"""What happened to requests and the site database does not know yet, and how long that may wait for company."""

import time

from jcq.model import lifecycle

#: How long news that free no slot may wait for others while several requests are on their way.
_LINGER_S = 0.005
#: Kinds of news that free a run slot.
_FREEING = frozenset(("ended", "failed", "returned", "damaged"))


class News:
    """News of requests, the oldest first. Kinds, and the details of each:

        begun       (pid, start_ticks) of the job
        ended       None; the request itself says how
        failed      why it cannot be started here: it is held
        returned    why it cannot be started now: it is queued again
        damaged     what is wrong with its record: it goes into the lost-and-found
        delivered   what its owner should know about its output; usually empty

    Args:
        store: the `Store` of this epoch.
        worker: the worker's name in the site database.
        retention_s: how long an ended request is kept.
        freed: called with the kind of each piece of news that frees a run slot.
    """

    def __init__(self, store, worker, retention_s, freed):
        self._store, self._worker, self._retention_s, self._freed = store, worker, retention_s, freed
        self._news = []
        self._linger_until = 0.0

    def report(self, kind, assignment, details, busy):
        """Note a piece of news. What frees a slot is told at once; the others may linger under load.

        Args:
            kind, details: as above.
            assignment: the `Assignment` it is about.
            busy: how many requests are on their way.
        """
        self._news.append((kind, assignment, details))
        if kind in _FREEING:
            self._linger_until = 0.0
            self._freed(kind)
        elif len(self._news) == 1:
            self._linger_until = time.monotonic() + (_LINGER_S if busy > 1 else 0.0)

    def patience_s(self):
        """How long the loop may wait before it has to tell the news, in seconds."""
        return max(0.0, self._linger_until - time.monotonic()) if self._news else float("inf")

    def may_linger(self):
        """Whether there are news, and all may wait a moment for more, so that one pipeline tells both."""
        return bool(self._news) and time.monotonic() < self._linger_until

    def take_all(self, now_s):
        """All news, which are forgotten here.

        Args:
            now_s: seconds since 1970.
        Returns:
            [(the Op that tells it, (kind, assignment, details))].
        """
        news, self._news = self._news, []
        over = {assignment for kind, assignment, _ in news if kind == "ended"}
        return [
            (self._op_for(kind, assignment, details, now_s), (kind, assignment, details))
            for kind, assignment, details in news
            # Of one that has begun and ended meanwhile the end says all.
            if kind != "begun" or assignment not in over
        ]

    def _op_for(self, kind, assignment, details, now_s):
        request, store = assignment.request, self._store
        if kind == "begun":
            return store.begin(request, *details, now_s)
        if kind == "ended":
            return store.finish(request, self._worker, self._retention_s, now_s)
        if kind in ("failed", "returned"):
            target = lifecycle.HELD if kind == "failed" else lifecycle.QUEUED
            return store.bounce(request, details, self._worker, now_s, target)
        if kind == "damaged":
            return store.lose(request.rid, details, now_s)
        return store.deliver(request, details, now_s)
