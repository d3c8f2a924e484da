"""The verb qpr: jcq has no devices, so it prints nothing."""

from jcq.nqsdaemon.errors import NoDevices
from jcq.options import QPR, parse


def handle(call, desk):
    """Refuse.

    Raises:
        NoDevices.
    """
    yield from ()
    parse(QPR, call.args)
    raise NoDevices()
