"""The text that describes requests: qstat's lines under a queue, and its long form.

Columns and wording of the original are recollections (nqs-facts.md section 3, MEM-lo): read this text
with blanks squeezed. Names never break a line: what is not printable is shown as `?`, a blank in a
request name as `_`. Nothing of a script or an environment is shown here, to anyone.
"""

from datetime import datetime

from jcq.errors import UsageError
from jcq.model import lifecycle, limits
from jcq.model.request import FILE_NAME_CHARACTERS
from jcq.model.starttime import zone

HEADER = "         REQUEST NAME     REQUEST ID            USER          PRI      STATE     PGRP\n"


def short_line(position, request):
    """One line of a queue's list.

    Args:
        position: place in the queue, from 1; 0 where it is not known, shown as `-`.
        request: the `Request`.
    """
    pgrp = str(request.pid) if request.state == lifecycle.RUNNING and request.pid else ""
    name = shown(request.name).replace(" ", "_")
    line = f"{position or '-':>5}:   {name:<16} {request.id:<21} {owner(request):<12} {request.priority:>4} "
    return f"{line}{shown_state(request):>10} {pgrp:>8}".rstrip() + "\n"


def medium_form(position, request, why):
    """The line of a queue's list, and below it why the request is not running, if there is something to say."""
    return short_line(position, request) + (f"              {why}\n" if why else "")


def long_form(position, request, tz, why=""):
    """Every attribute of a request.

    Args:
        position: place in the queue, as `short_line` has it.
        request: the `Request`.
        tz: the reader's TZ, see `jcq.model.starttime.zone`.
        why: why it is not running, see `jcq.nqsdaemon.why`.
    """
    pgrp = f"  Pgrp={request.pid}" if request.state == lifecycle.RUNNING and request.pid else ""
    lines = [
        f"Request {position or '-':>5}:       Name={shown(request.name)}        Id={request.id}",
        f"\tOwner={owner(request)}  Priority={request.priority}  {request.state}{pgrp}",
        *([f"\tId in the old system = {shown(request.old_id)}"] if request.old_id else []),
        *(f"\t{line}" for line in _life(request, readers_zone(tz))),
        f"\tQueue = {request.queue}, submitted to {request.submitted_to}",
        f"\tOwner user name at originating machine = {owner(request)}",
        f"\tOriginating machine = {shown(request.host)}",
        f"\tWorking directory = {shown(request.workdir)}",
        *(f"\t{line}" for line in _output(request)),
        f"\tMail = [{_mail_flags(request)}]",
        f"\tMail address = {shown(request.mail_to) or owner(request)}",
        f"\tShell = {shown(request.shell) or 'DEFAULT'}",
        f"\tUmask = {request.umask:03o}",
        f"\tRestart = {'ENABLE' if request.restartable else 'DISABLE'}",
        *(f"\t{line}" for line in _limits(request)),
    ]
    if why:
        lines.append(f"\tNot running = {why}")
    if request.reason:
        lines.append(f"\tNote = {shown(request.reason)}")
    return "\n".join(lines) + "\n"


def _mail_flags(request):
    words = [word for word, wanted in (("BEGIN", request.mail_begin), ("END", request.mail_end)) if wanted]
    return ", ".join(words) or "NONE"


def owner(request):
    """Login name at submission; the uid where it had none."""
    return shown(request.user) or str(request.uid)


def shown_state(request):
    """Its state as lists show it: SUSPENDED while it runs and is suspended."""
    return "SUSPENDED" if request.suspended else request.state


def shown(text):
    """A text that fits one line of any terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def outcome(request):
    """How an ended request ended, in words."""
    if request.outcome == lifecycle.EXITED:
        return f"exited, exit code {request.exit_code}"
    if request.outcome == lifecycle.SIGNALLED:
        return f"signalled, signal {request.signal}"
    return request.outcome


def output_path(request, letter):
    """Where output is to go: (path, whether it stays on the execution machine).

    Args:
        request: the `Request`.
        letter: `o` for standard output, `e` for standard error.
    """
    path, keep = (request.out_path, request.keep_out) if letter == "o" else (request.err_path, request.keep_err)
    name = f"{request.name[:FILE_NAME_CHARACTERS]}.{letter}{request.seq}"
    if keep:
        return f"~/{name}", True
    return path or f"{request.workdir.rstrip('/')}/{name}", False


def _life(request, where):
    """What has happened to it, and when."""
    yield f"Created at {moment(request.submitted_s, where)}"
    if request.due_s and request.state == lifecycle.WAITING:
        yield f"Not before {moment(request.due_s, where)}"
    if request.started_s:
        yield f"Started at {moment(request.started_s, where)} on {shown(request.node)}, attempt {request.attempt}"
    if request.ended_s:
        yield f"Ended at {moment(request.ended_s, where)}"
    if request.outcome:
        yield f"Outcome = {outcome(request)}"
    if request.outcome in (lifecycle.EXITED, lifecycle.SIGNALLED):
        yield f"CPU time = {request.cpu_s:.2f} seconds, largest resident set = {request.maxrss_kb} kB"


def _limits(request):
    """The limits that hold, in the order of the table; those of its queue are marked (nqs-facts.md section 3)."""
    own = limits.from_text(request.limits)
    for name, line in limits.lines(limits.effective(request.limits, request.queue_limits)).items():
        yield line if name in own else f"{line} <DEFAULT>"


def _output(request):
    for letter, name, joined in (("e", "error", request.joined), ("o", "output", False)):
        path, keep = output_path(request, letter)
        direct = request.direct_err if letter == "e" else request.direct_out
        mode = "EO" if joined else "KEEP" if keep else "DIRECT" if direct else "SPOOL"
        yield f"Standard-{name} access mode = {mode}"
        if not joined:
            yield f"Standard-{name} name = {shown(path)}"


def readers_zone(tz):
    """The zone of a reader's TZ; this machine's where it is not known."""
    try:
        return zone(tz)
    except UsageError:
        return zone("")


def moment(seconds, where):
    """A moment, seconds since 1970, as people of that zone read it."""
    return datetime.fromtimestamp(seconds, where).strftime("%a %b %d %H:%M:%S %Z %Y")
