"""How the end of a request is told to who waited for it, with qwait or with `qsub --wait`."""

from jcq.jcdbs.errors import NoSuchRequest
from jcq.model import lifecycle
from jcq.nqsdaemon.call import Reply

_SAID = {
    lifecycle.DELETED: "was deleted before it ran.",
    lifecycle.PURGED: "was purged when the site started: it is not run again.",
    lifecycle.REJECTED: "was rejected: no queue takes it.",
    lifecycle.FORWARDED: "was forwarded to another machine.",
}


def ending(request, shown):
    """The Reply to who waited for a request.

    Args:
        request: the ended `Request`, or None where it is unknown.
        shown: its id as people see it.
    Returns:
        Reply: the code of `jcq.model.lifecycle.wait_code`; a line for an outcome that is not the script's own.
    Raises:
        NoSuchRequest: it is unknown.
    """
    if request is None:
        raise NoSuchRequest(detail=shown)
    code = lifecycle.wait_code(request.outcome, request.exit_code, request.signal)
    return Reply(code, out=_line(request, shown))


def _line(request, shown):
    if request.outcome == lifecycle.EXITED:
        return ""
    if request.outcome == lifecycle.SIGNALLED:
        return f"Request {shown} was ended by signal {request.signal}.\n"
    return f"Request {shown} {_SAID[request.outcome]}\n"
