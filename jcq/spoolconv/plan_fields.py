"""What the fields of an old request become: taken over, or left out with a note, or a reason to hold it.

Pure, one matter each. A function gets the `OldRequest`, the Request to be filled, and perhaps lists of phrases:
`notes`, and `holds` for what would let the request run otherwise than before.
"""

import math
import os

from jcq.model import limits
from jcq.model.mail_address import valid_address
from jcq.model.queue import valid_name
from jcq.model.request import ENVIRONMENT_BYTES_MAX, PRIORITY_MAX, SCRIPT_BYTES_MAX
from jcq.spoolconv.clean import clean

#: Moments up to the year 9999 can be shown.
TIME_MAX_S = 253402300799.0
_PATH_BYTES_MAX = 4095
_VARIABLES_MAX = 20_000
HOST_CHARACTERS_MAX = 255
#: What the job sees as QSUB_HOME and so on, as qsub has it.
_KEPT_VARIABLES = frozenset((b"HOME", b"LOGNAME", b"MAIL", b"PATH", b"SHELL", b"TZ"))
_VARIABLE_BYTES_MAX = 4096
_ATTEMPT_MAX = 10**9


def unusable(old):
    """Why a request cannot be converted whoever owns it; empty where it can."""
    if not old.script:
        return "its script is empty"
    if len(old.script) > SCRIPT_BYTES_MAX:
        return f"its script is larger than {SCRIPT_BYTES_MAX >> 20} MiB"
    environment = old.environment or {}
    if (
        not (_plain(environment) and _plain(environment.values()))
        or b"" in environment
        or b"=" in b"".join(environment)
    ):
        name = next(name for name, value in environment.items() if not name or b"=" in name or b"\0" in name + value)
        return f"its environment has a variable that none can be: {clean(os.fsdecode(name))!r}"
    size = sum(map(len, environment)) + sum(map(len, environment.values())) + 2 * len(environment)
    if size > ENVIRONMENT_BYTES_MAX or len(environment) > _VARIABLES_MAX:
        return f"its environment is larger than {ENVIRONMENT_BYTES_MAX >> 20} MiB, or has too many variables"
    return ""


def _plain(texts):
    """Whether no text has a NUL: looked at all at once, since there are some million of them."""
    return b"\0".join(texts).count(b"\0") <= max(len(texts) - 1, 0)


def take_times(old, request, now_s, notes, holds):
    """When it was submitted, and the time before which it must not run."""
    request.submitted_s = float(f"{old.submitted_s:.6f}") if _moment(old.submitted_s) else now_s
    if old.submitted_s and not _moment(old.submitted_s):
        notes.append("when it was submitted is no moment; now is taken")
    if _moment(old.due_s):
        request.due_s = float(f"{old.due_s:.6f}")
    elif old.due_s:
        holds.append("the time before which it must not run is no moment")


def _moment(value):
    return isinstance(value, int | float) and math.isfinite(value) and 0 < value <= TIME_MAX_S


def take_numbers(old, request, default_priority, notes):
    """Its priority and its umask."""
    request.priority = default_priority if old.priority is None else min(max(old.priority, 0), PRIORITY_MAX)
    if old.priority not in (None, request.priority):
        notes.append(f"its priority {old.priority} became {request.priority}")
    if old.umask is not None:
        request.umask = old.umask & 0o777
        if request.umask != old.umask:
            notes.append(f"its umask {old.umask:o} became {request.umask:03o}")


def take_places(old, request, notes, holds):
    """Its directory, its shell, and where it was submitted."""
    if old.workdir and not _path(old.workdir):
        holds.append(f"its directory {clean(old.workdir)!r} is no absolute path")
    elif old.workdir:
        request.workdir = old.workdir
    if old.shell and not (_path(old.shell) and old.shell.isprintable()):
        holds.append(f"its shell {clean(old.shell)!r} is no absolute path")
    elif old.shell:
        request.shell = old.shell
    for name, value in (("host", old.host), ("tz", old.tz)):
        if value.isprintable() and len(value) <= HOST_CHARACTERS_MAX:
            setattr(request, name, value)
        else:
            notes.append(f"its {name} is no text: {clean(value)!r}")


def _path(text):
    # Directories may have any name, and qsub takes a request wherever it is called.
    return text.startswith("/") and "\0" not in text and len(os.fsencode(text)) <= _PATH_BYTES_MAX


def take_output(old, request, notes):
    """As with qsub, what excludes each other does not come together: the more special wins."""
    request.joined = old.joined
    for letter, name in (("out", "standard output"), ("err", "standard error")):
        if letter == "err" and old.joined:
            continue
        path = getattr(old, f"{letter}_path")
        if getattr(old, f"keep_{letter}"):
            setattr(request, f"keep_{letter}", True)
            continue
        if path and (not _path(path) or path.endswith("/")):
            notes.append(f"its path of {name} is none of a file: {clean(path)!r}; it goes to the usual place")
            path = ""
        setattr(request, f"{letter}_path", path)
        setattr(request, f"direct_{letter}", getattr(old, f"direct_{letter}"))


def take_mail(old, request, notes):
    """When mail is sent, and to whom."""
    request.mail_begin, request.mail_end = old.mail_begin, old.mail_end
    if old.mail_to and not valid_address(old.mail_to):
        notes.append(f"{clean(old.mail_to)!r} is no mail address; its mail goes to its owner")
    else:
        request.mail_to = old.mail_to


def take_limits(old, request, notes):
    """Its own resource limits."""
    request.limits, left_out = limits_text(old.limits)
    notes += left_out
    found = limits.from_text(request.limits)
    if request.uid and found.get("nice_process", (0, None))[0] < 0:
        del found["nice_process"]
        request.limits = limits.to_text(found)
        notes.append("its nice value is one that only root may have, and is left out")


def take_queue_limits(old, request, place):
    """What a request without limits of its own has of its queue: what it had there, else what this one gives."""
    of_queue = limits.from_text(place.limits)
    if old.queue_limits is not None:
        of_queue = limits.from_text(limits_text(old.queue_limits)[0])
    own = limits.from_text(request.limits)
    request.queue_limits = limits.to_text({name: pair for name, pair in of_queue.items() if name not in own})


def take_history(old, request):
    """What a neutral dump knows of a request's life so far."""
    request.reason = clean(old.reason)
    request.attempt = old.attempt if 0 < old.attempt <= _ATTEMPT_MAX else 0
    if valid_name(old.submitted_to):
        request.submitted_to = old.submitted_to
    request.retried_s = old.retried_s if 0 < old.retried_s <= TIME_MAX_S else 0.0


def limits_text(given):
    """-> (text of those limits that are some, one phrase for each of the others)."""
    text, left_out = {}, []
    for name, pair in given.items():
        try:
            value, warning = pair
            one = limits.to_text({name: (value, warning)})
            low = limits.NICE_MIN if limits.BY_NAME[name].kind == limits.NICE else 0
            if (value is not None and value < low) or not one:
                raise ValueError(name)
            limits.from_text(one)
            text[name] = (value, warning)
        except (KeyError, TypeError, ValueError):
            left_out.append(f"its limit {clean(str(name))} is none, and is left out")
    return limits.to_text(text), left_out


def _pairs(variables):
    """{name: value}, bytes, of `Request.variables`."""
    pairs = [os.fsencode(pair).partition(b"=") for pair in variables.split("\0")]
    return {name: value for name, equals, value in pairs if equals}


def variables(old):
    """-> text of `Request.variables`: those of a neutral dump, else what the environment has of them."""
    environment = _pairs(old.variables) or old.environment
    if not environment:
        return ""
    kept = [name for name in environment if name in _KEPT_VARIABLES and len(environment[name]) <= _VARIABLE_BYTES_MAX]
    return "\0".join(os.fsdecode(name + b"=" + environment[name]) for name in kept)


def usual_directory(owner, request):
    """Where a request runs if nothing says more, and where its output goes: its owner's home."""
    return owner.home if _path(owner.home) else request.home


def home(old, request):
    """-> the home directory of an owner who has no account."""
    found = os.fsdecode((old.environment or {}).get(b"HOME", b""))
    return found if _path(found) else request.workdir or "/"
