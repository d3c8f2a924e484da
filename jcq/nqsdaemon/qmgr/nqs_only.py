"""qmgr's commands that mean something in NQS and nothing in jcq.

A parameter of a part that jcq does without is accepted with a note, so that a script that sets it goes on: what it
is about cannot go wrong here. What would make a thing that jcq has not (a device, forms, a network queue) is
refused: a script that goes on to use it must not believe that it is there.
"""

from jcq.jcdbs.errors import BadValue
from jcq.model.queue import PIPE
from jcq.nqsdaemon.errors import NotInJcq


def _accepted(note):
    def accept(values, call, desk):
        """Change nothing."""
        yield from ()
        return [note]

    return accept


def _refused(what):
    def refuse(values, call, desk):
        """Raises NotInJcq."""
        yield from ()
        raise NotInJcq(what=what)

    return refuse


def pipe_client(values, call, desk):
    """Change nothing. Raises NoSuchQueue, BadValue for a batch queue."""
    queue = yield desk.store.queue(values["queue"])
    if queue.type != PIPE:
        raise BadValue(detail=f"batch queue {queue.name} has no pipe client")
    return ["pipe_client is not used, jcq routes requests by itself"]


def log_file(values, call, desk):
    """Change nothing, and say where the log is."""
    yield from ()
    return [f"log_file is not used, the log is {desk.site.log}"]


def show_nothing(values, call, desk):
    """There are no devices, and so no forms."""
    yield from ()
    return "No devices: jcq has none.\n"


_MEMORY = _accepted("jcq keeps no daemon locked in memory")
_DEVICES = _accepted("this is not used, jcq has no devices")
_PROGRAMS = _accepted("this is not used, jcq starts no network programs")
_NO_DEVICES = _refused("devices")

ACTIONS = {
    **dict.fromkeys(("lock local_daemon", "unlock local_daemon"), _MEMORY),
    **dict.fromkeys(
        ("set maximum copies", "set maximum open_retries", "set maximum print_size", "set open_wait"), _DEVICES
    ),
    **dict.fromkeys(
        ("set network client", "set network daemon", "set network server", "set no_network_daemon"), _PROGRAMS
    ),
    **dict.fromkeys(
        (
            "add device",
            "add forms",
            "create device",
            "create device_queue",
            "delete device",
            "delete forms",
            "disable device",
            "enable device",
            "set default device_request",
            "set default print_request",
            "set device",
            "set no_default device_request",
            "set no_default print_request",
        ),
        _NO_DEVICES,
    ),
    "create network_queue": _refused("network queues"),
    "set debug": _accepted("debug is not used, jcq logs everything that it does"),
    "set log_file": log_file,
    "set pipe_client": pipe_client,
}
