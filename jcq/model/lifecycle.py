"""A request's life: the one table of states and events.

Python, the Lua kernel (`jcq.jcdbs.scripts` generates its copy from here) and the documentation read
this table; nothing else decides which state may follow which. How a request ended (`Outcome`) is
kept apart from where it is. Source: design section 5; state names after the counters of qstat
(nqs-facts.md section 5).
"""

ARRIVING = "ARRIVING"
WAITING = "WAITING"
HELD = "HELD"
QUEUED = "QUEUED"
ROUTING = "ROUTING"
DEPARTING = "DEPARTING"
RUNNING = "RUNNING"
EXITING = "EXITING"
DONE = "DONE"

#: In the order of a life; DONE requests belong to no queue's counters.
STATES = (ARRIVING, WAITING, HELD, QUEUED, ROUTING, DEPARTING, RUNNING, EXITING, DONE)

#: Before it exists.
NOWHERE = "-"

#: event -> {state it may happen in: states it may lead to}. What is not here is refused.
TRANSITIONS: dict[str, dict[str, tuple[str, ...]]] = {
    # A user hands a request in.
    "submit": {NOWHERE: (HELD, WAITING, QUEUED)},
    # Its time has come, or a retry's.
    "due": {WAITING: (QUEUED,)},
    "hold": {WAITING: (HELD,), QUEUED: (HELD,)},
    "release": {HELD: (WAITING, QUEUED)},
    # What its submission said is changed; a new time may let it wait, or run.
    "alter": {WAITING: (WAITING, QUEUED), QUEUED: (QUEUED, WAITING), HELD: (HELD,)},
    # To another queue.
    "move": {WAITING: (WAITING,), QUEUED: (QUEUED,), HELD: (HELD,)},
    # A pipe queue looks for a destination.
    "route": {QUEUED: (ROUTING,)},
    # A destination inside the site took it.
    "forward": {ROUTING: (QUEUED,)},
    # Every destination refused for now.
    "retry": {ROUTING: (WAITING,), DEPARTING: (WAITING,)},
    # No destination will ever take it.
    "reject": {ROUTING: (DONE,)},
    # It leaves for another machine, and has left.
    "depart": {ROUTING: (DEPARTING,)},
    "gone": {DEPARTING: (DONE,)},
    # A worker claims it: attempt + 1.
    "dispatch": {QUEUED: (RUNNING,)},
    # Its first process lives.
    "begin": {RUNNING: (RUNNING,)},
    # It was claimed but nothing of it ran: its uid is unknown here, say (HELD), or the site stops (QUEUED).
    "bounce": {RUNNING: (HELD, QUEUED)},
    # It ended; its output is on its way.
    "finish": {RUNNING: (EXITING,)},
    "deliver": {EXITING: (DONE,)},
    "delete": {ARRIVING: (DONE,), WAITING: (DONE,), HELD: (DONE,), QUEUED: (DONE,)},
    # An order; the worker finishes it as signalled.
    "kill": {RUNNING: (RUNNING,)},
    # An order: it is killed, and queued again when it has ended.
    "rerun": {RUNNING: (QUEUED,)},
    # The start of a site judges what an older epoch left: see jcq.model.restart.
    "recover": {
        RUNNING: (QUEUED, EXITING),
        EXITING: (EXITING,),
        ROUTING: (WAITING,),
        DEPARTING: (WAITING,),
    },
    # Retention is over.
    "retire": {DONE: (NOWHERE,)},
    # Its record is damaged: it goes into the lost-and-found, whatever the record says of its state.
    "lose": dict.fromkeys(STATES, (NOWHERE,)),
}

#: How a request ended.
EXITED = "exited"
SIGNALLED = "signalled"
DELETED = "deleted"
PURGED = "purged"
REJECTED = "rejected"
FORWARDED = "forwarded"

#: What qwait answers for an outcome that is neither exited (its code) nor signalled (128 + n).
WAIT_CODES = {DELETED: 124, PURGED: 125, REJECTED: 126, FORWARDED: 127}


def allowed(event, state, target):
    """Whether `event` may take a request from `state` to `target`."""
    return target in TRANSITIONS.get(event, {}).get(state, ())


def wait_code(outcome, exit_code, signal_number):
    """The exit code of qwait: the request's own, 128+n for a signal, else by `WAIT_CODES`."""
    if outcome == EXITED:
        return exit_code
    if outcome == SIGNALLED:
        return 128 + signal_number
    return WAIT_CODES[outcome]
