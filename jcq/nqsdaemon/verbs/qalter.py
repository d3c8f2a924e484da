"""The verb qalter: change what qsub said of requests that do not run yet.

What is not given stays. The options are those of qsub, and mean the same; `-a now` lets a request wait no longer.
A queue is changed by qmove.
"""

from dataclasses import replace

from jcq.errors import UsageError
from jcq.model.directives import refuse_contradiction
from jcq.nqsdaemon import submission
from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.orders import STARTED, Order, act_on, refuse_state
from jcq.options import QALTER, parse


def handle(call, desk):
    """Alter each request named; returns as every verb of `jcq.nqsdaemon.orders`.

    Raises:
        UsageError: nothing is to be changed, or a value is none.
    """
    values, operands = parse(QALTER, call.args)
    refuse_contradiction(values, "")
    changes = submission.attributes(values, call, desk)
    if not changes:
        raise UsageError(reason="what is to be changed is missing; see qalter --help")

    def decide(request, shown, uid):
        refuse_state(request, shown, STARTED)
        return Order(desk.store.alter(request, replace(request, **changes), uid, desk.now()), "has been altered.")

    return answer(*(yield from act_on(operands, values, call, desk, decide)))
