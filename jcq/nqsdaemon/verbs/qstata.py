"""The verb qstata: who may submit to which queue, one queue a line, in order of dispatch.

NEC's systems have a command of this name (nqs-facts.md section 3); its columns are not public, so these are ours.
"""

from jcq.nqsdaemon.call import answer
from jcq.nqsdaemon.queue_block import access_name, queues_named
from jcq.options import QSTATA, parse

_HEADER = (
    "QueueName        Access",
    "---------------- ----------------",
)


def handle(call, desk):
    """Show the queues named, or all.

    Returns (as a generator):
        Reply: code 1 if one was not found; the others are shown.
    """
    _, names = parse(QSTATA, call.args)
    out, err = list(_HEADER), []
    for queue in (yield from queues_named("qstata", names, desk, err)):
        out.append(f"{queue.name:<16} {_access(queue)}")
    return answer(out, err)


def _access(queue):
    """`unrestricted`, `none`, or the lists: a name in them has neither commas nor blanks."""
    if not queue.restricted:
        return "unrestricted"
    lists = (("users", queue.users), ("groups", queue.groups))
    return " ".join(f"{title}={','.join(map(access_name, names))}" for title, names in lists if names) or "none"
