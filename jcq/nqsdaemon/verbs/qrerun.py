"""The verb qrerun: end running requests and queue them again, as a failure of the site would.

A request that is not restartable (`qsub -nr`) is refused: it is started at most once.
"""

from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.orders import Order, act_on, refuse_unless_running
from jcq.options import QRERUN, parse


def handle(call, desk):
    """Rerun each request named; returns as every verb of `jcq.nqsdaemon.orders`."""
    values, operands = parse(QRERUN, call.args)

    def decide(request, shown, uid):
        refuse_unless_running(request, shown)
        return Order(desk.store.rerun(request.rid, uid, desk.now()), "is ended and queued again.")

    return answer(*(yield from act_on(operands, values, call, desk, decide)))
