"""The verb qspnd: suspend running requests (SIGSTOP to all their processes). They keep their run slots."""

import signal

from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.orders import Order, act_on, refuse_unless_running
from jcq.options import QSPND, parse


def handle(call, desk):
    """Suspend each request named; returns as every verb of `jcq.nqsdaemon.orders`."""
    values, operands = parse(QSPND, call.args)

    def decide(request, shown, uid):
        refuse_unless_running(request, shown)
        op = desk.store.kill(request.rid, uid, signal.SIGSTOP, desk.now(), suspended=False)
        return Order(op, "has been suspended.")

    return answer(*(yield from act_on(operands, values, call, desk, decide)))
