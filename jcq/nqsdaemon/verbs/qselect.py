"""The verb qselect: the ids of the live requests that fit, one a line, in qstat's order; made for xargs.

The options are as PBS has them, with NQS's names of states. A state is that which qstat shows: a request
that runs and is suspended is SUSPENDED, not RUNNING. When nothing fits, nothing is printed and the code is 0.
"""

from fnmatch import fnmatchcase

from jcq.errors import UsageError
from jcq.jcdbs.errors import NoSuchQueue
from jcq.model import lifecycle
from jcq.model.request import PRIORITY_MAX
from jcq.nqsdaemon.call import Reply
from jcq.nqsdaemon.listing import listing, whose
from jcq.nqsdaemon.request_lines import shown_state
from jcq.nqsdaemon.submission import without_host
from jcq.options import QSELECT, parse

#: Every other command waits while a pattern is matched.
_VALUE_CHARACTERS_MAX = 255
_SUSPENDED = "SUSPENDED"
_STATES = tuple(sorted({*lifecycle.STATES, _SUSPENDED} - {lifecycle.DONE}))


def handle(call, desk):
    """Answer one qselect.

    Returns (as a generator):
        Reply: ids.
    Raises:
        UsageError: an option's value is none. NoSuchQueue: -q names none.
    """
    values, _ = parse(QSELECT, call.args)
    for option, key in (("-r", "name"), ("-s", "states")):
        if len(values.get(key, "")) > _VALUE_CHARACTERS_MAX:
            raise UsageError(reason=f"{option} needs a value of at most {_VALUE_CHARACTERS_MAX} characters")
    states = _states(values["states"]) if "states" in values else _STATES
    low, high = _priorities(values["priority"]) if "priority" in values else (0, PRIORITY_MAX)
    pattern = values.get("name", "*")

    def line(_position, request):
        fits = (
            shown_state(request) in states
            and low <= request.priority <= high
            and (pattern == "*" or fnmatchcase(request.name, pattern))
        )
        return f"{request.id}\n" if fits else ""

    lines = []
    for queue in (yield from _queues(values, desk)):
        lines += yield from listing(queue, whose(values, call), line, desk)
    # One that moved to another queue meanwhile was found twice.
    return Reply(out="".join(dict.fromkeys(lines)))


def _queues(values, desk):
    if "queue" not in values:
        return (yield desk.store.queues())
    name = without_host(values["queue"], "queue", (), desk)
    try:
        return [(yield desk.store.queue(name))]
    except NoSuchQueue:
        raise UsageError(reason=f"-q: {NoSuchQueue(detail=repr(name))}; qstat shows the queues") from None


def _states(text):
    """The states that a list of words names."""
    states = set()
    for word in text.split(","):
        word = word.strip().upper()
        found = [state for state in _STATES if word and state.startswith(word)]
        if len(found) != 1:
            what = f"may be {' or '.join(found)}" if found else f"is no state; there are {', '.join(_STATES)}"
            raise UsageError(reason=f"-s: {word!r} {what}")
        states.update(found)
    return states


def _priorities(text):
    """(lowest, highest) of `n` or `low-high`."""
    low, dash, high = text.partition("-")
    numbers = [low, high] if dash else [low, low]
    if not all(number.isascii() and number.isdigit() and len(number) < 10 for number in numbers):
        raise UsageError(reason=f"-p needs a priority, 5, or a range of them, 5-10, not {text!r}")
    lowest, highest = map(int, numbers)
    if not lowest <= highest <= PRIORITY_MAX:
        raise UsageError(reason=f"-p needs numbers from 0 to {PRIORITY_MAX}, the lower one first, not {text!r}")
    return lowest, highest
