"""One order for each of many requests: looked at together, ordered together, each answered in a line of its own.

A request belongs to its owner; operators and managers may act on anyone's, and with `-u user`, a login name or
uid, on that user's only. What was done goes to standard output, what was not to standard error, and the exit
code is then 1. A request that moved on between the look and the order is looked at again.
"""

from dataclasses import dataclass

from jcq.errors import JcqError, NotPermitted
from jcq.jcdbs.errors import NoSuchRequest, NotOwner, RecordChanged, StaleEpoch, WrongState
from jcq.model import lifecycle
from jcq.nqsdaemon.requestid import find_rid, named_user

#: Requests that are looked at, or given an order, in one turn of the loop.
CHUNK = 200
#: It cannot move on for ever.
_TRIES = 4

#: Why nothing can be done to a request that has gone so far; the end of a sentence.
GONE_ON = {
    lifecycle.ROUTING: "is routing. Try again when it has arrived in a queue.",
    lifecycle.DEPARTING: "is departing. Try again when it has arrived in a queue.",
    lifecycle.EXITING: "is exiting: it has ended, and its output is being returned.",
    lifecycle.DONE: "has ended already.",
}
#: The same where it must not run.
STARTED = {lifecycle.RUNNING: "is running.", **GONE_ON}


@dataclass(frozen=True)
class Order:
    """What to do to one request: an Op of the Store, and what is said when it was done, the end of a sentence.

    The Op is None where all was done when it was decided.
    """

    op: object
    done: str


def refuse_state(request, shown, words):
    """Raise WrongState where `words` (state -> end of a sentence) has something to say about its state."""
    if request.state in words:
        raise WrongState(detail=f"{shown} {words[request.state]}")


def refuse_unless_running(request, shown):
    """Raise WrongState for a request that does not run."""
    refuse_state(request, shown, GONE_ON)
    if request.state != lifecycle.RUNNING:
        raise WrongState(detail=f"{shown} is {request.state.lower()}, not running.")


def act_on(operands, values, call, desk, decide):
    """Give each request named an order.

    Args:
        operands: request ids as typed. All are read before the first is touched: a typing error changes nothing.
        values: the command's options; `user` is that of `-u`.
        call, desk: as every handler has them.
        decide: called with (the Request, its id as people see it, the uid that must own it or -1 for an operator);
            returns an `Order`, or raises a JcqError that says why not.
    Returns (as a generator):
        (lines for standard output, lines for standard error).
    Raises:
        UsageError: a word is no request id, or no user's name. NotPermitted: -u by who is no operator.
    """
    user = named_user(values)
    operator = yield from desk.may_operate(call)
    if user is not None and not operator:
        raise NotPermitted(who=call.who, what="use -u", rule="only an operator may")
    named = list(dict.fromkeys(find_rid(text, desk.identity) for text in operands))
    said = {shown: NoSuchRequest(detail=shown) for rid, shown in named if rid is None}

    def uid_for(request, shown):
        return _uid_for(request, shown, user, operator, call)

    yield from order_each(named, said, desk, uid_for, decide)
    out = [f"Request {shown} {said[shown]}" for _, shown in named if not isinstance(said[shown], JcqError)]
    err = [_complaint(call.verb, shown, said[shown]) for _, shown in named if isinstance(said[shown], JcqError)]
    return out, err


def order_each(named, said, desk, uid_for, decide):
    """Give requests an order, some hundred in a turn.

    Args:
        named: [(rid, or None where it is of another site, the id as people see it)].
        said: dict that gets for each id what was done, or the JcqError that says why not.
        uid_for: called with (Request or None, id); returns the uid that must own it, -1 for an operator, or raises.
        decide: as `act_on`.
    """
    for start in range(0, len(named), CHUNK):
        chunk = {rid: shown for rid, shown in named[start : start + CHUNK] if rid is not None}
        yield from _chunk(chunk, said, desk, uid_for, decide)


def _chunk(chunk, said, desk, uid_for, decide):
    for tries_left in range(_TRIES - 1, -1, -1):
        orders = {}
        found = yield desk.store.requests(list(chunk))
        for (rid, shown), request in zip(chunk.items(), found, strict=True):
            try:
                uid = uid_for(request, shown)
                orders[rid] = decide(request, shown, uid)
            except JcqError as error:
                said[shown] = error
        for rid in [rid for rid, order in orders.items() if order.op is None]:
            said[chunk[rid]] = orders.pop(rid).done
        results = (yield [order.op for order in orders.values()]) if orders else []
        moved = {}
        for (rid, order), result in zip(orders.items(), results, strict=True):
            shown = chunk[rid]
            if isinstance(result, StaleEpoch):
                raise result
            said[shown] = result if isinstance(result, JcqError) else order.done
            if isinstance(result, WrongState | RecordChanged) and tries_left:
                moved[rid] = shown
        chunk = moved
        if not chunk:
            return


def _uid_for(request, shown, user, operator, call):
    """The uid that must own the request when the order is carried out, -1 where an operator acts on another's."""
    if request is None:
        raise NoSuchRequest(detail=shown)
    if user is not None and user not in (request.user, str(request.uid)):
        raise NotOwner(detail=shown)
    if request.uid == call.uid:
        return call.uid
    if not operator:
        raise NotOwner(detail=shown)
    return -1


def _complaint(verb, shown, error):
    text = str(error)
    return text if text.startswith(("Request ", "Not owner of request ")) else f"{verb}: request {shown}: {text}"
