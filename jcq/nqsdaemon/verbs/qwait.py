"""The verb qwait: answer when a request has ended and its output is delivered. Waits for news, never polls.

The code is the request's own, 128+n for signal n, and one of its own for a request that never ran to an
end (`jcq.model.lifecycle.WAIT_CODES`). A request that exited is answered without a word; each other
outcome has its line on standard output. Only the owner and operators may wait, since a request's
exit code is its owner's.
"""

from jcq.errors import NoSuchRequest, NotOwner
from jcq.model import lifecycle
from jcq.nqsdaemon.ending import ending
from jcq.nqsdaemon.requestid import find_rid
from jcq.options import QWAIT, parse


def handle(call, desk):
    """Wait for one request.

    Returns (as a generator):
        Reply: the code and the line described above.
    Raises:
        NoSuchRequest, NotOwner.
    """
    _, operands = parse(QWAIT, call.args)
    rid, shown = find_rid(operands[0], desk.identity)
    if rid is None:
        raise NoSuchRequest(detail=shown)
    try:
        request = yield desk.store.request(rid)
    except NoSuchRequest:
        raise NoSuchRequest(detail=shown) from None
    if request.uid != call.uid and not (yield from desk.may_operate(call)):
        raise NotOwner(detail=shown)
    if request.state != lifecycle.DONE:
        request = yield desk.ended(rid)
    return ending(request, shown)
