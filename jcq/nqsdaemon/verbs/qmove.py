"""The verb qmove: move requests that do not run to another queue; number and priority stay (order of words: as PBS)."""

from jcq.errors import UsageError
from jcq.model.queue import valid_name
from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.orders import STARTED, Order, act_on, refuse_state
from jcq.nqsdaemon.requestid import is_this_site
from jcq.options import QMOVE, parse


def handle(call, desk):
    """Move each request named; returns as every verb of `jcq.nqsdaemon.orders`.

    Raises:
        UsageError: the first word is no queue of this site.
    """
    values, (target, *operands) = parse(QMOVE, call.args)
    queue, at, host = target.partition("@")
    if at and not is_this_site(host, desk.identity):
        raise UsageError(reason=f"{target!r} is at another machine, and jcq does not transfer to machines yet")
    if not valid_name(queue):
        raise UsageError(reason=f"{queue!r} is no queue name; give the queue first: qmove QUEUE REQUEST-ID ...")

    def decide(request, shown, uid):
        refuse_state(request, shown, STARTED)
        return Order(desk.store.move(request.rid, uid, queue, desk.now()), f"has been moved to queue: {queue}.")

    return answer(*(yield from act_on(operands, values, call, desk, decide)))
