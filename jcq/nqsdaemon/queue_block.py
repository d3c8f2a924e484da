"""The block of lines that describes one queue, for qstat and for qmgr's show commands; and which queues somebody means.

Source: manual 2.5.2, whose sample has lost its runs of blanks; the two blanks after `;`, the width
of the counts and every line of the extended form are recollections of the original (nqs-facts.md
section 3, MEM-lo). Whoever reads this text should read it with blanks squeezed.
"""

from jcq.errors import JcqError
from jcq.jcdbs.errors import NoSuchQueue
from jcq.model import lifecycle, limits
from jcq.model.queue import PIPE
from jcq.nqsdaemon.listing import CHUNK

#: Type -> (word, state that it counts), in the order of the line; "" counts nothing: jcq does not stage.
_COUNTS = {
    "BATCH": (
        ("exit", lifecycle.EXITING),
        ("run", lifecycle.RUNNING),
        ("stage", ""),
        ("queued", lifecycle.QUEUED),
        ("wait", lifecycle.WAITING),
        ("hold", lifecycle.HELD),
        ("arrive", lifecycle.ARRIVING),
    ),
    "PIPE": (
        ("depart", lifecycle.DEPARTING),
        ("route", lifecycle.ROUTING),
        ("queued", lifecycle.QUEUED),
        ("wait", lifecycle.WAITING),
        ("hold", lifecycle.HELD),
        ("arrive", lifecycle.ARRIVING),
    ),
}

#: States in which a request is on its way through the queue.
_ACTIVE = {"BATCH": (lifecycle.RUNNING,), "PIPE": (lifecycle.ROUTING, lifecycle.DEPARTING)}


def state_words(queue):
    """The two words of a queue's state.

    Args:
        queue: a `jcq.model.queue.Queue` with its counts.
    Returns:
        (ENABLED or DISABLED; STOPPED, STOPPING, RUNNING or INACTIVE). CLOSED and SHUTDOWN are said
        of a queue whose daemon is absent, so this daemon never says them (nqs-facts.md section 3).
    """
    active = any(queue.counts.get(state, 0) for state in _ACTIVE[queue.type])
    if queue.started:
        second = "RUNNING" if active else "INACTIVE"
    else:
        second = "STOPPING" if active else "STOPPED"
    return ("ENABLED" if queue.enabled else "DISABLED"), second


def queue_block(queue, site_name):
    """The header of a queue.

    Args:
        queue: a `jcq.model.queue.Queue` with its counts.
        site_name: the site's name as cjcmksite was told.
    Returns:
        Two lines of text.
    """
    first, second = state_words(queue)
    mark = ";  PIPEONLY" if queue.pipeonly else ""
    counts = "  ".join(f"{queue.counts.get(state, 0):>3} {word};" for word, state in _COUNTS[queue.type])
    return (
        f"{queue.name}@{site_name};  type={queue.type};  [{first}, {second}];  pri={queue.priority}{mark}\n {counts}\n"
    )


def routes_block(queue, site_name):
    """The header of a queue, and of a pipe queue its destinations: `qstat -r`."""
    return queue_block(queue, site_name) + (f"  {_destset(queue, site_name)}\n" if queue.type == PIPE else "")


def _destset(queue, site_name):
    return f"Destset = {{{', '.join(f'{name}@{site_name}' for name in queue.destinations)}}}"


def extended_block(queue, site_name):
    """The header of a queue with its limits, destinations and attributes: `qstat -x`, `show long queue`.

    Args and returns as `queue_block`, but more lines. The lines Restart and Nqsbg are jcq's own.
    """
    lines = [_access(queue)]
    if queue.type == PIPE:
        lines.insert(0, "Queue server: built in")
        lines.append(_destset(queue, site_name))
    else:
        limit = f"  User_limit = {queue.user_limit};" if queue.user_limit else ""
        lines.insert(0, f"Run_limit = {queue.run_limit};{limit}")
        lines += limits.lines(limits.from_text(queue.limits)).values()
        lines += [f"Restart = {queue.restart}", f"Nqsbg = {'ON' if queue.background else 'OFF'}"]
    return queue_block(queue, site_name) + "".join(f"  {line}\n" for line in lines)


def _access(queue):
    """The words for a list are jcq's own; an id is shown by the name under which it was added."""
    if not queue.restricted:
        return "Unrestricted access"
    lists = [("Users", queue.users), ("Groups", queue.groups)]
    shown = "; ".join(f"{title} = {{{', '.join(map(access_name, names))}}}" for title, names in lists if names)
    return f"Restricted access; {shown}" if shown else "No access"


def access_name(entry):
    """The name in an entry `name:id` of a queue's access list."""
    return entry.rpartition(":")[0]


def queues_named(command, names, desk, err, shown_by=""):
    """The queues named, each once, or all in order of dispatch: `found = yield from queues_named(...)`.

    Args:
        command: whose lines `err` gets, one for each name that is unknown.
        shown_by: what shows the names of all; by default the command itself, without an operand.
    """
    if not names:
        return (yield desk.store.queues())
    shown_by = shown_by or f"{command} without an operand"
    names = list(dict.fromkeys(names))
    queues = []
    for start in range(0, len(names), CHUNK):
        chunk = names[start : start + CHUNK]
        for name, found in zip(chunk, (yield [desk.store.queue(name) for name in chunk]), strict=True):
            if isinstance(found, NoSuchQueue):
                err.append(f"{command}: {NoSuchQueue(detail=repr(name))}; {shown_by} shows them")
            elif isinstance(found, JcqError):
                raise found
            else:
                queues.append(found)
    return queues
