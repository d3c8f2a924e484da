"""The verb qsig: send a signal to every process of running requests; SIGTERM where none is given (as PBS has it)."""

import signal

from jcq.errors import UsageError
from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.orders import Order, act_on, refuse_unless_running
from jcq.options import QSIG, parse, signal_number


def handle(call, desk):
    """Signal each request named; returns as every verb of `jcq.nqsdaemon.orders`.

    Raises:
        UsageError: there is no such signal.
    """
    values, operands = parse(QSIG, call.args)
    signum = values.get("signal", int(signal.SIGTERM))
    if "name" in values:
        signum = signal_number(values["name"])
        if not signum:
            raise UsageError(reason=f"-s: there is no signal {values['name']!r}; give for example TERM, SIGUSR1 or 9")

    def decide(request, shown, uid):
        refuse_unless_running(request, shown)
        return Order(desk.store.kill(request.rid, uid, signum, desk.now()), "has been signalled.")

    return answer(*(yield from act_on(operands, values, call, desk, decide)))
