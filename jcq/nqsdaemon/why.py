"""Why a request is not running, in one phrase: a pure function of its record and of what its site looks like."""

from dataclasses import dataclass, field
from datetime import datetime

from jcq.model import lifecycle
from jcq.model.queue import PIPE
from jcq.nqsdaemon.request_lines import readers_zone, shown


@dataclass(frozen=True)
class Situation:
    """What decides about starts, beside the request itself."""

    #: name -> `Queue` with its counts.
    queues: dict
    #: Requests that hold a run slot, in the whole site, and how many may; 0: no limit.
    slots: int
    run_limit: int
    #: Whether a worker is ready, and the disk has room to start anything.
    worker: bool
    short: bool
    now_s: float
    #: The `Complex`es of the site, by name.
    complexes: tuple = ()
    #: Name of a queue with a user limit -> {uid: requests that hold a run slot there}.
    users: dict = field(default_factory=dict)


def situation(desk):
    """The `Situation` now, for a whole list: `found = yield from situation(desk)`."""
    queues, slots, worker, site, complexes = yield [
        desk.store.queues(),
        desk.store.slots(),
        desk.store.worker(),
        desk.store.site(),
        desk.store.complexes(),
    ]
    for found in (queues, slots, worker, site, complexes):
        if isinstance(found, Exception):
            raise found
    by_name = {queue.name: queue for queue in queues}
    limited = [queue.name for queue in queues if queue.user_limit]
    users = (yield desk.store.user_slots(limited)) if limited else {}
    ready, short = bool(worker), desk.room.short
    return Situation(by_name, slots, site.run_limit, ready, short, desk.now(), tuple(complexes), users)


def why(request, at, tz=""):
    """Why a request is not running.

    Args:
        request: the `Request`.
        at: the `Situation`.
        tz: the reader's TZ, see `jcq.model.starttime.zone`.
    Returns:
        A phrase such as `run limit 4 of queue night reached`; empty for one that runs, is on its way or has ended.
    """
    if request.state == lifecycle.RUNNING:
        return "suspended" if request.suspended else ""
    if request.state == lifecycle.HELD:
        return shown(request.reason) or "held"
    if request.state == lifecycle.WAITING:
        until = f"waits until {_time(request.due_s, at.now_s, tz)}"
        return f"{shown(request.reason)}; {until}" if request.reason else until
    if request.state == lifecycle.QUEUED:
        return _of_queued(request, at)
    return ""


def _of_queued(request, at):
    queue = at.queues.get(request.queue)
    if queue is None:
        return ""
    if not queue.started:
        return f"queue {queue.name} is stopped"
    if queue.type == PIPE:
        return "is about to be routed"
    if not at.worker:
        return "no worker is ready yet"
    if at.short:
        return "the site's disk is short of space"
    if request.promoted:
        return "is about to start"
    if queue.counts.get(lifecycle.RUNNING, 0) < queue.run_limit:
        limit = _other_limit(request, queue, at)
        if limit:
            return f"{limit} reached"
    # Where fewer run, the others that hold slots are about to start.
    return f"run limit {queue.run_limit} of queue {queue.name} reached"


def _other_limit(request, queue, at):
    """Which limit that is not the queue's own run limit is reached; the widest first."""
    if at.run_limit and at.slots >= at.run_limit:
        return f"global run limit {at.run_limit}"
    for one in at.complexes:
        if queue.name in one.queues and one.used >= one.run_limit:
            return f"run limit {one.run_limit} of complex {one.name}"
    if queue.user_limit and at.users.get(queue.name, {}).get(request.uid, 0) >= queue.user_limit:
        return f"user limit {queue.user_limit} of queue {queue.name}"
    return ""


def _time(when_s, now_s, tz):
    """The clock's time; with the date where it is another day."""
    zone = readers_zone(tz)
    when, now = datetime.fromtimestamp(when_s, zone), datetime.fromtimestamp(now_s, zone)
    return when.strftime("%H:%M" if when.date() == now.date() else "%Y-%m-%d %H:%M")
