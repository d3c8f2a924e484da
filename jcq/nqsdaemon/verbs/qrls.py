"""The verb qrls: let held requests run again when their turn comes."""

from jcq.jcdbs.errors import WrongState
from jcq.model import lifecycle
from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.orders import STARTED, Order, act_on, refuse_state
from jcq.options import QRLS, parse


def handle(call, desk):
    """Release each request named; returns as every verb of `jcq.nqsdaemon.orders`."""
    values, operands = parse(QRLS, call.args)

    def decide(request, shown, uid):
        refuse_state(request, shown, STARTED)
        if request.state != lifecycle.HELD:
            raise WrongState(detail=f"{shown} is not held, it is {request.state.lower()}.")
        return Order(desk.store.release(request.rid, uid, desk.now()), "has been released.")

    return answer(*(yield from act_on(operands, values, call, desk, decide)))
