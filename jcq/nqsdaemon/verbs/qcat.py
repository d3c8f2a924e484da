"""The verb qcat: hand the open file of a request's output, or of its script, to the client; no byte is copied here.

The file is opened with the site's rights for the owner or an operator, so its content is all they get. It is that
of the attempt which runs now: with -f the client follows this attempt, and the answer ends when the request has.
"""

import os

from jcq.asking import NOT_NOW_CODE
from jcq.errors import UsageError
from jcq.jcdbs.errors import WrongState
from jcq.model import lifecycle
from jcq.nqsdaemon.call import Part, Reply
from jcq.nqsdaemon.request_lines import output_path
from jcq.nqsdaemon.request_lines import shown as printable
from jcq.nqsdaemon.requestid import own_request
from jcq.nqsdaemon.spooled import STREAMS, open_output, open_script, refuse_direct
from jcq.options import QCAT, parse

#: It may have begun, or ended, since it was looked at.
_TRIES = 3
#: In the place of a descriptor: the request does not run just now, or no more.
_NOT_NOW, _ENDED = -1, -2


def handle(call, desk):
    """Show one file of one request.

    Returns (as a generator):
        Reply: code 0; the descriptor goes before it, in a `Part`.
    Raises:
        UsageError, NoSuchRequest, NotOwner. WrongState: there is no such output now; it says where it is.
        NotServed: the file is not what it should be.
    """
    values, operands = parse(QCAT, call.args)
    chosen = [word for word, key in (("-e", "err"), ("-i", "script"), ("-o", "out")) if key in values]
    if len(chosen) > 1:
        raise UsageError(reason=f"{chosen[0]} and {chosen[1]} exclude each other; give one of them")
    if {"follow", "script"} <= values.keys():
        raise UsageError(reason="-f follows output, and nothing is appended to a script; leave out -f or -i")
    request, shown = yield from own_request(operands[0], call, desk)
    if "script" in values:
        fd = _script(request, shown, desk)
    elif call.again and "follow" in values:
        fd = yield from _output_again(request, shown, "err" if "err" in values else "out", desk)
        if fd < 0:
            return Reply(NOT_NOW_CODE if fd == _NOT_NOW else 0)
    else:
        fd = yield from _output(request, shown, "err" if "err" in values else "out", desk)
    yield Part(fd=fd)
    if "follow" in values:
        yield desk.ended(request.rid)
    return Reply()


def _output_again(request, shown, ending, desk):
    """For who has followed it before the site was started again: a descriptor, `_NOT_NOW` or `_ENDED`."""
    try:
        return (yield from _output(request, shown, ending, desk))
    except WrongState:
        (now,) = yield desk.store.requests([request.rid])
        return _ENDED if now is None or now.state == lifecycle.DONE else _NOT_NOW


def _script(request, shown, desk):
    try:
        return open_script(request, desk.site)
    except FileNotFoundError:
        raise WrongState(detail=f"{shown} has no script any more.") from None


def _output(request, shown, ending, desk):
    if ending == "err" and request.joined:
        raise WrongState(detail=f"{shown} has its standard error in its standard output (-eo): qcat -o shows it.")
    refuse_direct(request, shown, ending)
    for _ in range(_TRIES):
        _refuse_without_output(request, shown, ending)
        try:
            return open_output(request, ending, desk.site, os.O_RDONLY)
        except FileNotFoundError:
            (again,) = yield desk.store.requests([request.rid])
            request = again or request
    if request.state == lifecycle.RUNNING:
        raise WrongState(detail=f"{shown} is being started: it has no {STREAMS[ending]} yet. Try again.")
    raise WrongState(detail=f"{shown} has ended, and its {STREAMS[ending]} is being delivered. Try again.")


def _refuse_without_output(request, shown, ending):
    """Raise WrongState where the state says that nothing is spooled."""
    if request.state in (lifecycle.RUNNING, lifecycle.EXITING):
        return
    stream = STREAMS[ending]
    if request.state != lifecycle.DONE:
        raise WrongState(
            detail=f"{shown} is {request.state.lower()}: it has no {stream} yet. Try again when it is running."
        )
    if not request.started_s:
        raise WrongState(detail=f"{shown} has ended without having run: it has no {stream}.")
    path = printable(output_path(request, ending[0])[0])
    if request.reason:
        raise WrongState(detail=f"{shown} has ended; its {stream} was to go to {path}: {printable(request.reason)}")
    raise WrongState(detail=f"{shown} has ended; its {stream} was delivered to {path}")
