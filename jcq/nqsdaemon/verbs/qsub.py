"""The verb qsub: make a request of a script and its options, put it on disk, hand it to the database.

Identity is the socket's, never the message's. A site that runs as root serves every uid that has an
account; any other serves the uid it runs as. The group of a request is its account's: the group that
the command happened to run with may be a setgid program's.
"""

import os
import pwd
from dataclasses import replace

from jcq.errors import JcqError, NotServed, UsageError
from jcq.model import requestname
from jcq.model.directives import effective
from jcq.model.queue import valid_name
from jcq.model.request import Request
from jcq.nqsdaemon.call import PATH_BYTES_MAX, Part, Reply
from jcq.nqsdaemon.ending import ending
from jcq.nqsdaemon.errors import NoQueueGiven
from jcq.nqsdaemon.submission import attributes, without_host
from jcq.options import QSUB

#: What the job sees as QSUB_HOME and so on; a longer value is left out.
_KEPT_VARIABLES = ("HOME", "LOGNAME", "MAIL", "PATH", "SHELL", "TZ")
_VARIABLE_BYTES_MAX = 4096
#: With less free than this it is the site's disk that is full.
_SHORT_BYTES = 1024 * 1024


def handle(call, desk):
    """Submit one request.

    Returns (as a generator):
        Reply: `Request 12.site submitted to queue: batch.`, which is said when the request is on disk; with
        `--wait` the answer of qwait follows when it has ended, its line left out where -z or --parsable is given.
    Raises:
        JcqError: it was refused, and nothing is left of it. DiskShort: so is every submission now.
    """
    gid = _served(call, desk)
    token = f"{call.uid}:{call.token}" if call.token else ""
    values, _ = effective(QSUB, call.args, call.script)
    if call.again and token:
        found = yield desk.store.submitted(token)
        if found:
            return (yield from _accepted(values, found[0], found[1], desk))
    if desk.room.short:
        raise desk.disk_short("nothing is submitted")
    if not call.script:
        raise UsageError(reason="the script is empty; nothing was submitted")
    request = _request(values, call, desk)
    request.gid = gid
    site = yield desk.store.site()
    request.queue = values.get("queue") or call.env.get("QSUB_QUEUE") or site.default_queue
    if not request.queue:
        raise NoQueueGiven()
    request.queue = without_host(request.queue, "queue", (), desk)
    if not valid_name(request.queue):
        raise UsageError(reason=f"{request.queue!r} is no queue name; qstat shows the queues")
    if "priority" not in values:
        request.priority = site.default_priority
    request.seq = desk.next_seq()
    request.rid = f"{desk.identity.machine_id}-{request.seq}"
    environment = call.env if request.has_environment else None
    try:
        desk.spool.write_script(request.rid, request.uid, request.gid, call.script, environment)
    except OSError as error:
        desk.return_seq(request.seq)
        if desk.room.short or desk.free_bytes() < _SHORT_BYTES:
            raise desk.disk_short("nothing is submitted") from None
        raise NotServed(reason=f"the site cannot store the script: {error.strerror}") from None
    try:
        queue, _, *another = yield desk.store.submit(request, desk.now(), token=token or request.rid)
    except JcqError:
        desk.spool.remove(request.rid)
        desk.return_seq(request.seq)
        raise
    if another:
        # The same submission came twice, and the other one was first.
        desk.spool.remove(request.rid)
        desk.return_seq(request.seq)
    return (yield from _accepted(values, another[0] if another else request.rid, queue, desk))


def _accepted(values, rid, queue, desk):
    """What is answered when the request is on disk, the first time and each time that its submission is repeated."""
    shown = f"{rid.partition('-')[2]}.{desk.identity.name}"
    said = _said(values, shown, queue)
    if not {"delete", "wait"} & values.keys():
        return Reply(out=said)
    yield Part(out=said, accepted=True)
    if "wait" not in values:
        return Reply()
    reply = ending((yield desk.ended(rid)), shown)
    return Reply(reply.exit_code) if {"silent", "parsable"} & values.keys() else reply


def _said(values, shown, queue):
    """What is printed when the request with the id `shown` has been accepted."""
    if "silent" in values:
        return ""
    if "parsable" in values:
        return f"{shown}\n"
    return f"Request {shown} submitted to queue: {queue}.\n"


def _served(call, desk):
    """The gid of the caller's requests; raises NotServed for who is not served here."""
    if not desk.as_root:
        if call.uid != os.geteuid():
            owner = desk.identity.manager or f"uid {os.geteuid()}"
            raise NotServed(
                reason=f"site {desk.identity.name} runs without root and serves its own user {owner} only; "
                "submit as that user, or to a site that root runs"
            )
        return call.gid
    try:
        return pwd.getpwuid(call.uid).pw_gid
    except KeyError:
        raise NotServed(
            reason=f"uid {call.uid} has no account on this machine, so no request can run as it; "
            "submit as a user that has one"
        ) from None


def _request(values, call, desk):
    """The Request of effective options, all but queue, default priority, ids and gid."""
    request = Request(
        site=desk.identity.name,
        uid=call.uid,
        user=call.user,
        workdir=call.cwd,
        host=call.host,
        umask=call.umask,
        tz=call.tz,
        has_environment="export" in values,
        home="" if call.user else _home(call),
        variables=_variables(call),
    )
    request = replace(request, **attributes(values, call, desk))
    request.name = request.name or requestname.default(call.script_name)
    return request


def _home(call):
    home = call.env.get("HOME", "")
    return home if home.startswith("/") and len(os.fsencode(home)) <= PATH_BYTES_MAX else call.cwd


def _variables(call):
    kept = [
        f"{name}={call.env[name]}"
        for name in _KEPT_VARIABLES
        if name in call.env and len(os.fsencode(call.env[name])) <= _VARIABLE_BYTES_MAX
    ]
    return "\0".join(kept)
