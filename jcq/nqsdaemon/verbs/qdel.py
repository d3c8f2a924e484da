"""The verb qdel: delete requests that do not run; signal those that do, where -k or -signo asks for it.

A request belongs to its owner; operators and managers may act on anyone's, and with `-u user`, a login name
or uid, on that user's only. `-k`, `-9` and `-15` ask for an end, so they delete a request that does not run yet; any
other signal is for a running one, and is refused where there is none. Messages: nqs-facts.md section 4
(MEM-lo); what was done goes to standard output, what was not to standard error.
"""

from jcq.errors import JcqError, NoSuchRequest, NotOwner, NotPermitted, UsageError, WrongState
from jcq.model import lifecycle
from jcq.nqsdaemon.call import Reply
from jcq.nqsdaemon.requestid import find_rid
from jcq.options import QDEL, parse

_SIGKILL = 9
_SIGTERM = 15
#: A request that moved on between the look and the act is looked at again; it cannot move for ever.
_TRIES = 4

_WHY_NOT = {
    lifecycle.RUNNING: "is running. Use -k to kill it, or -signo to signal it.",
    lifecycle.EXITING: "is exiting: it has ended, and its output is being returned.",
    lifecycle.ROUTING: "is routing. Try again when it has arrived in a queue.",
    lifecycle.DEPARTING: "is departing. Try again when it has arrived in a queue.",
    lifecycle.DONE: "has ended already.",
}


def handle(call, desk):
    """Delete or signal each request named.

    Returns (as a generator):
        Reply: a line for each; code 1 when one of them was not deleted or signalled, the others were.
    """
    values, operands = parse(QDEL, call.args)
    user = values.get("user")
    if user is not None and not (yield from desk.may_operate(call)):
        raise NotPermitted(who=call.who, what="use -u", rule="only an operator may")
    signum = _SIGKILL if "kill" in values else values.get("signal", 0)
    # All ids are read before the first is touched: a typing error deletes nothing.
    named = [find_rid(text, desk.identity) for text in operands]
    out, err = [], []
    for rid, shown in dict.fromkeys(named):
        try:
            if rid is None:
                raise NoSuchRequest(detail=shown)
            done = yield from _act(rid, shown, signum, user, call, desk)
            out.append(f"Request {shown} {done}\n")
        except (NoSuchRequest, NotOwner, UsageError, WrongState) as error:
            err.append(f"{error}\n")
        except JcqError as error:
            err.append(f"qdel: request {shown}: {error}\n")
    return Reply(1 if err else 0, out="".join(out), err="".join(err))


def _act(rid, shown, signum, user, call, desk):
    """Do it to one request; returns what was done, as the end of a sentence."""
    uid = call.uid
    for tries_left in range(_TRIES - 1, -1, -1):
        try:
            request = yield desk.store.request(rid)
        except NoSuchRequest:
            raise NoSuchRequest(detail=shown) from None
        if user is not None and user not in (request.user, str(request.uid)):
            raise NotOwner(detail=shown)
        if uid not in (-1, request.uid):
            if not (yield from desk.may_operate(call)):
                raise NotOwner(detail=shown)
            uid = -1
        if request.state == lifecycle.RUNNING and signum:
            order, done = desk.store.kill(rid, uid, signum, desk.now()), "has been signalled."
        elif request.state in _WHY_NOT:
            raise WrongState(detail=f"{shown} {_WHY_NOT[request.state]}")
        elif signum not in (0, _SIGKILL, _SIGTERM):
            raise WrongState(detail=f"{shown} is {request.state.lower()}, not running: there is nothing to signal.")
        else:
            order, done = desk.store.delete(rid, uid, desk.now()), "has been deleted."
        try:
            yield order
            return done
        except WrongState:
            if not tries_left:
                raise
    return None
