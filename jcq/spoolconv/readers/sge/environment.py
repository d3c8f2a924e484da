"""The environment that a job of Grid Engine had: what was stored with it, and what execd added (qsub(1), ENVIRONMENT).

HOME, SHELL and the login name are those of the submission: the old spool has no others. JOB_ID and the task's number
are the old ones, so that a script that uses them finds the files that it expects.
"""

import os

_OUTER = b"__SGE_PREFIX__"
#: As Debian's execd gives it to a job that brings none.
_PATH = b"/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
_UNDEFINED = b"undefined"


def environment(fields, task, structure, queue, slots, notes):
    """Make the environment of one task.

    Args:
        fields: {JB_...: value}.
        task: its number; None: the job is no array.
        structure: (first, last, step) of the array.
        queue: the `KnownQueue` where it goes, or None.
        slots: so many it has.
        notes: list that takes what is left out.
    Returns:
        {name: value}, bytes.
    """
    stored, outer = {}, {}
    for element in fields["JB_env_list"]:
        name, value = element["VA_variable"], element["VA_value"]
        if name.startswith(_OUTER):
            outer[b"SGE_" + name.removeprefix(_OUTER)] = value
        elif not name or b"=" in name:
            notes.append(f"variable {os.fsdecode(name)[:60]!r} is left out")
        else:
            # TERM is always there, mostly empty: so jobs find it.
            stored[name] = value
    owner = fields["JB_owner"]
    number = b"%d" % fields["JB_job_number"]
    numbers = [_UNDEFINED] * 4 if task is None else [b"%d" % part for part in (task, *structure)]
    given = {
        b"ENVIRONMENT": b"BATCH",
        b"JOB_ID": number,
        b"JOB_NAME": fields["JB_job_name"],
        b"REQUEST": fields["JB_job_name"],
        b"REQNAME": fields["JB_job_name"],
        b"SGE_ACCOUNT": fields["JB_account"],
        b"USER": owner,
        b"LOGNAME": owner,
        b"NSLOTS": b"%d" % slots,
        b"NHOSTS": b"1",
        b"NQUEUES": b"1",
        b"RESTARTED": b"0",
    }
    names = (b"SGE_TASK_ID", b"SGE_TASK_FIRST", b"SGE_TASK_LAST", b"SGE_TASK_STEPSIZE")
    given |= dict(zip(names, numbers, strict=True))
    for name, source in ((b"HOME", b"SGE_O_HOME"), (b"SHELL", b"SGE_O_SHELL")):
        if outer.get(source):
            given[name] = outer[source]
    if queue is not None:
        given[b"QUEUE"] = os.fsencode(queue.old_name)
        if queue.tmpdir.startswith("/"):
            given[b"TMPDIR"] = os.fsencode(queue.tmpdir)
    return {b"PATH": _PATH} | stored | outer | given


def host(fields):
    """The host of submission, or an empty text."""
    for element in fields["JB_env_list"]:
        if element["VA_variable"] == _OUTER + b"O_HOST":
            return os.fsdecode(element["VA_value"])
    return ""


def home(fields):
    """HOME of the submission, or an empty text."""
    for element in fields["JB_env_list"]:
        if element["VA_variable"] == _OUTER + b"O_HOME":
            return os.fsdecode(element["VA_value"])
    return ""
