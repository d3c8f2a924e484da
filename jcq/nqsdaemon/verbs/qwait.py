"""The verb qwait: answer when a request has ended and its output is delivered. Waits for news, never polls.

The code is the request's own, 128+n for signal n, and one of its own for a request that never ran to an
end (`jcq.model.lifecycle.WAIT_CODES`). A request that exited is answered without a word; each other
outcome has its line on standard output. Only the owner and operators may wait, since a request's
exit code is its owner's.
"""

from jcq.model import lifecycle
from jcq.nqsdaemon.ending import ending
from jcq.nqsdaemon.requestid import own_request
from jcq.options import QWAIT, parse


def handle(call, desk):
    """Wait for one request.

    Returns (as a generator):
        Reply: the code and the line described above.
    Raises:
        NoSuchRequest, NotOwner.
    """
    _, operands = parse(QWAIT, call.args)
    request, shown = yield from own_request(operands[0], call, desk)
    if request.state != lifecycle.DONE:
        request = yield desk.ended(request.rid)
    return ending(request, shown)
