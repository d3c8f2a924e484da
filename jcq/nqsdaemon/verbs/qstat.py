"""The verb qstat: queues with their counts, and requests.

Without an option the caller's own requests are listed, with -u a user's (login name or uid), with -a everyone's: what
stands in a queue is no secret in NQS, while scripts and environments are never shown. Counts are
always those of all users. An operand is a queue, or a request id, which shows that request, also
when it has ended and is still retained; with requests only, no queue is shown. What is not found
is one line on standard error and code 1, and the rest is shown.

Requests are read some hundred at a time, so that others are served while someone lists 100,000; of those
that are not to be shown only the owner is read, which takes a tenth of the time.
"""

import json

from jcq.errors import JcqError, NoSuchQueue, NoSuchRequest, UsageError
from jcq.model import lifecycle
from jcq.nqsdaemon.call import Reply
from jcq.nqsdaemon.qstat_json import document, request_object
from jcq.nqsdaemon.queue_block import extended_block, queue_block, routes_block
from jcq.nqsdaemon.request_lines import HEADER, long_form, medium_form, short_line
from jcq.nqsdaemon.requestid import find_rid, is_this_site
from jcq.nqsdaemon.why import situation, why
from jcq.options import QSTAT, parse

#: Whole requests, and owners, that are read in one turn of the loop: each some 20 ms of its time.
_CHUNK = 250
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


def handle(call, desk):
    """Answer one qstat.

    Returns (as a generator):
        Reply: text, or JSON (`jcq.nqsdaemon.qstat_json`); code 1 if an operand was not found.
    """
    values, operands = parse(QSTAT, call.args)
    err: list[str] = []
    names, rids = _sort_operands(operands, desk, err)
    queues = []
    if names or not operands:
        queues = yield from _queues(names, desk, err)
    queues = [queue for queue in queues if _kind_wanted(queue, values)]
    form = yield from _form(values, call, desk)
    parts = []
    for queue in queues:
        lines = yield from _listing(queue, _wanted(values, call), form, desk)
        if "json" in values:
            parts += lines
            continue
        parts.append(_block(values)(queue, desk.identity.name))
        if lines:
            parts += lines if "long" in values else [HEADER, *lines]
        parts.append("\n")
    if rids:
        lines = yield from _by_id(rids, form, desk, err)
        parts += [HEADER, *lines] if lines and not {"json", "long"} & values.keys() else lines
    if "json" in values:
        out = document(desk.identity.name, queues, parts)
    else:
        out = "".join(parts)
    return Reply(1 if err else 0, out=out, err="".join(f"{line}\n" for line in err))


def _sort_operands(operands, desk, err):
    """([queue names], [(rid, id as people see it)]), each once."""
    names, rids = {}, {}
    for text in operands:
        if text[:1].isdigit():
            try:
                rid, shown = find_rid(text, desk.identity)
            except UsageError as error:
                err.append(f"qstat: {error}")
                continue
            if rid is None:
                err.append(str(NoSuchRequest(detail=shown)))
            else:
                rids[rid] = shown
            continue
        name, at, host = text.partition("@")
        if at and not is_this_site(host, desk.identity):
            err.append(f"qstat: {text!r} is at another site; set NQS_SITE to ask that one")
        else:
            names[name] = True
    return list(names), list(rids.items())


def _queues(names, desk, err):
    if not names:
        return (yield desk.store.queues())
    queues = []
    for name, found in zip(names, (yield [desk.store.queue(name) for name in names]), strict=True):
        if isinstance(found, NoSuchQueue):
            err.append(f"qstat: {NoSuchQueue(detail=repr(name))}; qstat without an operand shows them")
        elif isinstance(found, JcqError):
            raise found
        else:
            queues.append(found)
    return queues


def _wanted(values, call):
    """Whose requests to list: (field of Request, its value as text), or None for everyone's."""
    if "user" in values:
        return ("uid" if values["user"].isdigit() else "user"), values["user"]
    if "all" in values:
        return None
    return "uid", str(call.uid)


def _block(values):
    """How to show a queue."""
    if "extended" in values:
        return extended_block
    return routes_block if "routes" in values else queue_block


def _kind_wanted(queue, values):
    """By -b, -p and -d, which add up; none of them means every kind."""
    kinds = {"BATCH": "batch" in values, "PIPE": "pipe" in values, "DEVICE": "device" in values}
    return not any(kinds.values()) or kinds[queue.type]


def _form(values, call, desk):
    """How to show a request at a position; None for one that is not to be shown."""
    at = (yield from situation(desk)) if {"json", "long", "medium"} & values.keys() else None

    def form(position, request):
        if "originated" in values and request.host != call.host:
            return None
        if at is None:
            return short_line(position, request)
        phrase = why(request, at, call.tz)
        if "json" in values:
            return json.dumps(request_object(position, request, phrase))
        if "long" in values:
            return long_form(position, request, call.tz, phrase)
        return medium_form(position, request, phrase)

    return form


def _listing(queue, wanted, form, desk):
    """The lines of one queue's requests."""
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
    for start in range(0, len(places), _CHUNK):
        chunk = places[start : start + _CHUNK]
        requests = yield desk.store.requests([rid for _, rid in chunk])
        for (position, _), request in zip(chunk, requests, strict=True):
            if request is not None and request.state != lifecycle.DONE:
                lines.append(form(position, request))
    return [line for line in lines if line is not None]


def _owned(places, wanted, desk):
    """Those of [(position, rid)] whose request has this owner."""
    field, owner = wanted
    owned = []
    for start in range(0, len(places), _OWNERS_CHUNK):
        chunk = places[start : start + _OWNERS_CHUNK]
        found = yield desk.store.values([rid for _, rid in chunk], field)
        owned += [place for place, value in zip(chunk, found, strict=True) if value == owner]
    return owned


def _by_id(rids, form, desk, err):
    """The requests that were asked for by id, whoever owns them and whether they live or have ended."""
    lines = []
    found = yield desk.store.requests([rid for rid, _ in rids])
    for (_, shown), request in zip(rids, found, strict=True):
        if request is None:
            err.append(str(NoSuchRequest(detail=shown)))
        else:
            lines.append(form(0, request))
    return [line for line in lines if line is not None]
