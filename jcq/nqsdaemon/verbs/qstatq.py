"""The verb qstatq: queues, one a line, in order of dispatch.

NEC's systems have a command of this name (nqs-facts.md section 3); its columns are not public, so these are ours.
"""

from jcq.model import lifecycle
from jcq.model.queue import BATCH
from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.queue_block import queues_named, state_words
from jcq.options import QSTATQ, parse

_COUNTED = (
    ("ARR", lifecycle.ARRIVING),
    ("WAI", lifecycle.WAITING),
    ("HLD", lifecycle.HELD),
    ("QUE", lifecycle.QUEUED),
    ("RUN", lifecycle.RUNNING),
    ("EXT", lifecycle.EXITING),
)
_HEADER = "QueueName        Type  Pri ENA STS      Limit   TOT " + " ".join(f"{word:>5}" for word, _ in _COUNTED)


def handle(call, desk):
    """Show the queues named, or all.

    Returns (as a generator):
        Reply: code 1 if one was not found; the others are shown.
    """
    _, names = parse(QSTATQ, call.args)
    out, err = [_HEADER, " ".join("-" * width for width in (16, 5, 3, 3, 8, 5, 5, *[5] * len(_COUNTED)))], []
    for queue in (yield from queues_named("qstatq", names, desk, err)):
        out.append(_line(queue))
    return answer(out, err)


def _line(queue):
    enabled, running = state_words(queue)
    limit = queue.run_limit if queue.type == BATCH else "-"
    total = sum(queue.counts.values())
    counts = " ".join(f"{queue.counts.get(state, 0):>5}" for _, state in _COUNTED)
    head = f"{queue.name:<16} {queue.type:<5} {queue.priority:>3} {enabled[:3]} {running:<8}"
    return f"{head} {limit:>5} {total:>5} {counts}"
