"""The verb qchk: jcq takes no checkpoints, and says so of each request that it would be asked for."""

from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.errors import NoCheckpoint
from jcq.nqsdaemon.orders import act_on, refuse_unless_running
from jcq.options import QCHK, parse


def handle(call, desk):
    """Refuse each request named; returns as every verb of `jcq.nqsdaemon.orders`."""
    values, operands = parse(QCHK, call.args)

    def decide(request, shown, uid):
        refuse_unless_running(request, shown)
        raise NoCheckpoint()

    return answer(*(yield from act_on(operands, values, call, desk, decide)))
