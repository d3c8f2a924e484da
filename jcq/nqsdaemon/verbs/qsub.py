"""The verb qsub: make a request of a script and its options, put it on disk, hand it to the database.

Identity is the socket's, never the message's. A site that runs as root serves every uid that has an
account; any other serves the uid it runs as. The group of a request is its account's: the group that
the command happened to run with may be a setgid program's.
"""

import os
import pwd

from jcq.errors import JcqError, NoQueueGiven, NotServed, UsageError
from jcq.model import requestname
from jcq.model.directives import effective
from jcq.model.queue import valid_name
from jcq.model.request import Request
from jcq.model.starttime import start_time
from jcq.nqsdaemon.call import PATH_BYTES_MAX, Reply
from jcq.nqsdaemon.requestid import is_this_site
from jcq.options import QSUB
from jcq.site import short_name

#: What the job sees as QSUB_HOME and so on; a longer value is left out.
_KEPT_VARIABLES = ("HOME", "LOGNAME", "MAIL", "PATH", "SHELL", "TZ")
_VARIABLE_BYTES_MAX = 4096
#: With less free than this it is the site's disk that is full.
_SHORT_BYTES = 1024 * 1024


def handle(call, desk):
    """Submit one request.

    Returns (as a generator):
        Reply: `Request 12.site submitted to queue: batch.`, which is said when the request is on disk.
    Raises:
        JcqError: it was refused, and nothing is left of it. DiskShort: so is every submission now.
    """
    gid = _served(call, desk)
    if desk.room.short:
        raise desk.disk_short("nothing is submitted")
    if not call.script:
        raise UsageError(reason="the script is empty; nothing was submitted")
    values, _ = effective(QSUB, call.args, call.script)
    request = _request(values, call, desk)
    request.gid = gid
    site = yield desk.store.site()
    request.queue = values.get("queue") or call.env.get("QSUB_QUEUE") or site.default_queue
    if not request.queue:
        raise NoQueueGiven()
    request.queue = _without_host(request.queue, "queue", (), desk)
    if not valid_name(request.queue):
        raise UsageError(reason=f"{request.queue!r} is no queue name; qstat shows the queues")
    request.priority = values.get("priority", site.default_priority)
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
        queue, _ = yield desk.store.submit(request, desk.now(), token=request.rid)
    except JcqError:
        desk.spool.remove(request.rid)
        desk.return_seq(request.seq)
        raise
    if "silent" in values:
        return Reply()
    return Reply(out=f"Request {request.id} submitted to queue: {queue}.\n")


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
    """The Request of effective options, all but queue, priority, ids and gid."""
    now_s = desk.now()
    request = Request(
        site=desk.identity.name,
        uid=call.uid,
        user=call.user,
        workdir=call.cwd,
        host=call.host,
        umask=call.umask,
        tz=call.tz,
        restartable="not_restartable" not in values,
        joined="joined" in values,
        keep_out="keep_out" in values,
        keep_err="keep_err" in values,
        has_environment="export" in values,
        home="" if call.user else _home(call),
        variables=_variables(call),
    )
    request.name = requestname.chosen(values["name"]) if "name" in values else requestname.default(call.script_name)
    if "start" in values:
        request.due_s = max(0.0, start_time(values["start"], now_s, call.tz))
    if "shell" in values:
        request.shell = _path(values["shell"], "-s")
        if not request.shell.startswith("/"):
            raise UsageError(reason=f"-s needs the absolute path of a shell, not {request.shell!r}")
    for key, option in (("out_path", "-o"), ("err_path", "-e")):
        if key in values:
            setattr(request, key, _output_path(values[key], option, call, desk))
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


def _output_path(value, option, call, desk):
    """An absolute path on this site from `[host:]path`; a colon behind the first slash belongs to the path."""
    path = _path(value, option)
    if ":" in path.partition("/")[0]:
        path = _without_host(path, option, (call.host, short_name(call.host)), desk)
        if not path:
            raise UsageError(reason=f"{option} needs a path behind the host")
    if path.endswith("/"):
        raise UsageError(reason=f"{option} needs the path of a file, not of a directory: {value!r}")
    path = os.path.join(call.cwd, path)
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise UsageError(reason=f"{option}: the path is longer than {PATH_BYTES_MAX} bytes")
    return path


def _path(value, option):
    if not value or len(os.fsencode(value)) > PATH_BYTES_MAX:
        raise UsageError(reason=f"{option} needs a path of at most {PATH_BYTES_MAX} bytes")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise UsageError(reason=f"{option}: a path with control characters is not accepted: {value!r}")
    return value


def _without_host(text, what, hosts, desk):
    """`queue@host` or `host:path` without its host, which must be this site or this machine."""
    if what == "queue":
        rest, _, host = text.partition("@")
    else:
        host, _, rest = text.partition(":")
    if host and host not in hosts and not is_this_site(host, desk.identity):
        raise UsageError(reason=f"{what}: {host!r} is another machine, and jcq does not transfer to machines yet")
    return rest
