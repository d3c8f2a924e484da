"""qmgr's commands that act on requests: some that are named, or those of a whole queue.

Functions take and return what those of `jcq.nqsdaemon.qmgr.queues` do. Who may use qmgr for it is at least an
operator, so nobody is asked whose a request is. A whole queue is worked through some hundred requests in a turn of
the loop, from the end that would start last, so that nothing starts only because what stood before it has gone.
"""

import signal
from dataclasses import replace

from jcq.errors import JcqError, UsageError
from jcq.jcdbs.errors import (
    BadValue,
    LimitExceeded,
    NoSuchRequest,
    QueueClosed,
    QueueDisabled,
    QueuePipeOnly,
    QueueRestricted,
    WrongState,
)
from jcq.model import lifecycle
from jcq.nqsdaemon.errors import SameQueue
from jcq.nqsdaemon.orders import CHUNK, GONE_ON, STARTED, Order, order_each, refuse_state, refuse_unless_running
from jcq.nqsdaemon.requestid import rid_of

#: NQS's time between SIGTERM and SIGKILL (nqs-facts.md section 4).
_ABORT_S = 60
_PASSED_OVER = BadValue | NoSuchRequest | WrongState | QueueClosed | QueueRestricted | LimitExceeded
_WAITS = (lifecycle.QUEUED, lifecycle.WAITING, lifecycle.HELD, lifecycle.ARRIVING)


class Refusals(Exception):
    """Some of several requests could not be acted on; `errors` has (id as people see it, JcqError), one each."""

    def __init__(self, errors):
        super().__init__(len(errors))
        self.errors = errors


# --- requests that are named -----------------------------------------------------------------


def _each(key, decide):
    def change(values, call, desk):
        """Act on each request as an operator, whoever owns it. Raises Refusals for those that could not be."""
        wanted = values[key] if isinstance(values[key], tuple) else (values[key],)
        named = list(dict.fromkeys(rid_of(one, desk.identity) for one in wanted))
        said = {shown: NoSuchRequest(detail=shown) for _, shown in named}
        yield from order_each(
            named,
            said,
            desk,
            _known,
            lambda request, shown, _uid: Order(decide(request, shown, values, call, desk), ""),
        )
        errors = [(shown, said[shown]) for _, shown in named if isinstance(said[shown], JcqError)]
        if errors:
            raise Refusals(errors)
        return []

    return change


def _known(request, shown):
    if request is None:
        raise NoSuchRequest(detail=shown)
    return -1


def _hold(request, shown, values, call, desk):
    return desk.store.hold(request.rid, f"held by {call.who}", -1, desk.now())


def _release(request, shown, values, call, desk):
    return desk.store.release(request.rid, -1, desk.now())


def _delete(request, shown, values, call, desk):
    refuse_state(request, shown, GONE_ON)
    if request.state == lifecycle.RUNNING:
        return desk.store.kill(request.rid, -1, signal.SIGKILL, desk.now())
    return desk.store.delete(request.rid, -1, desk.now())


def _suspend(request, shown, values, call, desk):
    refuse_unless_running(request, shown)
    return desk.store.kill(request.rid, -1, signal.SIGSTOP, desk.now(), suspended=False)


def _resume(request, shown, values, call, desk):
    refuse_unless_running(request, shown)
    return desk.store.kill(request.rid, -1, signal.SIGCONT, desk.now(), suspended=True)


def _move(request, shown, values, call, desk):
    refuse_state(request, shown, STARTED)
    return desk.store.move(request.rid, -1, values["queue"], desk.now())


def _modify(request, shown, values, call, desk):
    refuse_state(request, shown, STARTED)
    changes = {key: values[key] for key in ("priority", "name") if key in values}
    return desk.store.alter(request, replace(request, **changes), -1, desk.now())


def modify_request(values, call, desk):
    """Change what the submission of one request said. Raises UsageError where nothing is to be changed, Refusals."""
    if not {"priority", "name"} & values.keys():
        raise UsageError(reason="modify request: what is to be changed is missing; give priority= or name=")
    return (yield from _each("request", _modify)(values, call, desk))


# --- the requests of a queue -----------------------------------------------------------------


def abort_queue(values, call, desk):
    """End what runs in a queue; the SIGKILL is kept in the site database. Raises NoSuchQueue."""
    queue, wait_s = values["queue"], values.get("seconds", _ABORT_S)
    yield desk.store.queue(queue)
    running = yield desk.store.members(queue, lifecycle.RUNNING)
    ordered = 0
    for start in range(0, len(running), CHUNK):
        now_s = desk.now()
        ordered += yield desk.store.abort(queue, running[start : start + CHUNK], now_s + wait_s, now_s)
    return [f"{_number(ordered)} of queue {queue} told to end; SIGKILL follows after {wait_s} seconds"]


def purge_queue(values, call, desk):
    """Delete what does not run. Raises NoSuchQueue."""

    def order(rid):
        return desk.store.delete(rid, -1, desk.now())

    done, _, _ = yield from _all_that_wait(values["queue"], order, desk)
    return [f"{_number(done)} of queue {values['queue']} deleted"]


def move_queue(values, call, desk):
    """Move what does not run to another queue, as far as that goes on accepting them.

    Those of owners without access stay, and those whose resource limits are greater than the queue's.

    Raises NoSuchQueue, QueueDisabled, QueuePipeOnly, SameQueue.
    """
    source, target = values["queue"], values["to_queue"]
    there = yield desk.store.queue(target)
    if source == target:
        raise SameQueue(name=source)
    if not there.enabled:
        raise QueueDisabled(detail=target)
    if there.pipeonly:
        raise QueuePipeOnly(detail=target)

    def order(rid):
        return desk.store.move(rid, -1, target, desk.now())

    done, kept_out, too_great = yield from _all_that_wait(source, order, desk)
    notes = [f"{_number(done)} of queue {source} moved to {target}"]
    if kept_out:
        notes.append(f"{_number(kept_out)} stayed, the access list of {target} does not name the owner")
    if too_great:
        notes.append(f"{_number(too_great)} stayed, asking for more than the limits of {target}")
    return notes


def _all_that_wait(queue, order, desk):
    """Give each request of a queue that does not run an order -> how many took it, and were kept out by an access
    list, and by resource limits.

    One that began, ended or moved meanwhile is passed over; any other refusal ends it.
    """
    yield desk.store.queue(queue)
    found = []
    for state in _WAITS:
        found += yield desk.store.members(queue, state)
    rids = list(dict.fromkeys(found))[::-1]
    done = kept_out = too_great = 0
    for start in range(0, len(rids), CHUNK):
        chunk = rids[start : start + CHUNK]
        places = yield desk.store.values(chunk, "queue")
        ops = [order(rid) for rid, place in zip(chunk, places, strict=True) if place == queue]
        for result in (yield ops) if ops else ():
            kept_out += isinstance(result, QueueClosed | QueueRestricted)
            too_great += isinstance(result, LimitExceeded)
            if isinstance(result, JcqError) and not isinstance(result, _PASSED_OVER):
                raise result
            done += not isinstance(result, JcqError)
    return done, kept_out, too_great


def _number(count):
    return "1 request" if count == 1 else f"{count} requests"


ACTIONS = {
    "abort queue": abort_queue,
    "delete request": _each("requests", _delete),
    "hold request": _each("requests", _hold),
    "modify request": modify_request,
    "move queue": move_queue,
    "move request": _each("request_list", _move),
    "purge queue": purge_queue,
    "release request": _each("requests", _release),
    "resume request": _each("requests", _resume),
    "suspend request": _each("requests", _suspend),
}
