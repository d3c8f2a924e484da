"""The verb qalter: change what qsub said of requests that do not run yet.

What is not given stays, each limit for itself. The options are those of qsub, and mean the same; `-a now` lets a
request wait no longer. A queue is changed by qmove. A damaged request is refused: it would get a new checksum, and
the damage would never be found.
"""

from dataclasses import replace

from jcq.errors import UsageError
from jcq.jcdbs.errors import BadValue
from jcq.model import limits
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
        flaw = request.flaw()
        if flaw:
            raise BadValue(detail=f"{flaw}; nothing was altered")
        altered = replace(request, **changes)
        if "limits" in changes:
            altered.limits = limits.merged(request.limits, changes["limits"])
        return Order(desk.store.alter(request, altered, uid, desk.now()), "has been altered.")

    return answer(*(yield from act_on(operands, values, call, desk, decide)))
