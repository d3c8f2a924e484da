"""What the options of qsub and qalter say of a request: from their values to fields of `Request`."""

import os

from jcq.errors import UsageError
from jcq.model import limits, requestname
from jcq.model.mail_address import valid_address
from jcq.model.starttime import start_time
from jcq.nqsdaemon.call import PATH_BYTES_MAX
from jcq.nqsdaemon.requestid import is_this_site
from jcq.site import short_name

#: Options without a value -> what each sets; those of one group replace each other.
_FLAGS: dict[str, dict] = {
    "direct_err": {"direct_err": True, "joined": False, "keep_err": False},
    "direct_out": {"direct_out": True, "keep_out": False},
    "joined": {"joined": True, "keep_err": False, "direct_err": False, "err_path": ""},
    "keep_err": {"keep_err": True, "joined": False, "direct_err": False, "err_path": ""},
    "keep_out": {"keep_out": True, "direct_out": False, "out_path": ""},
    "mail_begin": {"mail_begin": True},
    "mail_end": {"mail_end": True},
    "not_restartable": {"restartable": False},
    "restartable": {"restartable": True},
}


def attributes(values, call, desk):
    """The fields that were given.

    Args:
        values: {key: value} of `jcq.options.QSUB` or `QALTER`, contradictions refused.
        call, desk: as every handler has them.
    Returns:
        {field of `Request`: value}; `limits` holds those that were given.
    Raises:
        UsageError: a value is none.
    """
    found = {}
    for key, fields in _FLAGS.items():
        if key in values:
            found.update(fields)
    if "priority" in values:
        found["priority"] = values["priority"]
    if "name" in values:
        found["name"] = requestname.chosen(values["name"])
    if "mail_to" in values:
        found["mail_to"] = values["mail_to"]
        if not valid_address(found["mail_to"]):
            raise UsageError(reason=f"-mu needs one mail address, user or user@host, not {found['mail_to']!r}")
    if "start" in values:
        found["due_s"] = _due(values["start"], call, desk)
    if "shell" in values:
        found["shell"] = _path(values["shell"], "-s")
        if not found["shell"].startswith("/"):
            raise UsageError(reason=f"-s needs the absolute path of a shell, not {found['shell']!r}")
    if "out_path" in values:
        found |= {"out_path": _output_path(values["out_path"], "-o", call, desk), "keep_out": False}
    if "err_path" in values:
        found |= {"err_path": _output_path(values["err_path"], "-e", call, desk), "keep_err": False, "joined": False}
    limited = _limits(values, call, desk)
    if limited:
        found["limits"] = limits.to_text(limited)
    return found


def _limits(values, call, desk):
    found = {
        limit.name: limits.parse_option(limit, values[limit.name]) for limit in limits.LIMITS if limit.name in values
    }
    # As setpriority(2) has it: who is not root gets nothing better than what the site itself has.
    if "nice_process" in found and not (desk.as_root and call.uid == 0):
        nice, own = found["nice_process"][0], os.getpriority(os.PRIO_PROCESS, 0)
        if nice < own:
            raise UsageError(
                reason=f"-ln: a nice value below {own} is root's, at a site that root runs; give {own} to "
                f"{limits.NICE_MAX}, not {nice}"
            )
    return found


def _due(text, call, desk):
    if text.strip().lower() == "now":
        return 0.0
    return max(0.0, start_time(text, desk.now(), call.tz))


def _output_path(value, option, call, desk):
    """An absolute path on this site from `[host:]path`; a colon behind the first slash belongs to the path."""
    path = _path(value, option)
    if ":" in path.partition("/")[0]:
        path = without_host(path, option, (call.host, short_name(call.host)), desk)
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


def without_host(text, what, hosts, desk):
    """`queue@host` or `host:path` without its host, which must be this site or this machine."""
    if what == "queue":
        rest, _, host = text.partition("@")
        if not rest:
            raise UsageError(reason=f"a queue needs a name, which {text!r} has not; qstat shows the queues")
    else:
        host, _, rest = text.partition(":")
    if host and host not in hosts and not is_this_site(host, desk.identity):
        raise UsageError(reason=f"{what}: {host!r} is another machine, and jcq does not transfer to machines yet")
    return rest
