"""The verb qhold: keep requests that do not run yet from running. What an operator holds, its owner cannot release."""

from jcq.model import lifecycle
from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.orders import STARTED, Order, act_on, refuse_state
from jcq.options import QHOLD, parse

_HELD = {lifecycle.HELD: "is held already.", **STARTED}


def handle(call, desk):
    """Hold each request named; returns as every verb of `jcq.nqsdaemon.orders`."""
    values, operands = parse(QHOLD, call.args)

    def decide(request, shown, uid):
        refuse_state(request, shown, _HELD)
        return Order(desk.store.hold(request.rid, f"held by {call.who}", uid, desk.now()), "has been held.")

    return answer(*(yield from act_on(operands, values, call, desk, decide)))
