"""The lines of the neutral layout that say what a site has: the opposite way of `jcq.model.neutral_values`."""

import base64
import json

from jcq.model import lifecycle, limits, neutral
from jcq.model.queue import BATCH, PIPE

#: What a request's state is in a dump; what is not here has ended, or is about to.
_STATES = {
    lifecycle.ARRIVING: lifecycle.QUEUED,
    lifecycle.WAITING: lifecycle.WAITING,
    lifecycle.HELD: lifecycle.HELD,
    lifecycle.QUEUED: lifecycle.QUEUED,
    lifecycle.ROUTING: lifecycle.QUEUED,
    lifecycle.DEPARTING: lifecycle.QUEUED,
    lifecycle.RUNNING: lifecycle.RUNNING,
}
#: Fields of Request that are lines' keys by another name.
_RENAMED = {
    "stdout": "out_path",
    "stderr": "err_path",
    "keep_stdout": "keep_out",
    "keep_stderr": "keep_err",
    "direct_stdout": "direct_out",
    "direct_stderr": "direct_err",
}
#: Keys whose value is a field as it is; those that are empty, 0 or false are left out.
_AS_THEY_ARE = (
    "name queue user operator_hold suspended reason submitted_to submitted_s due_s retried_s attempt workdir host tz"
    " shell stdout stderr joined keep_stdout keep_stderr direct_stdout direct_stderr mail_begin mail_end mail_to home"
).split()


def line(values):
    """One line: ASCII only, so that no byte is lost on the way through any tool."""
    return json.dumps(values) + "\n"


def settings_lines(site):
    """Of a `SiteRecord`: every parameter, also what is not set, so that it is not set where it goes, either."""
    return [line({"name": name, "value": getattr(site, name)}) for name in neutral.SETTINGS]


def managers_lines(managers, fixed):
    """Of {login name: role}, without those in `fixed`, whose right is the site's own."""
    return [line({"name": name, "role": role}) for name, role in sorted(managers.items()) if name not in fixed]


def queues_lines(queues, name_of):
    """Of [Queue].

    Args:
        queues: sorted.
        name_of: called with ("users" or "groups", `name:id`); what the account is called now.
    """
    return [line(_queue(queue, name_of)) for queue in queues]


def _queue(queue, name_of):
    found = {
        "name": queue.name,
        "type": queue.type,
        "priority": queue.priority,
        "enabled": queue.enabled,
        "started": queue.started,
        "pipeonly": queue.pipeonly,
    }
    if queue.type == PIPE:
        found["destinations"] = list(queue.destinations)
    if queue.type == BATCH:
        found |= {
            "run_limit": queue.run_limit,
            "user_limit": queue.user_limit,
            "restart": queue.restart,
            "background": queue.background,
        }
        if queue.limits:
            found["limits"] = _limits(queue.limits)
    found["restricted"] = queue.restricted
    for kind in ("users", "groups"):
        entries = getattr(queue, kind)
        if queue.restricted and entries:
            found[kind] = sorted({name_of(kind, entry) for entry in entries})
    return found


def complexes_lines(complexes):
    """Of [Complex]."""
    return [line({"name": one.name, "run_limit": one.run_limit, "queues": sorted(one.queues)}) for one in complexes]


def request_line(request, script, environment):
    """A request's line, or an empty text where it has ended.

    Args:
        request: the `Request`.
        script: bytes, or None where they are to stand in the file `script_name(rid)`.
        environment: {name: value}, bytes; None for none; or the text of a path, where it is in that file.
    """
    if request.state not in _STATES:
        return ""
    found = {"id": request.id, "state": _STATES[request.state], "uid": request.uid, "gid": request.gid}
    for key in _AS_THEY_ARE:
        value = getattr(request, _RENAMED.get(key, key))
        if value:
            found[key] = value
    found |= {"priority": request.priority, "restartable": request.restartable, "umask": f"{request.umask:03o}"}
    for key in ("limits", "queue_limits"):
        if getattr(request, key):
            found[key] = _limits(getattr(request, key))
    if request.variables:
        found["variables"] = dict(pair.split("=", 1) for pair in request.variables.split("\0") if "=" in pair)
    found |= {"nqs": not getattr(request, "as_before", False), "identity": request.rid}
    return line(found | _script(request.rid, script) | _environment(request.rid, environment))


def script_name(rid):
    """Where a long script stands, below the dump."""
    return f"files/{rid}"


def environment_name(rid):
    """Where a long environment stands, below the dump."""
    return f"files/{rid}.env"


def rid_of_file(name):
    """(rid, whether it is the environment) of such a name."""
    stem = name.removeprefix("files/")
    return stem.removesuffix(".env"), stem.endswith(".env")


def packed(environment):
    """{name: value} as `env -0` writes it."""
    return b"".join(b"%b=%b\0" % pair for pair in environment.items())


def _script(rid, script):
    if script is None:
        return {"script_file": script_name(rid)}
    try:
        return {"script": script.decode()}
    except UnicodeDecodeError:
        return {"script_base64": base64.b64encode(script).decode()}


def _environment(rid, environment):
    if environment is None:
        return {}
    if isinstance(environment, str):
        return {"environment_file": environment}
    try:
        return {"environment": {name.decode(): value.decode() for name, value in environment.items()}}
    except UnicodeDecodeError:
        return {"environment_base64": base64.b64encode(packed(environment)).decode()}


def _limits(stored):
    return {name: {"value": value, "warning": warning} for name, (value, warning) in limits.from_text(stored).items()}
