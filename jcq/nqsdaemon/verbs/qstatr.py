"""The verb qstatr: requests, one a line, in the columns of NEC's newer qstat (nqs-facts.md section 3).

Memory and CPU are known when a request has ended only; `-` stands for what is not known. S is `-` (never stalled),
R whether it is rerunnable, H whether it can be held, M whether it can migrate to another node, as each rerunnable one
can. Jobs is 1.
"""

from jcq.jcdbs.errors import NoSuchRequest
from jcq.model import lifecycle
from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.listing import CHUNK, is_of, listing, named_users, whose
from jcq.nqsdaemon.queue_block import queues_named
from jcq.nqsdaemon.request_lines import owner, shown
from jcq.nqsdaemon.requestid import find_rid
from jcq.options import QSTATR, parse

_HEADER = (
    "RequestID       ReqName  UserName Queue     Pri STT S   Memory      CPU   Elapse R H M Jobs",
    "--------------- -------- -------- -------- ---- --- - -------- -------- -------- - - - ----",
)
_STATES = {
    lifecycle.ARRIVING: "ARI",
    lifecycle.WAITING: "WAT",
    lifecycle.HELD: "HLD",
    lifecycle.QUEUED: "QUE",
    lifecycle.ROUTING: "FWD",
    lifecycle.DEPARTING: "FWD",
    lifecycle.RUNNING: "RUN",
    lifecycle.EXITING: "EXT",
    # Ours: it is shown when its id is asked for.
    lifecycle.DONE: "END",
}
#: States in which it can be held.
_HOLDABLE = (lifecycle.WAITING, lifecycle.QUEUED)


def handle(call, desk):
    """Show requests: of queues, or by their ids, with -u those of that user only.

    Returns (as a generator):
        Reply: code 1 if an operand was not found; the others are shown.
    """
    values, operands = parse(QSTATR, call.args)
    out, err = list(_HEADER), []
    by_id_of = named_users(values, call)
    rids = [find_rid(text, desk.identity) for text in operands if text[:1].isdigit()]
    names = [text for text in operands if not text[:1].isdigit()]

    def form(_position, request):
        return _line(request, desk.now())

    if names or not operands:
        for queue in (yield from queues_named("qstatr", names, desk, err, "qstatq")):
            out += yield from listing(queue, whose(values, call), form, desk)
    for start in range(0, len(rids), CHUNK):
        chunk = rids[start : start + CHUNK]
        found = yield desk.store.requests([rid or "" for rid, _ in chunk])
        for (_, said), request in zip(chunk, found, strict=True):
            if request is None:
                err.append(str(NoSuchRequest(detail=said)))
            elif not is_of(request, by_id_of):
                err.append(f"qstatr: {by_id_of[1]} has no request {said}")
            else:
                out.append(_line(request, desk.now()))
    return answer(out, err)


def _line(request, now_s):
    ended = request.outcome in (lifecycle.EXITED, lifecycle.SIGNALLED)
    state = "SUS" if request.suspended else _STATES[request.state]
    elapse_s = (request.ended_s or now_s) - request.started_s if request.started_s else 0.0
    memory = _size(request.maxrss_kb) if ended else "-"
    cpu = f"{request.cpu_s:.2f}" if ended else "-"
    name = shown(request.name).replace(" ", "_")
    may = (request.restartable, request.state in _HOLDABLE, request.restartable)
    flags = " ".join("Y" if flag else "N" for flag in may)
    head = f"{request.id[:15]:<15} {name[:8]:<8} {owner(request)[:8]:<8} {request.queue[:8]:<8} {request.priority:>4}"
    return f"{head} {state} - {memory:>8} {cpu:>8} {elapse_s:>8.0f} {flags} {1:>4}"


def _size(kib):
    size = float(kib)
    for unit in "KMGT":
        if size < 1024 or unit == "T":
            return f"{size:.2f}{unit}"
        size /= 1024
    return ""
