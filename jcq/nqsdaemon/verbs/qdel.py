"""The verb qdel: delete requests that do not run; signal those that do, where -k or -signo asks for it.

`-k`, `-9` and `-15` ask for an end, so they delete a request that does not run yet; any other signal is for a
running one, and is refused where there is none. Messages: nqs-facts.md section 4 (MEM-lo).
"""

from jcq.jcdbs.errors import WrongState
from jcq.model import lifecycle
from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.orders import GONE_ON, Order, act_on, refuse_state
from jcq.options import QDEL, parse

_SIGKILL = 9
_SIGTERM = 15
_RUNNING = {lifecycle.RUNNING: "is running. Use -k to kill it, or -signo to signal it."}


def handle(call, desk):
    """Delete or signal each request named; returns as every verb of `jcq.nqsdaemon.orders`."""
    values, operands = parse(QDEL, call.args)
    signum = _SIGKILL if "kill" in values else values.get("signal", 0)

    def decide(request, shown, uid):
        refuse_state(request, shown, GONE_ON)
        if request.state == lifecycle.RUNNING and signum:
            return Order(desk.store.kill(request.rid, uid, signum, desk.now()), "has been signalled.")
        refuse_state(request, shown, _RUNNING)
        if signum not in (0, _SIGKILL, _SIGTERM):
            raise WrongState(detail=f"{shown} is {request.state.lower()}, not running: there is nothing to signal.")
        return Order(desk.store.delete(request.rid, uid, desk.now()), "has been deleted.")

    return answer(*(yield from act_on(operands, values, call, desk, decide)))
