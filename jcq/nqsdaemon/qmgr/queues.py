"""qmgr's commands that change queues: each checks what the site database cannot, then runs one script.

Every function here takes (values of the command, Call, Desk) and returns notes for the reply.
"""

from jcq.errors import UsageError
from jcq.model.queue import BATCH, PIPE, Queue
from jcq.nqsdaemon.requestid import is_this_site


def create_batch_queue(values, call, desk):
    """Disabled and stopped, as in NQS. Without run_limit one request runs at a time. Raises QueueExists."""
    queue = Queue(values["queue"], BATCH)
    _take_common(queue, values)
    queue.run_limit = values.get("run_limit", queue.run_limit)
    queue.user_limit = values.get("user_limit", queue.user_limit)
    yield desk.store.create_queue(queue)
    return []


def create_pipe_queue(values, call, desk):
    """Disabled and stopped. Raises QueueExists, NoSuchQueue for a destination."""
    queue = Queue(values["queue"], PIPE)
    _take_common(queue, values)
    queue.destinations = local_names(values.get("destinations", ()), desk)
    notes = []
    if "program" in values:
        notes.append("server is not used, jcq routes requests by itself")
    if "run_limit" in values:
        notes.append("run_limit is not used, a pipe queue passes requests on at once")
    yield desk.store.create_queue(queue)
    return notes


def _take_common(queue, values):
    queue.priority = values.get("priority", queue.priority)
    queue.pipeonly = "pipeonly" in values


def delete_queue(values, call, desk):
    """Raises NoSuchQueue, QueueEnabled, QueueNotEmpty, QueueInUse."""
    yield desk.store.delete_queue(values["queue"])
    return []


def delete_default_queues(values, call, desk):
    """Delete what cjcmksite made. Raises SiteConfigured, QueueNotEmpty."""
    yield desk.store.delete_default_queues()
    return []


def _setter(field, value):
    def change(values, call, desk):
        """Set one attribute to a fixed value. Raises NoSuchQueue."""
        yield desk.store.set_queue(values["queue"], field, value, desk.now())
        return []

    return change


def _attribute(field, kind=""):
    """`kind`: of the value, where it is not called as the field."""

    def change(values, call, desk):
        """Set one attribute to the value given. Raises NoSuchQueue, BadValue for a queue of the wrong type."""
        yield desk.store.set_queue(values["queue"], field, values[kind or field], desk.now())
        return []

    return change


def _destinations(mode):
    def change(values, call, desk):
        """Change a pipe queue's destinations, all or none. Raises as `Store.edit_destinations`."""
        names = local_names(values["destinations"], desk)
        yield desk.store.edit_destinations(values["queue"], mode, names, desk.now())
        return []

    return change


def local_names(destinations, desk):
    """The queues of `queue@host` destinations, all of which must be at this site.

    Args:
        destinations: tuple of (queue, host), host empty where none was given.
    Raises:
        UsageError: another host, or a queue twice.
    """
    names = []
    for queue, host in destinations:
        if host and not is_this_site(host, desk.identity):
            raise UsageError(
                reason=f"{queue}@{host} is at another machine, which this version of jcq does not reach;"
                f" destinations are queues of {desk.identity.name}"
            )
        if queue in names:
            raise UsageError(reason=f"destination {queue} is given twice")
        names.append(queue)
    return tuple(names)


ACTIONS = {
    "add destination": _destinations("add"),
    "create batch_queue": create_batch_queue,
    "create pipe_queue": create_pipe_queue,
    "delete default_queues": delete_default_queues,
    "delete destination": _destinations("delete"),
    "delete queue": delete_queue,
    "disable queue": _setter("enabled", False),
    "enable queue": _setter("enabled", True),
    "set destination": _destinations("set"),
    "set nqsbg": _attribute("background", "on_off"),
    "set priority": _attribute("priority"),
    "set restart": _attribute("restart"),
    "set run_limit": _attribute("run_limit"),
    "set user_limit": _attribute("user_limit"),
    "start queue": _setter("started", True),
    "stop queue": _setter("started", False),
}
