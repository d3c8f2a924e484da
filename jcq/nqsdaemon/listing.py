"""The requests of a queue, in qstat's order, read some hundred at a time: what qstat and qselect share.

Others are served while someone lists 100,000; of requests that are not wanted only the owner is read, which
takes a tenth of the time.
"""

from jcq.errors import JcqError
from jcq.model import lifecycle
from jcq.nqsdaemon.requestid import named_user

#: Whole requests, and owners, that are read in one turn of the loop: each some 20 ms of its time.
CHUNK = 250
_OWNERS_CHUNK = 2000

#: Read in the order of a life, so that a request that moves on meanwhile is found twice, not never.
_READ_ORDER = tuple(state for state in lifecycle.STATES if state != lifecycle.DONE)
#: Shown with what is furthest first: position 1 is the next to leave the queue.
_SHOWN_ORDER = (
    lifecycle.EXITING,
    lifecycle.RUNNING,
    lifecycle.DEPARTING,
    lifecycle.ROUTING,
    lifecycle.QUEUED,
    lifecycle.WAITING,
    lifecycle.HELD,
    lifecycle.ARRIVING,
)


def whose(values, call):
    """Whose requests are wanted.

    Args:
        values: options; `user` is a login name or uid, `all` everyone, neither the caller.
        call: the `Call`.
    Returns:
        (field of Request, its value as text), or None for everyone's.
    Raises:
        UsageError: nobody can be called so.
    """
    user = named_user(values)
    if user is not None:
        return ("uid" if user.isdigit() else "user"), user
    if "all" in values:
        return None
    return "uid", str(call.uid)


def named_users(values, call):
    """As `whose`, for requests that are asked for by their ids: anybody's (None) where -u does not say whose."""
    wanted = whose(values, call)
    return wanted if "user" in values else None


def is_of(request, wanted):
    """Whether a `Request` is one of those that `whose` returned."""
    return wanted is None or str(getattr(request, wanted[0])) == wanted[1]


def listing(queue, wanted, form, desk):
    """The texts of one queue's live requests: `lines = yield from listing(...)`.

    Args:
        queue: the `Queue`.
        wanted: what `whose` returned.
        form: called with (position in the queue from 1, `Request`); returns its text, empty to leave it out.
        desk: as every handler has it.
    Returns (as a generator):
        A list of texts.
    Raises:
        JcqError: the database refused.
    """
    if not any(queue.counts.values()):
        return []
    members = yield [desk.store.members(queue.name, state) for state in _READ_ORDER]
    by_state = {}
    for state, rids in zip(_READ_ORDER, members, strict=True):
        if isinstance(rids, JcqError):
            raise rids
        by_state[state] = rids
    rids = dict.fromkeys(rid for state in _SHOWN_ORDER for rid in by_state[state])
    places = list(enumerate(rids, 1))
    if wanted is not None:
        places = yield from _owned(places, wanted, desk)
    lines = []
    for start in range(0, len(places), CHUNK):
        chunk = places[start : start + CHUNK]
        requests = yield desk.store.requests([rid for _, rid in chunk])
        for (position, _), request in zip(chunk, requests, strict=True):
            if request is not None and request.state != lifecycle.DONE:
                line = form(position, request)
                if line:
                    lines.append(line)
    return lines


def _owned(places, wanted, desk):
    """Those of [(position, rid)] whose request has this owner."""
    field, owner = wanted
    owned = []
    for start in range(0, len(places), _OWNERS_CHUNK):
        chunk = places[start : start + _OWNERS_CHUNK]
        found = yield desk.store.values([rid for _, rid in chunk], field)
        owned += [place for place, value in zip(chunk, found, strict=True) if value == owner]
    return owned
