"""The verb qrsm: let suspended requests go on."""

import signal

from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.orders import Order, act_on, refuse_unless_running
from jcq.options import QRSM, parse


def handle(call, desk):
    """Resume each request named; returns as every verb of `jcq.nqsdaemon.orders`."""
    values, operands = parse(QRSM, call.args)

    def decide(request, shown, uid):
        refuse_unless_running(request, shown)
        op = desk.store.kill(request.rid, uid, signal.SIGCONT, desk.now(), suspended=True)
        return Order(op, "has been resumed.")

    return answer(*(yield from act_on(operands, values, call, desk, decide)))
