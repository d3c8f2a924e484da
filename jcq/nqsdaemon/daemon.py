"""nqsdaemon's loop: people's commands in, one pipeline to the site database per turn, answers out.

A handler is a generator that yields what it wants from the database. In each turn every handler
that can go on is advanced to its next wish; all wishes go to the database together, after one sync
of the spool, so that many submissions share one write to the disk (design section 6).
"""

import errno
import os
import selectors
import time
from collections import deque
from functools import partial
from itertools import chain

from jcq.errors import BadFrame, Fenced, JcqError
from jcq.jcdbs import keys
from jcq.jcdbs.errors import StaleEpoch
from jcq.jcdbs.sending import ConnectionLost, Op
from jcq.model import lifecycle
from jcq.nqsdaemon.audit import PAUSE_S, Audit
from jcq.nqsdaemon.call import Part, Reply, log_refusal, parse_call, refusal
from jcq.nqsdaemon.clients import Clients
from jcq.nqsdaemon.desk import Ended
from jcq.nqsdaemon.port import Doorkeeper
from jcq.nqsdaemon.postman import Postman
from jcq.nqsdaemon.verbs.table import HANDLERS

_TASKS_PER_TURN = 256
IDLE_LIMIT_S = 10.0
_RETIRE_EVERY_S = 60.0
#: While nothing can be written: how soon to look whether it can.
_BARE_LIMIT_S = 0.25
_FULL = (errno.ENOSPC, errno.EDQUOT)


class _Task:
    """A handler on its way: its generator, its client, and what to give it next."""

    __slots__ = ("call", "client", "feed", "generator", "wish")

    def __init__(self, generator, client, call):
        self.generator = generator
        self.client = client
        self.call = call
        self.feed = None
        self.wish = None


class Daemon:
    """The request daemon of one site.

    Args:
        desk: what handlers work with.
        listener: the bound, listening, non-blocking API socket.
        pubsub: a redis-py PubSub as `subscribed` makes it.
        stop: the `StopSignal`, which ends a wait.
        fence: the `Fence`: a daemon that was frozen confirms nothing.
        port: what `jcq.nqsdaemon.port.open_port` returned.
    """

    def __init__(self, desk, listener, pubsub, stop, fence, port=None):
        self.desk = desk
        self._fence = fence
        self._selector = selectors.DefaultSelector()
        self._clients = Clients(listener, self._selector, desk.log, self._begin, self._give_up_wait)
        self._listen_to(pubsub)
        self._selector.register(stop, selectors.EVENT_READ, lambda _events: stop.drain())
        self._doorkeeper = Doorkeeper(port, self._selector, desk.log)
        self._postman = Postman(desk, self._selector, fence)
        self._ready = deque()
        self._waiters = {}
        self._next_due_s = 0.0
        self._next_retire = time.monotonic()
        self._audit = Audit(desk)

    # --- one turn ----------------------------------------------------------------------------

    def run_once(self, limit_s=IDLE_LIMIT_S):
        """Wait at most `limit_s` seconds for something to do, and do it.

        Raises:
            ConnectionLost: the database is gone. StaleEpoch, Fenced: another run owns the site.
        """
        self._fence.check()
        for key, events in self._selector.select(0 if self._ready else self._patience(limit_s)):
            key.data(events)
        self._advance()
        self._keep_time()
        self._clients.drop_silent()

    def close(self):
        """Stop listening and drop every client; each gets no answer, which its command says."""
        self._clients.close()
        self._doorkeeper.close()
        self._postman.close()
        self._selector.close()

    def _patience(self, limit_s):
        if self.desk.room.bare:
            return min(limit_s, _BARE_LIMIT_S)
        if not self._audit.done:
            limit_s = min(limit_s, PAUSE_S)
        if self._next_due_s:
            limit_s = min(limit_s, max(0.0, self._next_due_s - self.desk.now()))
        limit_s = min(limit_s, self._doorkeeper.patience_s(), self._postman.patience_s())
        return max(0.0, min(limit_s, self._next_retire - time.monotonic(), self._fence.remaining_s()))

    # --- handlers ----------------------------------------------------------------------------

    def _begin(self, client, payload):
        client.waiting = True
        try:
            call = parse_call(payload, uid=client.uid, gid=client.gid, pid=client.pid, user=client.user)
            handler = HANDLERS[call.verb]
        except (BadFrame, KeyError) as error:
            self._clients.give_up(client, f"this is no command of jcq ({error})")
            return
        except JcqError as error:
            self._clients.give_up(client, str(error))
            return
        client.task = _Task(handler(call, self.desk), client, call)
        self._ready.append(client.task)

    def _give_up_wait(self, client):
        """Only a wait is given up with its client; what changes something goes on, its answer has nobody to read it."""
        task = client.task
        if task is not None and isinstance(task.wish, Ended) and task in self._waiters.get(task.wish.rid, ()):
            self._waiters[task.wish.rid].discard(task)
            task.generator.close()

    def _advance(self):
        """Advance every ready handler to its next wish, then ask the database once for all of them."""
        wishing = []
        for _ in range(min(len(self._ready), _TASKS_PER_TURN)):
            task = self._ready.popleft()
            self._step(task)
            if task.wish is not None:
                wishing.append(task)
        if not self._sync_spool():
            wishing = self._turn_away(wishing)
        if not wishing:
            return
        wanted = [_ops_of(task.wish, self.desk) for task in wishing]
        # What waits for its time is queued with them, unless that would end jcdbs over a full disk.
        due = [] if self.desk.room.bare else [self.desk.store.due(self.desk.now())]
        results = iter(self.desk.store.run_many([*chain.from_iterable(wanted), *due]))
        for task, ops in zip(wishing, wanted, strict=True):
            self._feed(task, [next(results) for _ in ops])
        for result in results:
            self._note_due(result)

    def _sync_spool(self):
        """Whether something may be written to the site database: the spool is on disk, and the disk has room."""
        try:
            self.desk.spool.sync()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            return False
        return not self.desk.room.bare

    def _turn_away(self, wishing):
        """Refuse those who would write to a disk that has no room at all; returns the others."""
        others = []
        for task in wishing:
            if any(op.changes for op in _ops_of(task.wish, self.desk)):
                task.feed = self.desk.disk_short("nothing is changed")
                self._ready.append(task)
            else:
                others.append(task)
        return others

    def _step(self, task):
        task.wish = None
        try:
            if isinstance(task.feed, JcqError):
                task.wish = task.generator.throw(task.feed)
            else:
                task.wish = task.generator.send(task.feed)
        except StopIteration as end:
            self._reply(task, end.value)
        except (StaleEpoch, Fenced):
            raise
        except JcqError as error:
            self._reply(task, refusal(task.call.verb, error))
        except Exception:
            self.desk.log.exception("internal error in %s of uid %d", task.call.verb, task.call.uid)
            text = f"{task.call.verb}: internal error of nqsdaemon; its log {self.desk.site.log} has the details\n"
            self._reply(task, Reply(1, err=text))
        if isinstance(task.wish, Part):
            self._say(task, task.wish)
            task.wish = task.feed = None
            self._ready.append(task)

    def _say(self, task, part):
        try:
            self._fence.wait_young()
            if task.client in self._clients:
                self._clients.say(task.client, part)
        finally:
            if part.fd >= 0:
                os.close(part.fd)

    def _reply(self, task, reply):
        self._fence.wait_young()
        if reply.exit_code and reply.err:
            log_refusal(self.desk.log, task.call, reply.err.strip())
        if task.client in self._clients:
            self._clients.send(task.client, reply)

    def _feed(self, task, results):
        for result in results:
            if isinstance(result, StaleEpoch):
                raise result
        wish = task.wish
        if isinstance(wish, list):
            task.feed = results
        elif isinstance(wish, Ended):
            request = None if isinstance(results[0], JcqError) else results[0]
            if request is not None and request.state != lifecycle.DONE:
                if task.client not in self._clients:
                    task.generator.close()
                    return
                self._waiters.setdefault(wish.rid, set()).add(task)
                return
            task.feed = request
        else:
            task.feed = results[0]
        self._ready.append(task)

    # --- news and time -----------------------------------------------------------------------

    def _hear(self, _events):
        """A request has ended, says the database: whoever waits for it looks again."""
        try:
            while message := self._pubsub.get_message(ignore_subscribe_messages=True, timeout=0):
                if message["channel"] == keys.CHANNEL_DONE.encode():
                    self._look_again(message["data"].decode())
                else:
                    self._postman.wake()
        except ConnectionLost as error:
            self._hear_again(error)

    def _hear_again(self, lost):
        """The database was started again: what it said meanwhile nobody heard, so everyone who waits looks again."""
        store = self.desk.store
        self._selector.unregister(self._heard_socket)
        self._pubsub.close()
        store.wait_revived(lost, changes=False)
        self._listen_to(store.lasting(partial(subscribed, store), changes=False))
        for rid in list(self._waiters):
            self._look_again(rid)
        self._postman.wake()

    def _listen_to(self, pubsub):
        self._pubsub = pubsub
        # Kept here: redis-py forgets it where the connection is lost.
        self._heard_socket = pubsub.connection._sock
        self._selector.register(self._heard_socket, selectors.EVENT_READ, self._hear)

    def _look_again(self, rid):
        waiting = self._waiters.pop(rid, ())
        if not waiting:
            return
        result = self.desk.store.run_many([self.desk.store.request(rid)])
        for task in waiting:
            self._feed(task, result)

    def _keep_time(self):
        self._doorkeeper.keep_time()
        store, now_s = self.desk.store, self.desk.now()
        if self.desk.room.bare:
            return
        self._postman.run_once()
        if self._next_due_s and now_s >= self._next_due_s:
            self._note_due(store.run(store.due(now_s)))
        if time.monotonic() >= self._next_retire:
            self._next_retire = time.monotonic() + _RETIRE_EVERY_S
            gone = store.run(store.retire(now_s - self.desk.conf.retention_s, now_s))
            self.desk.spool.forget(gone)
            self._note_due(store.run(store.due(now_s)))
            self._audit.tell()
        if not self._ready and not self._audit.done:
            self._audit.step()

    def _note_due(self, result):
        if isinstance(result, JcqError):
            raise result
        self._next_due_s = result[1] or 0.0


def subscribed(store):
    """A PubSub that hears of every request's end, and of every mail."""
    pubsub = store.connection.pubsub()
    pubsub.subscribe(keys.CHANNEL_DONE, keys.CHANNEL_MAIL)
    for _ in range(2):
        pubsub.get_message(timeout=5)
    return pubsub


def _ops_of(wish, desk):
    if isinstance(wish, Ended):
        return [desk.store.request(wish.rid)]
    return [wish] if isinstance(wish, Op) else wish
