"""The verb qstat: queues with their counts, and requests.

Without an option the caller's own requests are listed, with -u a user's (login name or uid), with -a everyone's: what
stands in a queue is no secret in NQS, while scripts and environments are never shown. Counts are
always those of all users. An operand is a queue, or a request id, which shows that request, also
when it has ended and is still retained; with requests only, no queue is shown. With -u a request of
another user is not shown by its id, either. What is not found is one line on standard error and code 1,
and the rest is shown. With -c complexes are shown, and nothing else, as in
NQS; operands are then their names.
"""

import json

from jcq.errors import UsageError
from jcq.jcdbs.errors import NoSuchRequest
from jcq.nqsdaemon.call import Reply
from jcq.nqsdaemon.complex_lines import complex_block, complexes_named
from jcq.nqsdaemon.listing import CHUNK, is_of, listing, named_users, whose
from jcq.nqsdaemon.qstat_json import document, request_object
from jcq.nqsdaemon.queue_block import extended_block, queue_block, queues_named, routes_block
from jcq.nqsdaemon.request_lines import HEADER, long_form, medium_form, short_line
from jcq.nqsdaemon.request_lines import shown as printable
from jcq.nqsdaemon.requestid import find_rid, is_this_site
from jcq.nqsdaemon.why import situation, why
from jcq.options import QSTAT, parse


def handle(call, desk):
    """Answer one qstat.

    Returns (as a generator):
        Reply: text, or JSON (`jcq.nqsdaemon.qstat_json`); code 1 if an operand was not found.
    """
    values, operands = parse(QSTAT, call.args)
    err: list[str] = []
    if "complexes" in values:
        found = yield from complexes_named("qstat", operands, desk, err)
        return _reply("".join(complex_block(one, desk.identity.name) for one in found), err)
    by_id_of = named_users(values, call)
    names, rids = _sort_operands(operands, desk, err)
    if "old_id" in values:
        rids += yield from _by_old_id(values["old_id"], desk, err)
    queues = []
    if names or not (operands or "old_id" in values):
        queues = yield from queues_named("qstat", names, desk, err)
    queues = [queue for queue in queues if _kind_wanted(queue, values)]
    at = (yield from situation(desk)) if {"json", "long", "medium"} & values.keys() else None
    form = _form(values, call, at)
    parts = []
    for queue in queues:
        lines = yield from listing(queue, whose(values, call), form, desk)
        if "json" in values:
            parts += lines
            continue
        parts.append(_block(values)(queue, desk.identity.name))
        if lines:
            parts += lines if "long" in values else [HEADER, *lines]
        parts.append("\n")
    if rids:
        lines = yield from _by_id(rids, by_id_of, form, desk, err)
        parts += [HEADER, *lines] if lines and not {"json", "long"} & values.keys() else lines
    if "json" in values:
        complexes = at.complexes if at else ()
        return _reply(document(desk.identity.name, queues, complexes, parts), err)
    return _reply("".join(parts), err)


def _reply(out, err):
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


def _by_old_id(old_id, desk, err):
    """As rids above: what was made of an old id, which may have been one of several old systems."""
    found = yield desk.store.by_old_id(old_id)
    if not found:
        err.append(f"qstat: no request was made of {old_id!r} of an old system; jcq history shows all that were")
    site = desk.identity.name
    return [(rid, f"{rid.rpartition('-')[2]}.{site} (in the old system {printable(old)})") for old, rid, *_ in found]


def _block(values):
    """How to show a queue."""
    if "extended" in values:
        return extended_block
    return routes_block if "routes" in values else queue_block


def _kind_wanted(queue, values):
    """By -b, -p and -d, which add up; none of them means every kind."""
    kinds = {"BATCH": "batch" in values, "PIPE": "pipe" in values, "DEVICE": "device" in values}
    return not any(kinds.values()) or kinds[queue.type]


def _form(values, call, at):
    """How to show a request at a position; None for one that is not to be shown. `at`: a `Situation`, where needed."""

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


def _by_id(rids, wanted, form, desk, err):
    """The requests that were asked for by id, if they are `wanted`, whether they live or have ended."""
    lines = []
    for start in range(0, len(rids), CHUNK):
        chunk = rids[start : start + CHUNK]
        found = yield desk.store.requests([rid for rid, _ in chunk])
        for (_, shown), request in zip(chunk, found, strict=True):
            if request is None:
                err.append(str(NoSuchRequest(detail=shown)))
            elif not is_of(request, wanted):
                err.append(f"qstat: {wanted[1]} has no request {shown}")
            else:
                lines.append(form(0, request))
    return [line for line in lines if line]
