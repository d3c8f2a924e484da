"""After the start, in idle moments, some hundred at a time: does each record stand in its list, has each list records?

The start itself verifies only what was interrupted, so that it stays fast with 100,000 queued requests;
the checksum of the others is verified when they are dispatched. What is damaged goes into the
lost-and-found. Source: ha-facts.md section 4.
"""

from functools import partial

from jcq.errors import JcqError
from jcq.jcdbs import keys
from jcq.jcdbs.errors import StaleEpoch
from jcq.model import lifecycle

#: Between two steps; a step takes some ms.
PAUSE_S = 0.02


class Audit:
    """One walk over all requests.

    Args:
        desk: the `Desk`; its site has been recovered.
    """

    def __init__(self, desk):
        self._desk = desk
        self._told = {rid for rid, *_ in desk.store.run(desk.store.lost_found())}
        self._steps = self._walk()
        self._lost = 0
        self.done = False

    def step(self):
        """Look at the next ones.

        Raises:
            ConnectionLost: the database is gone. StaleEpoch: another run owns the site.
        """
        try:
            lost = next(self._steps)
        except StopIteration:
            self.done = True
            self._desk.log.info("every request has been looked at; damaged: %d", self._lost)
        except StaleEpoch:
            raise
        except JcqError as error:
            self._desk.log.error("the search for damaged requests ends: %s", error)
            self.done = True
        else:
            if lost:
                self._lost += lost
                self.tell()

    def tell(self):
        """Say in the log what has come into the lost-and-found since the last time, whoever found it."""
        for rid, _, reason, _ in self._desk.store.run(self._desk.store.lost_found()):
            if rid not in self._told:
                self._told.add(rid)
                self._desk.log.error("request %s is damaged: %s; qmgr show lost_found", rid, reason)

    def _walk(self):
        """Yields after each chunk how many were lost."""
        store = self._desk.store
        for key, queue, state in _sets(store.run(store.queues())):
            for rids in self._chunks(partial(store.walk, key)):
                yield self._check(rids, key, queue, state)
        for rids in self._chunks(store.records):
            yield self._check(rids)

    def _chunks(self, op):
        cursor, rids = self._desk.store.run(op(0))
        yield rids
        while cursor:
            cursor, rids = self._desk.store.run(op(cursor))
            yield rids

    def _check(self, rids, *place):
        store = self._desk.store
        return store.run(store.check(rids, self._desk.now(), *place)) if rids else 0


def _sets(queues):
    """(key, queue, state) of every sorted set of requests."""
    yield keys.WAITING, "", lifecycle.WAITING
    yield keys.DONE, "", lifecycle.DONE
    for queue in queues:
        yield keys.promoted(queue.name), queue.name, lifecycle.QUEUED
        for state in lifecycle.STATES:
            if state != lifecycle.DONE:
                yield keys.members(queue.name, state), queue.name, state
