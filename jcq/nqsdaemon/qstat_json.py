"""qstat --json: one object, version 1, filtered exactly as the text is.

    {"version": 1, "site": NAME, "queues": [QUEUE, ...], "complexes": [COMPLEX, ...], "requests": [REQUEST, ...]}

QUEUE: `name`, `type` (BATCH, PIPE), `priority`, `enabled`, `started`, `state` (the two words of the
text: [ENABLED or DISABLED, STOPPED, STOPPING, RUNNING or INACTIVE]), `pipeonly`, `run_limit` (null for
PIPE), `user_limit` (so many of one user run at once; null: no limit), `access` ({"unrestricted": whether everybody may
submit, "users": [NAME, ...], "groups": [NAME, ...]}, names or ids as they were given to qmgr), `complexes` (names of
those it is in), `limits` (what requests may ask for), `destinations` (names; empty for BATCH), `restart`, `background`
(whether processes that outlive a request's script live on), `counts` (state -> number of requests, of all users).
Queues are in order of dispatch.

COMPLEX, one for each that the site has, by name: `name`, `run_limit`, `queues` (names).

REQUEST: `id` (SEQ.SITE), `old_id` (its id in the old system that spoolconv read; null where there is none), `name`,
`user`, `uid`, `queue`, `submitted_to`, `state` (a state of jcq.model.lifecycle), `suspended` (a running one is, by
qspnd or SIGSTOP), `position` (place in its queue from 1; null where it was asked for by id), `priority`,
`restartable`, `attempt`, `dispatch` (number of its dispatch site-wide), `submitted_s`, `due_s`, `started_s`,
`ended_s`, `workdir`, `host`, `shell`, `umask` (octal text), `stdout` and `stderr` (paths; `~/...` stays on the
execution machine; `stderr` is null with -eo), `mail` (of `begin` and `end`, what its owner wants a mail of),
`mail_to` (null: the owner), `node`, `pid`, `outcome`, `exit_code`, `signal`, `cpu_s`, `maxrss_kb`, `limits`, `reason`
(why it is held or waits, or where its output went instead), `why` (why it is not running, in one phrase; null where
it runs or has ended).

`limits` has a key for each resource limit that there is: {NAME: {"value": number, or null for unlimited, "warning":
number, or null for none}}; sizes are bytes, times seconds. Those of a request have `from_queue` too: false where it
was asked for, true where the queue gave it. Names: those of jcq.model.limits.LIMITS (`cpu_process` is
qsub's -lt, `cpu_request` -lT, ...).

`*_s` are seconds, moments counted from 1970; what does not apply is null. Live requests are listed in
the order of the text; a request that has ended only when its id is asked for, while it is retained.
Later versions may add keys; one that changes or removes a key has another `version`. Bytes that are
no UTF-8 are replaced by U+FFFD.
"""

import json

from jcq.model import lifecycle, limits
from jcq.model.queue import BATCH, PIPE
from jcq.nqsdaemon.queue_block import access_name, state_words
from jcq.nqsdaemon.request_lines import output_path

VERSION = 1


def queue_object(queue, complexes=()):
    """The dict of a `Queue`; `complexes`: all `Complex`es of the site."""
    return {
        "name": queue.name,
        "type": queue.type,
        "priority": queue.priority,
        "enabled": queue.enabled,
        "started": queue.started,
        "state": list(state_words(queue)),
        "pipeonly": queue.pipeonly,
        "run_limit": queue.run_limit if queue.type == BATCH else None,
        "user_limit": queue.user_limit or None,
        "access": {
            "unrestricted": not queue.restricted,
            "users": [_clean(access_name(entry)) for entry in queue.users],
            "groups": [_clean(access_name(entry)) for entry in queue.groups],
        },
        "complexes": [one.name for one in complexes if queue.name in one.queues],
        "limits": _limits(limits.from_text(queue.limits)),
        "destinations": list(queue.destinations) if queue.type == PIPE else [],
        "restart": queue.restart,
        "background": queue.background,
        "counts": {state: queue.counts.get(state, 0) for state in lifecycle.STATES if state != lifecycle.DONE},
    }


def request_object(position, request, why=""):
    """The dict of a `Request`; `position` 0: not known; `why` it is not running, see `jcq.nqsdaemon.why`."""
    ran = request.outcome in (lifecycle.EXITED, lifecycle.SIGNALLED)
    return {
        "id": request.id,
        "old_id": _clean(request.old_id) or None,
        "name": _clean(request.name),
        "user": _clean(request.user),
        "uid": request.uid,
        "queue": request.queue,
        "submitted_to": request.submitted_to,
        "state": request.state,
        "suspended": request.suspended,
        "position": position or None,
        "priority": request.priority,
        "restartable": request.restartable,
        "attempt": request.attempt,
        "dispatch": request.dispatch or None,
        "submitted_s": request.submitted_s,
        "due_s": request.due_s or None,
        "started_s": request.started_s or None,
        "ended_s": request.ended_s or None,
        "workdir": _clean(request.workdir),
        "host": _clean(request.host),
        "shell": _clean(request.shell) or None,
        "umask": f"{request.umask:03o}",
        "stdout": _clean(output_path(request, "o")[0]),
        "stderr": None if request.joined else _clean(output_path(request, "e")[0]),
        "mail": [event for event, wanted in (("begin", request.mail_begin), ("end", request.mail_end)) if wanted],
        "mail_to": _clean(request.mail_to) or None,
        "node": _clean(request.node) or None,
        "pid": request.pid or None,
        "outcome": request.outcome or None,
        "exit_code": request.exit_code if request.outcome == lifecycle.EXITED else None,
        "signal": request.signal if request.outcome == lifecycle.SIGNALLED else None,
        "cpu_s": request.cpu_s if ran else None,
        "maxrss_kb": request.maxrss_kb if ran else None,
        "limits": _request_limits(request),
        "reason": _clean(request.reason),
        "why": why or None,
    }


def _request_limits(request):
    own = limits.from_text(request.limits)
    found = _limits(limits.effective(request.limits, request.queue_limits))
    return {name: {**numbers, "from_queue": name not in own} for name, numbers in found.items()}


def _limits(found):
    return {name: {"value": value, "warning": warning} for name, (value, warning) in found.items()}


def complex_object(one):
    """The dict of a `Complex`."""
    return {"name": one.name, "run_limit": one.run_limit, "queues": list(one.queues)}


def document(site_name, queues, complexes, requests):
    """The whole text, ending with a newline.

    Args:
        site_name: the site's name.
        queues: [Queue].
        complexes: [Complex], all of the site.
        requests: JSON texts, one per request, made as they were read: there may be 100,000.
    """
    head = json.dumps(
        {
            "version": VERSION,
            "site": site_name,
            "queues": [queue_object(queue, complexes) for queue in queues],
            "complexes": [complex_object(one) for one in complexes],
        }
    )
    return f'{head[:-1]}, "requests": [{", ".join(requests)}]}}\n'


def _clean(text):
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
